/**
 * Reads kept images again and digests them, the longest untried first, so that what has rotted at rest is found before a
 * client asks for it.
 */

import type { Algorithm } from "../digest/algorithms.ts";
import { Digester } from "../digest/digester.ts";
import type { Edge } from "../edge.ts";
import { FillClient } from "../fill/client.ts";
import { type PartPlan, piecesOf } from "../store/manifest.ts";
import type { StoredImage } from "../store/objects.ts";
import type { PartStore } from "../store/parts.ts";

/** Images that are looked at in one run. */
const IMAGES = 200;
const STRONGEST_FIRST = ["sha512", "sha384", "sha256", "sha1", "md5"] as const;

export interface Scrubbed {
  readonly verified: number;
  readonly bad: number;
  /** Bytes of the images that were tried. */
  readonly bytes: number;
}

type ScrubTools = Pick<Edge, "catalog" | "objects" | "parts" | "fills" | "settings" | "now" | "log">;

/**
 * @param deadline ms since the epoch: nothing new is begun after it
 * @throws whatever D1 throws
 */
export async function scrub(edge: ScrubTools, deadline: number): Promise<Scrubbed> {
  const { catalog, settings, log, now } = edge;
  let verified = 0;
  let bad = 0;
  let bytes = 0;
  if (settings.scrubBytes === 0) return { verified, bad, bytes };
  for (const { imageId, attempt, size } of await catalog.leastScrubbed(IMAGES)) {
    // A digest can't be carried to another run, so an image that exceeds the byte budget alone has a run of its own.
    if (now() >= deadline || (bytes > 0 && bytes + size > settings.scrubBytes)) break;
    await catalog.scrubbing(imageId, now());
    bytes += size;
    try {
      const verdict = await verify(edge, imageId);
      if (verdict === "agrees") {
        await catalog.verified(imageId, attempt, now());
        verified++;
      } else if (verdict === "disagrees") {
        bad++;
        const cause = new Error("a kept copy is not the image any more");
        log.error("scrub.bad-image", cause, { image_id: imageId, attempt });
        await new FillClient(edge.fills, imageId, log).remove("always");
      }
    } catch (cause) {
      // A store that does not answer says nothing of what it holds.
      log.error("scrub.unreadable", cause, { image_id: imageId, attempt });
    }
  }
  return { verified, bad, bytes };
}

/** @throws whatever R2 throws */
async function verify({ objects, parts }: ScrubTools, imageId: string): Promise<"agrees" | "disagrees" | "gone"> {
  const open = await objects.open(imageId, null);
  if (open === null) return "gone";
  const { image } = open;
  if (image.kind === "manifest") {
    const plan = await objects.readPlan(open);
    return plan === null ? "disagrees" : verifyParts(parts, image, plan);
  }
  const algorithm = strongestOf(image);
  if (algorithm === null) {
    await open.body.cancel();
    return "disagrees";
  }
  const digester = new Digester(algorithm);
  await digester.absorb(open.body);
  return (await digester.finish()) === image.digests[algorithm] ? "agrees" : "disagrees";
}

/** Each part against its SHA-256, which was taken of what the digest gate had let through. */
async function verifyParts(parts: PartStore, image: StoredImage, plan: PartPlan): Promise<"agrees" | "disagrees"> {
  for (const piece of piecesOf(plan, image.size, 0, image.size)) {
    const body = await parts.open(image, piece);
    if (body === null) return "disagrees";
    const digester = new Digester("sha256");
    await digester.absorb(body);
    if ((await digester.finish()) !== piece.sum) return "disagrees";
  }
  return "agrees";
}

function strongestOf({ digests }: StoredImage): Algorithm | null {
  return STRONGEST_FIRST.find((algorithm) => digests[algorithm] !== undefined) ?? null;
}
