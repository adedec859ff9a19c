/** What all cases of a run share. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Clients } from "./clients/clients.ts";
import { dataPath, type Image, type Origin, TOKEN } from "./origin.ts";
import type { Workerd } from "./workerd.ts";

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;
const POLL_MS = 500;

export interface Bench {
  readonly origin: Origin;
  readonly clients: Clients;
  /** Small images, one round: shows that all of it works, and no more. */
  readonly short: boolean;
  /** How often the edge and its floors take turns. */
  readonly rounds: number;
  /** Tells a person what is going on. */
  readonly note: (text: string) => void;
}

/** Waits until the edge keeps the image and does nothing any more. */
export async function untilKept(edge: Workerd, image: Image): Promise<void> {
  for (;;) {
    const response = await fetch(edge.url + dataPath(image), {
      headers: { "x-auth-token": TOKEN, "cache-control": "only-if-cached" },
    });
    await response.body?.cancel();
    if (response.status === 200) break;
    if (response.status !== 504) throw new Error(`the edge answers ${response.status}`);
    await sleep(POLL_MS);
  }
  await edge.idle();
}

/** Deletes the image at the origin and in the edge, and waits until the edge is done with it. */
export async function dropImage(edge: Workerd, image: Image): Promise<void> {
  const response = await fetch(`${edge.url}/v2/images/${image.id}`, {
    method: "DELETE",
    headers: { "x-auth-token": TOKEN },
  });
  if (response.status !== 204) throw new Error(`the image could not be deleted: status ${response.status}`);
  await edge.idle();
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  if (low === undefined || high === undefined) throw new RangeError("a median of nothing");
  return (low + high) / 2;
}
