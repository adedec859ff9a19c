/** How a run uses the floor of a fill, floors/fill.ts. */
import type { Bench, Run } from "./bench.ts";
import { dataPath, type Image, TOKEN } from "./origin.ts";
import type { Workerd } from "./workerd.ts";

/** Where a floor has an image: to be read while it is filled. */
export function fillPath({ origin }: Bench, image: Image): string {
  const from = encodeURIComponent(origin.url + dataPath(image));
  return `/?name=${image.id}&from=${from}&size=${image.size}`;
}

/** Fills without a reader; ends when the last slice is stored. */
export async function storeInFillFloor(bench: Bench, floor: Workerd, image: Image): Promise<Run> {
  const before = floor.cpuSeconds();
  const startedAt = performance.now();
  await call(floor, "PUT", fillPath(bench, image), 201);
  const seconds = (performance.now() - startedAt) / 1000;
  return { seconds, cpu: floor.cpuSeconds() - before, fetched: [], bytes: image.size };
}

/** Removes the image there and at the origin, and waits until the floor is done with it. */
export async function dropFromFillFloor(bench: Bench, floor: Workerd, image: Image): Promise<void> {
  await call(floor, "DELETE", fillPath(bench, image), 204);
  await bench.origin.removeImage(image);
  await floor.idle();
}

async function call(floor: Workerd, method: string, path: string, expected: number): Promise<void> {
  const response = await fetch(floor.url + path, { method, headers: { "x-auth-token": TOKEN } });
  if (response.status !== expected) throw new Error(`the floor answers ${response.status} to ${method}`);
}
