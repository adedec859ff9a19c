/** Waits until a Fill has nothing to do any more. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Held } from "./injection.ts";
import type { Lane } from "./lane.ts";
import type { ImageAtOrigin } from "./origin.ts";

/** Half a second behind the commit slices go, and what was stopped; a machine that is busy takes its time. */
const QUIET_MS = 30_000;
const AGAIN_MS = 150;

/** What there is, for people: how many of a kind. */
export function sayKeys(keys: readonly string[]): string {
  const kinds = ["images/", "fills/", "parts/"].map(
    (root) => `${keys.filter((key) => key.startsWith(root)).length} ${root}`,
  );
  return kinds.join(", ");
}

interface Quiet {
  readonly what: "quiet" | "busy";
  readonly keys: readonly string[];
  /** For people. */
  readonly state: string;
}

/** Waits until nothing is under way any more, and it is as wanted; at the most so long. */
export async function untilQuiet(
  lane: Lane,
  image: ImageAtOrigin,
  wanted: (held: Held) => boolean,
  ms = QUIET_MS,
): Promise<Quiet> {
  for (const deadline = Date.now() + ms; ; await sleep(AGAIN_MS)) {
    const held = await lane.held(image.id);
    const { fill, objects, fills, images, queue } = held;
    const keys = objects.map(({ key }) => key);
    const state = JSON.stringify({ fill, fills, images, queue });
    const noSlices = !keys.some((key) => key.startsWith("fills/"));
    const over =
      fill === null || (fill.phase === "failed" ? !fill.slices : fill.phase === "idle" || fill.phase === "kept");
    if (over && noSlices && fills === 0 && (fill?.tombstones ?? 0) === 0 && wanted(held))
      return { what: "quiet", keys, state };
    if (Date.now() > deadline) return { what: "busy", keys, state };
  }
}
