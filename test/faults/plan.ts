/** What one run does, made from its seed alone: images, clients, faults. Pure; a plan is plain JSON and can be run again. */

import { Random } from "../../bench/random.ts";
import { type Fault, KINDS, type KindName, makeFault } from "./faults.ts";

export interface Plan {
  readonly seed: number;
  /** Whether it needs an edge of its own: what happens to all of it would happen to others as well. */
  readonly alone: boolean;
  readonly images: readonly ImagePlan[];
  readonly clients: readonly ClientPlan[];
  readonly faults: readonly Fault[];
}

export interface ImagePlan {
  readonly size: number;
  readonly contentSeed: number;
  readonly hash: "sha512" | "sha256" | "md5";
  /** How fast the origin sends it, bytes per second. */
  readonly rate: number;
  readonly randomAccess: boolean;
  readonly chunked: boolean;
  /** Whether it is kept before anything else happens. */
  readonly kept: boolean;
}

export interface ClientPlan {
  readonly image: number;
  /** ms since the run began. */
  readonly at: number;
  readonly does: Doing;
  /** Whether it comes again where it got no image, and goes on where it was cut. */
  readonly persists: boolean;
}

export type Doing =
  | { readonly what: "whole"; readonly api: "v1" | "v2" }
  /** Leaves once it has so many bytes. */
  | { readonly what: "leave"; readonly after: number }
  /** Takes 16 KiB, and pauses for so long, ms. */
  | { readonly what: "crawl"; readonly ms: number }
  /** `Range: bytes=from-to`; to null: to the end; from null: the last `to` bytes. */
  | { readonly what: "range"; readonly from: number | null; readonly to: number | null }
  | { readonly what: "head" }
  | { readonly what: "only-if-cached" }
  /** By the cache API. */
  | { readonly what: "delete" }
  | { readonly what: "prefetch" };

const KIB = 2 ** 10;
/** Settings of the edge: small slices and parts, so that small images have many. */
export const SLICE_BYTES = 64 * KIB;
export const OBJECT_MAX_BYTES = 192 * KIB;
/** All clients come within so long, ms. */
const ARRIVALS_MS = 1_800;
/** Every so many runs one has an edge of its own. */
const ALONE_EACH = 10;

export function planOf(seed: number): Plan {
  const random = new Random(seed);
  const alone = seed % ALONE_EACH === 0;
  const images = Array.from({ length: alone && random.chance(0.4) ? 2 : 1 }, () => imageOf(random));
  const v1 = random.chance(0.12);
  const clients = Array.from({ length: clientCount(random) }, () => clientOf(random, images, v1));
  const faults = Array.from({ length: faultCount(random) }, () => {
    const image = random.whole(0, images.length - 1);
    const size = images[image]?.size ?? 1;
    return makeFault(random, kindFor(random, alone, size), image, size);
  });
  // Two of a kind would be a third kind: what a call that fails once may do, one that fails twice may not.
  const kinds = faults.filter(
    ({ name, image }, index) => index === faults.findIndex((other) => other.name === name && other.image === image),
  );
  if (alone && !kinds.some(({ name }) => KINDS[name].scope === "edge")) {
    kinds.push(makeFault(random, random.one(namesOf("edge")), 0, images[0]?.size ?? 1));
  }
  return { seed, alone, images, clients, faults: kinds.sort((one, other) => one.at - other.at) };
}

function imageOf(random: Random): ImagePlan {
  const size = Math.max(
    1,
    Math.round(random.chance(0.25) ? 2 ** (random.next() * 16) : random.whole(60 * KIB, 600 * KIB)),
  );
  // Sent within a second, so that faults find it under way.
  const rate = Math.max(300 * KIB, Math.round(size / random.one([0.1, 0.3, 0.6])));
  return {
    size,
    contentSeed: random.whole(1, 2 ** 30),
    hash: random.chance(0.8) ? "sha512" : random.one(["sha256", "md5"]),
    rate,
    randomAccess: random.chance(0.6),
    chunked: random.chance(0.15),
    kept: random.chance(0.2),
  };
}

function clientCount(random: Random): number {
  const kind = random.next();
  if (kind < 0.6) return random.whole(1, 4);
  return kind < 0.92 ? random.whole(4, 8) : random.whole(12, 20);
}

function clientOf(random: Random, images: readonly ImagePlan[], v1: boolean): ClientPlan {
  const image = random.whole(0, images.length - 1);
  const size = images[image]?.size ?? 1;
  return { image, at: random.small(0, ARRIVALS_MS), does: doingOf(random, size, v1), persists: random.chance(0.5) };
}

function doingOf(random: Random, size: number, v1: boolean): Doing {
  const kind = random.next();
  if (kind < 0.45) return { what: "whole", api: "v2" };
  if (kind < 0.5) return { what: "whole", api: v1 ? "v1" : "v2" };
  if (kind < 0.6) return { what: "leave", after: random.whole(0, size) };
  if (kind < 0.68) return { what: "crawl", ms: random.whole(5, 150) };
  if (kind < 0.85) return rangeOf(random, size);
  if (kind < 0.89) return { what: "head" };
  if (kind < 0.93) return { what: "only-if-cached" };
  return kind < 0.97 ? { what: "delete" } : { what: "prefetch" };
}

function rangeOf(random: Random, size: number): Doing {
  const from = random.whole(0, size - 1);
  if (random.chance(0.2)) return { what: "range", from: null, to: random.whole(1, size) };
  return { what: "range", from, to: random.chance(0.5) ? null : random.whole(from, size - 1) };
}

function faultCount(random: Random): number {
  return random.one([0, 1, 1, 1, 1, 2, 2, 2, 3, 4]);
}

function kindFor(random: Random, alone: boolean, size: number): KindName {
  const names = namesOf(alone && random.chance(0.5) ? "edge" : "image");
  return random.one(size > OBJECT_MAX_BYTES ? names : names.filter((name) => !name.startsWith("R2: part")));
}

function namesOf(scope: "image" | "edge"): KindName[] {
  return (Object.keys(KINDS) as KindName[]).filter((name) => KINDS[name].scope === scope);
}
