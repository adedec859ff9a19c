/** Compares bytes as bytes: as lists of numbers, which is what `toEqual` makes of them, an image of 3 MB takes a second. */
import { expect } from "vitest";

expect.addEqualityTesters([
  (a: unknown, b: unknown): boolean | undefined => {
    if (!(a instanceof Uint8Array && b instanceof Uint8Array)) return undefined;
    if (a.byteLength !== b.byteLength) return false;
    for (let at = 0; at < a.byteLength; at++) if (a[at] !== b[at]) return false;
    return true;
  },
]);
