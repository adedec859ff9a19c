/**
 * How much of a download may be sent while its fill runs: pure. Its last bytes wait for the digest of the whole image (invariant
 * 2), also those of a part.
 */
import type { Cut } from "../fill/protocol.ts";
import { sliceAt, sliceCount, sliceStart } from "../store/slice-plan.ts";

/** The image's byte that has to be stored before a download that is at `position` can go on. @param start @param end its part */
export function neededByte(cut: Cut, position: number, start: number, end: number): number {
  const held = position < end && position >= heldFrom(cut, start, end);
  return held ? cut.size - 1 : position;
}

/** The image's byte up to which a download may be sent. @param stored number of slices @param start @param end its part */
export function sendableTo(cut: Cut, stored: number, start: number, end: number): number {
  if (stored === sliceCount(cut)) return end;
  return Math.min(sliceStart(cut, stored), heldFrom(cut, start, end));
}

/** From this byte on a part waits until the whole image is stored: its bytes of the last slice that it reads. */
function heldFrom(cut: Cut, start: number, end: number): number {
  return start >= end ? end : Math.max(start, sliceStart(cut, sliceAt(cut, end - 1)));
}
