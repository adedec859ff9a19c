/** What a load waits for before it begins, and behind its end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client, SeededImage } from "./client.ts";

/** @throws Error that names what did not happen in time */
export async function until(what: string, seconds: number, done: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; await sleep(250)) if (await done()) return;
  throw new Error(`${what} took more than ${seconds} s`);
}

/** Waits until the edge lists all of these images as cached. */
export async function untilKept(client: Client, images: readonly SeededImage[]): Promise<void> {
  await until("keeping the images", 120, async () => {
    const listed = await client.ask("/v2/cache", 200, { token: "admin" });
    return images.every(({ id }) => listed.includes(`"image_id":"${id}"`));
  });
}
