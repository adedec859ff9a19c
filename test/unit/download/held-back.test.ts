/** How much of a download may be sent while its fill runs. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { neededByte, sendableTo } from "../../../src/download/held-back.ts";
import { partsOf, sliceCount, sliceStart } from "../../../src/store/slice-plan.ts";

const cutOf = (size: number, sliceBytes: number) => ({ attempt: "one", size, sliceBytes });
const downloads = fc
  .record({ size: fc.integer({ min: 1, max: 300 }), sliceBytes: fc.constantFrom(8, 16, 64) })
  .chain(({ size, sliceBytes }) =>
    fc.tuple(fc.nat({ max: size - 1 }), fc.integer({ min: 1, max: size })).map(([one, other]) => ({
      cut: cutOf(size, sliceBytes),
      start: Math.min(one, other - 1),
      end: Math.max(one + 1, other),
    })),
  );

describe("what a download may send before the digest agreed", () => {
  it("is all that is stored, but for its bytes of the last slice that it reads", () => {
    fc.assert(
      fc.property(downloads, fc.nat(), ({ cut, start, end }, n) => {
        const stored = n % sliceCount(cut);
        const last = partsOf(cut, start, end).at(-1);
        const held = end - (last?.length ?? 0);
        expect(sendableTo(cut, stored, start, end)).toBe(Math.min(sliceStart(cut, stored), held));
      }),
    );
  });

  it("is all of it once all is stored", () => {
    fc.assert(
      fc.property(downloads, ({ cut, start, end }) => {
        expect(sendableTo(cut, sliceCount(cut), start, end)).toBe(end);
      }),
    );
  });

  it("waits for the image's last byte where nothing else is left", () => {
    fc.assert(
      fc.property(downloads, ({ cut, start, end }) => {
        const held = end - (partsOf(cut, start, end).at(-1)?.length ?? 0);
        expect(neededByte(cut, held, start, end)).toBe(cut.size - 1);
        if (held > start) expect(neededByte(cut, held - 1, start, end)).toBe(held - 1);
      }),
    );
  });

  it("takes no longer to find out for an image of many slices", () => {
    let reads = 0;
    const cut = {
      attempt: "one",
      size: 2 ** 35,
      get sliceBytes() {
        reads++;
        return 2 ** 22;
      },
    };
    neededByte(cut, 2 ** 30, 0, cut.size);
    sendableTo(cut, 300, 0, cut.size);
    expect(reads).toBeLessThan(50);
  });
});
