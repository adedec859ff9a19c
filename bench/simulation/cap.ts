/** Many images under one cap: which are kept, by the real choice of what goes, and how often the origin is asked again. */
import { type Candidate, leastRecentlyUsed, roomFor } from "../../src/store/least-recently-used.ts";
import { Random } from "../random.ts";

export interface Cap {
  readonly seed: number;
  readonly images: number;
  /** Bytes of the smallest and the largest; sizes in between are as likely by their logarithm. */
  readonly least: number;
  readonly most: number;
  /** The cap, as a share of all images' bytes. */
  readonly share: number;
  readonly downloads: number;
  /** Between two downloads, ms. */
  readonly everyMs: number;
  readonly originBits: number;
}

export interface CapFigures {
  /** Shares of the downloads. */
  readonly hits: number;
  readonly noRoom: number;
  readonly evictions: number;
  /** Bytes from the origin over bytes to clients. */
  readonly fromOrigin: number;
}

interface KeptImage extends Candidate {
  readonly lastAccessed: number;
}

export function serveUnderCap(cap: Cap): CapFigures {
  const random = new Random(cap.seed);
  const sizes = Array.from({ length: cap.images }, () =>
    Math.round(cap.least * (cap.most / cap.least) ** random.next()),
  );
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const room = cap.share * all;
  const popular = popularity(cap.images);
  const kept = new Map<string, KeptImage>();
  /** Room that fills have, until when. */
  let filling: { readonly bytes: number; readonly until: number }[] = [];
  let [hits, noRoom, evictions, origin, sent] = [0, 0, 0, 0, 0];
  for (let n = 0; n < cap.downloads; n++) {
    const now = n * cap.everyMs;
    const image = choose(popular, random.next());
    const size = sizes[image] ?? 0;
    const imageId = String(image);
    sent += size;
    filling = filling.filter(({ until }) => until > now);
    const there = kept.get(imageId);
    if (there !== undefined) {
      hits++;
      kept.set(imageId, { ...there, lastAccessed: now });
      continue;
    }
    origin += size;
    const taken = filling.reduce((sum, { bytes }) => sum + bytes, 0);
    const used = [...kept.values()].reduce((sum, one) => sum + one.size, 0);
    const wanted = used + taken + roomFor(size) - room;
    const choice = leastRecentlyUsed([...kept.values()], wanted, now);
    if (choice.bytes < wanted) {
      noRoom++;
      continue;
    }
    for (const gone of choice.images) kept.delete(gone.imageId);
    evictions += choice.images.length;
    const until = now + (size * 8_000) / cap.originBits;
    filling.push({ bytes: roomFor(size) - size, until });
    kept.set(imageId, { imageId, size, lastAccessed: now, inUseUntil: until, pinned: false });
  }
  return { hits: hits / cap.downloads, noRoom: noRoom / cap.downloads, evictions, fromOrigin: origin / sent };
}

/** Zipf's law: the n-th image is asked for 1/n times as often as the first. Shares, added up. */
function popularity(images: number): number[] {
  const weights = Array.from({ length: images }, (_, n) => 1 / (n + 1));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  let upTo = 0;
  return weights.map((weight) => (upTo += weight / all));
}

function choose(upTo: readonly number[], value: number): number {
  const found = upTo.findIndex((share) => value < share);
  return found === -1 ? upTo.length - 1 : found;
}
