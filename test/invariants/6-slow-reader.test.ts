/** Invariant 6: a slow reader slows nobody. Nobody waits for a client but its own download. */
import { describe, expect, it } from "vitest";
import { fillClient } from "../support/bindings.ts";
import { bytesOf, expectKept, expectOnce, startReaders, takeData } from "../support/fills.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage, startReader } from "../support/readers.ts";
import { createImage, setFaults, settled } from "../support/scenario.ts";

keepLines();

describe("a client that reads slowly while others are fast", () => {
  it("slows nobody, and ends right when fill and slices are gone before it is half way", async () => {
    const image = await createImage({ size: 12_000_000 });
    const slow = await startReader(image.id, { pauseAt: 100_000 });
    const fast = await startReaders(image, 2);
    for (const reader of fast) await expectImage(reader, image);
    await expectKept(image);
    // The runtime holds some of it ready; by far not half.
    expect(slow.received).toBeLessThan(image.size / 2);
    slow.resume();
    await expectImage(slow, image);
    await expectOnce(image);
  });

  it("that joined in the middle ends right as well, from the object of its attempt", async () => {
    const image = await createImage({ size: 12_000_000 });
    await setFaults(image.id, { rate: 12_000_000 });
    const fast = await startReader(image.id);
    await fast.has(1_000_000);
    const slow = await startReader(image.id, { pauseAt: 1 });
    await expectImage(fast, image);
    await expectKept(image);
    slow.resume();
    await expectImage(slow, image);
    await expectOnce(image);
  });

  it("is cut when the image was taken out of the cache meanwhile and filled again", async () => {
    const image = await createImage({ size: 12_000_000 });
    const slow = await startReader(image.id, { pauseAt: 100_000 });
    await expectKept(image);
    expect(await fillClient(image.id).remove("always")).toBe("removed");
    const next = await startReader(image.id);
    await expectImage(next, image);
    await expectKept(image);
    slow.resume();
    expect(await slow.ended).toBe("cut");
    expect(slow.received).toBeLessThan(image.size);
    await settled();
    expect(bytesOf(await takeData(image))).toBe(2 * image.size);
  });
});
