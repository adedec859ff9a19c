/** Two fills and the last room (docs/fills.md): one conditional insert decides. */
import { afterEach, describe, expect, it } from "vitest";
import { fillClient } from "../support/bindings.ts";
import { expectNotStored, smallEdge, storedIds, storedImage } from "../support/cap.ts";
import { CALM, fillEnv } from "../support/fill-env.ts";
import { expectKept, expectNothingLeft, takeData } from "../support/fills.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage, startReader } from "../support/readers.ts";
import { createImage, setFaults, settled } from "../support/scenario.ts";

const MB = 1_000_000;
keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

describe("a fill that needs room", () => {
  it("never takes more than there is, however many run at once", async () => {
    const edge = await smallEdge(4 * MB);
    const images = await Promise.all(Array.from({ length: 5 }, () => createImage({ size: MB })));
    await Promise.all(images.map((image) => setFaults(image.id, { rate: MB })));
    const readers = await Promise.all(images.map((image) => startReader(image.id, { env: edge.env })));
    const stored = images.filter((_, index) => readers[index]?.cacheStatus?.endsWith("stored"));
    expect(stored).toHaveLength(2);
    for (const [index, reader] of readers.entries()) {
      const image = images[index];
      if (image !== undefined) await expectImage(reader, image);
    }
    await settled();
    for (const image of stored) await expectKept(image);
    expect(await storedIds()).toEqual(new Set(stored.map(({ id }) => id)));
    expect(edge.peak()).toBeLessThanOrEqual(4 * MB);
    await takeData(...images);
  });
});

describe("a fill for which there is no room", () => {
  it("because another fill holds it is none, for all who come, until that has ended", async () => {
    const edge = await smallEdge(2 * MB);
    const holder = await createImage({ size: MB });
    await setFaults(holder.id, { rate: 100_000 });
    const reader = await startReader(holder.id, { env: edge.env });
    await reader.has(1);
    const image = await createImage({ size: MB });
    await takeData(holder);
    await expectNotStored(edge, image);
    await expectNotStored(edge, image);
    reader.leave();
    expect(await fillClient(holder.id).remove("always")).toBe("removed");
    await expectNothingLeft(holder);
    await storedImage(edge, MB);
    expect(edge.peak()).toBeLessThanOrEqual(2 * MB);
    await takeData(holder, image);
  });
});
