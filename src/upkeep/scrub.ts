/**
 * Reads stored blobs again and digests them, the longest unverified first, so that what has rotted at rest is found before
 * a client asks for it. (A slice that was replaced or shortened each hit notices by itself: its etag is another.)
 */
import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";
import { type Verdict, verifySlices } from "../fill/verify.ts";
import { blobDigest } from "../store/blob.ts";
import type { StoredBlob } from "../store/catalog.ts";
import { removeCondemned } from "../store/store.ts";

/** Blobs that are looked at in one run: a large one's row has some 100 KB of etags. */
const BLOBS = 200;

export interface Scrubbed {
  readonly verified: number;
  readonly bad: number;
  /** Bytes that were read. */
  readonly bytes: number;
}

type ScrubTools = Pick<Edge, "catalog" | "generations" | "slices" | "fills" | "settings" | "now" | "log">;

/**
 * @param deadline ms since the epoch: a blob that is not done by then is begun again next time
 * @throws whatever D1 throws
 */
export async function scrub(edge: ScrubTools, deadline: number): Promise<Scrubbed> {
  const { catalog, settings, log, now } = edge;
  let verified = 0;
  let bad = 0;
  let bytes = 0;
  if (settings.scrubBytes === 0) return { verified, bad, bytes };
  for (const blob of await catalog.leastVerified(BLOBS)) {
    // A digest can't be carried to another run, so a blob that alone exceeds the budget has a run of its own.
    if (now() >= deadline || (bytes > 0 && bytes + blob.size > settings.scrubBytes)) break;
    bytes += blob.size;
    let verdict: Verdict;
    try {
      verdict = await verify(edge, blob, deadline);
    } catch (cause) {
      // A store that does not answer says nothing of what it holds.
      log.error("scrub.unreadable", cause, { blob: blob.blob, generation: blob.generation });
      continue;
    }
    if (verdict === "agrees") {
      await catalog.verified(blob.generation, now());
      verified++;
    } else if (verdict !== "gave-up" && (await discard(edge, blob, verdict))) {
      bad++;
    }
  }
  return { verified, bad, bytes };
}

function verify({ slices, now }: ScrubTools, blob: StoredBlob, deadline: number): Promise<Verdict> {
  return verifySlices({
    blob: blob.blob,
    digest: blobDigest(blob.blob),
    generation: blob.generation,
    plan: blob,
    slices,
    etagOf: async (slice) => (now() >= deadline ? null : (blob.etags[slice] ?? "")),
    progressed: () => undefined,
  });
}

/** @returns false when the blob was taken out meanwhile, which explains what was missing */
async function discard(edge: ScrubTools, { blob, generation }: StoredBlob, verdict: Verdict): Promise<boolean> {
  const { catalog, fills, log, now } = edge;
  const { images, orphans } = await catalog.evictBlobs([generation], "none", now());
  if (orphans.length === 0) return false;
  for (const imageId of images) {
    log.error("scrub.bad-blob", new Error(`a stored copy is not the image any more: ${verdict}`), {
      image_id: imageId,
      blob,
      generation,
    });
    // A fill that was committed a moment ago would go on giving it out.
    await new FillClient(fills, imageId, log).stop();
  }
  await removeCondemned(edge, orphans);
  return true;
}
