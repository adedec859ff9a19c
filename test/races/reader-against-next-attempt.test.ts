/** A reader against the next attempt (docs/fills.md): no client gets bytes of two. */

import { afterEach, describe, expect, it } from "vitest";
import { fillClient } from "../support/bindings.ts";
import { CALM, fillEnv } from "../support/fill-env.ts";
import { expectKept, SOON, slowImage, takeData } from "../support/fills.ts";
import { Holding } from "../support/holding.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage, startReader } from "../support/readers.ts";
import { setFaults, settled } from "../support/scenario.ts";

const SIZE = 3_000_000;
keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

describe("a reader of an attempt that is gone", () => {
  it("that has bytes of it is cut when it asks during the next one, which others get", async () => {
    const image = await slowImage({ size: SIZE }, 1_000_000);
    // Its third question is one with bytes sent.
    const holding = new Holding((ask) => ask.sent);
    const old = await startReader(image.id, { env: holding.env });
    await expect.poll(() => holding.held, SOON).toBe(1);
    await fillClient(image.id).remove("always");
    const next = await startReader(image.id);
    await next.has(100_000);
    holding.open();
    expect(await old.ended).toBe("cut");
    expect(old.received).toBeLessThan(SIZE);
    await expectImage(next, image);
    await settled();
    await takeData(image);
    await expectKept(image);
  });

  it("that has no bytes of it yet begins with the next one", async () => {
    const image = await slowImage({ size: SIZE }, 1_000_000);
    const holding = new Holding((ask) => ask.attempt !== null && !ask.sent);
    const range = { range: `bytes=${SIZE - 10}-` };
    const joining = startReader(image.id, { env: holding.env, headers: range });
    await scheduler.wait(500);
    await fillClient(image.id).remove("always");
    const next = await startReader(image.id);
    await next.has(100_000);
    holding.open();
    const reader = await joining;
    expect(await reader.ended).toBe("whole");
    expect(reader.received).toBe(10);
    await expectImage(next, image);
    await settled();
    await takeData(image);
    await expectKept(image);
  });

  it("and slow does not move over to the object of another attempt", async () => {
    const image = await slowImage({ size: SIZE });
    const holding = new Holding((ask) => ask.sent);
    const slow = await startReader(image.id, { env: holding.env });
    await expect.poll(() => holding.held, SOON).toBe(1);
    await fillClient(image.id).remove("always");
    await setFaults(image.id, {});
    await expectImage(await startReader(image.id), image);
    await expectKept(image);
    holding.open();
    expect(await slow.ended).toBe("cut");
    await settled();
    await takeData(image);
  });
});
