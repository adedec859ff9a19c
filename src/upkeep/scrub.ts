/**
 * Reads stored blobs again and digests them, the longest untried first, so that what has rotted at rest is found before
 * a client asks for it. (A slice that was replaced or shortened each hit notices by itself: its etag is another.)
 */
import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";
import { type Verdict, verifySlices } from "../fill/verify.ts";
import { blobDigest } from "../store/blob.ts";
import { FRESH_MS, type StoredBlob } from "../store/catalog.ts";
import { removeCondemned } from "../store/store.ts";

/** Blobs that are looked at in one run. */
const BLOBS = 200;
/** Images that were committed a moment ago, more than there ever are; and how many of their Fills are told at a time. */
const FRESH = 1_000;
const AT_ONCE = 20;
/** A hit that mends a slice removes it before it stores the true one; that takes well below this, ms. */
const MENDING_MS = 3_000;

export interface Scrubbed {
  readonly verified: number;
  readonly bad: number;
  /** Bytes of the blobs that were tried. */
  readonly bytes: number;
}

type ScrubTools = Pick<Edge, "catalog" | "rounds" | "generations" | "slices" | "fills" | "settings" | "now" | "log">;

/**
 * @param deadline ms since the epoch: a blob that is not done by then is begun again when its turn comes
 * @throws whatever D1 throws
 */
export async function scrub(edge: ScrubTools, deadline: number): Promise<Scrubbed> {
  const { rounds, settings, log, now } = edge;
  let verified = 0;
  let bad = 0;
  let bytes = 0;
  if (settings.scrubBytes === 0) return { verified, bad, bytes };
  for (const { generation, size } of await rounds.leastScrubbed(BLOBS)) {
    // A digest can't be carried to another run, so a blob that alone exceeds the budget has a run of its own.
    if (now() >= deadline || (bytes > 0 && bytes + size > settings.scrubBytes)) break;
    const blob = await rounds.scrubbing(generation, now());
    if (blob === null) continue;
    bytes += size;
    try {
      const verdict = await verify(edge, blob, deadline);
      if (verdict === "agrees") {
        await rounds.verified(generation, now());
        verified++;
      } else if (verdict !== "gave-up" && (await discard(edge, blob, verdict))) {
        bad++;
      }
    } catch (cause) {
      // A store that does not answer says nothing of what it holds.
      log.error("scrub.unreadable", cause, { blob: blob.blob, generation });
    }
  }
  return { verified, bad, bytes };
}

async function verify({ slices, now }: ScrubTools, blob: StoredBlob, deadline: number): Promise<Verdict> {
  const job = {
    blob: blob.blob,
    digest: blobDigest(blob.blob),
    generation: blob.generation,
    plan: blob,
    slices,
    etagOf: async (slice: number) => (now() >= deadline ? null : (blob.etags[slice] ?? "")),
    progressed: () => undefined,
  };
  const verdict = await verifySlices(job);
  if (verdict !== "slice-missing") return verdict;
  await scheduler.wait(MENDING_MS);
  return verifySlices(job);
}

/** @returns false when the blob was taken out meanwhile, which explains what was missing */
async function discard(edge: ScrubTools, { blob, generation }: StoredBlob, verdict: Verdict): Promise<boolean> {
  const { catalog, fills, log, now } = edge;
  const fresh = new Set(await catalog.committedAfter(now() - FRESH_MS, FRESH));
  const { images, orphans } = await catalog.evictBlobs([generation], "none", now());
  if (orphans.length === 0) return false;
  for (const imageId of images) {
    log.error("scrub.bad-blob", new Error(`a stored copy is not the image any more: ${verdict}`), {
      image_id: imageId,
      blob,
      generation,
    });
  }
  // A fill that was committed a moment ago would go on giving it out. Any number of images may have this content.
  const giving = images.filter((imageId) => fresh.has(imageId));
  for (let at = 0; at < giving.length; at += AT_ONCE) {
    await Promise.all(giving.slice(at, at + AT_ONCE).map((imageId) => new FillClient(fills, imageId, log).stop()));
  }
  await removeCondemned(edge, orphans);
  return true;
}
