/** What all cases of a run share, and how one run of a case is measured. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Clients } from "./clients/clients.ts";
import type { Fetched } from "./clients/messages.ts";
import { dataPath, type Image, type Origin, TOKEN } from "./origin.ts";
import type { Workerd } from "./workerd.ts";

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;
const POLL_MS = 500;

export interface Bench {
  readonly origin: Origin;
  readonly clients: Clients;
  /** Small images, one pair of runs: shows that the bench works, and no more. */
  readonly quick: boolean;
  /** Runs of the edge and of the floor, one after the other. */
  readonly pairs: number;
  /** Tells a person what is going on. */
  readonly note: (text: string) => void;
}

export interface Run {
  /** From the start of all clients to the last one's last byte. */
  readonly seconds: number;
  /** CPU seconds of workerd meanwhile. */
  readonly cpu: number;
  readonly fetched: readonly Fetched[];
  /** Bytes that all clients got. */
  readonly bytes: number;
}

/** One timed download by so many clients. @throws WrongBytes */
export async function measure(
  bench: Bench,
  worker: Workerd,
  path: string,
  image: Image,
  clients: number,
): Promise<Run> {
  const before = worker.cpuSeconds();
  const fetched = await bench.clients.download(worker.url + path, image, clients);
  const cpu = worker.cpuSeconds() - before;
  return { seconds: Math.max(...fetched.map((one) => one.doneMs)) / 1000, cpu, fetched, bytes: image.size * clients };
}

/** A download that is not timed: warms up, and compares the SHA-512. @throws WrongBytes */
export async function verify(
  bench: Bench,
  worker: Workerd,
  path: string,
  image: Image,
  clients: number,
): Promise<readonly Fetched[]> {
  return bench.clients.download(worker.url + path, image, clients, true);
}

/** Has an image kept by the edge. @throws WrongBytes */
export async function fillEdge(bench: Bench, edge: Workerd, image: Image): Promise<void> {
  await verify(bench, edge, dataPath(image), image, 1);
  await untilKept(edge, image);
}

/** Has an image stored by the floor of a hit. */
export async function fillObjectFloor({ origin }: Bench, floor: Workerd, image: Image): Promise<void> {
  const from = encodeURIComponent(origin.url + dataPath(image));
  const response = await fetch(`${floor.url}/?from=${from}`, { method: "PUT", headers: { "x-auth-token": TOKEN } });
  if (response.status !== 201) throw new Error(`the floor could not be filled: status ${response.status}`);
}

/** Waits until the edge keeps the image and does nothing any more. */
async function untilKept(edge: Workerd, image: Image): Promise<void> {
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

export function cpuPerGib(run: Run): number {
  return run.cpu / (run.bytes / GIB);
}

/** Megabytes (10^6) per second, all clients together. */
export function megabytesPerSecond(run: Run): number {
  return run.bytes / 1e6 / run.seconds;
}

/** For a person who watches. */
export function show(run: Run): string {
  return `${megabytesPerSecond(run).toFixed(0)} MB/s, ${cpuPerGib(run).toFixed(2)} s/GiB`;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  if (low === undefined || high === undefined) throw new RangeError("a median of nothing");
  return (low + high) / 2;
}
