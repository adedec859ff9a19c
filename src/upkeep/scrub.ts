/**
 * Reads kept images again and digests them, the longest untried first, so that what has rotted at rest is found before a
 * client asks for it.
 */

import type { Edge } from "../context.ts";
import { Digester } from "../digest/digester.ts";
import { FillClient } from "../fill/client.ts";
import { type PartPlan, piecesOf } from "../store/manifest.ts";
import type { OpenImage, StoredImage } from "../store/objects.ts";
import type { PartStore } from "../store/parts.ts";

/** Images that are looked at in one run. */
const IMAGES = 200;

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
        // Clients may be reading the fill that brings it anew.
        await new FillClient(edge.fills, imageId, log).remove("unless-read");
      }
    } catch (cause) {
      // A store that does not answer says nothing of what it holds.
      log.error("scrub.unreadable", cause, { image_id: imageId, attempt });
    }
  }
  return { verified, bad, bytes };
}

/** @returns "gone" when it is not there, or is another attempt's by now @throws whatever R2 throws */
async function verify({ objects, parts }: ScrubTools, imageId: string): Promise<"agrees" | "disagrees" | "gone"> {
  const open = await objects.open(imageId, null);
  const agrees = open !== null && (await isWhole({ objects, parts }, open));
  if (agrees) return "agrees";
  const now = await objects.head(imageId);
  if (now === "foreign") return "disagrees";
  return now !== null && now.attempt === open?.image.attempt ? "disagrees" : "gone";
}

async function isWhole({ objects, parts }: Pick<Edge, "objects" | "parts">, open: OpenImage): Promise<boolean> {
  const { image, body } = open;
  if (image.kind === "manifest") {
    const plan = await objects.readPlan(open);
    return plan !== null && arePartsWhole(parts, image, plan);
  }
  const digester = new Digester(image.digest.algorithm);
  await digester.absorb(body);
  return (await digester.finish()) === image.digest.hex;
}

/** Each part against its SHA-256, which was taken of what the digest gate had let through. */
async function arePartsWhole(parts: PartStore, image: StoredImage, plan: PartPlan): Promise<boolean> {
  for (const piece of piecesOf(plan, image.size, 0, image.size)) {
    const body = await parts.open(image, piece);
    if (body === null) return false;
    const digester = new Digester("sha256");
    await digester.absorb(body);
    if ((await digester.finish()) !== piece.sum) return false;
  }
  return true;
}
