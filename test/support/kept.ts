/** Images that are in the cache already, put there as their Fill puts them: for tests that are about something else. */
import { strongestDigest } from "../../src/digest/algorithms.ts";
import { Catalog } from "../../src/store/catalog.ts";
import { ObjectStore } from "../../src/store/objects.ts";
import { bindings } from "./env.ts";
import { createImage, type Image, type ImageOptions, trueBytes } from "./scenario.ts";

export interface KeptOptions extends ImageOptions {
  /** ms since the epoch; 0 by default. */
  readonly rangesFrom?: number;
}

/** A new image at the origin that the edge keeps. It is not in use. */
export async function keptImage({ rangesFrom = 0, ...options }: KeptOptions): Promise<Image> {
  const image = await createImage(options);
  await keep(image, await trueBytes(image.id), rangesFrom);
  return image;
}

/** Keeps these bytes as the image's. */
async function keep(image: Image, bytes: Uint8Array, rangesFrom = 0): Promise<void> {
  const { id: imageId, size, os_hash_algo: algorithm, os_hash_value: value, checksum } = image;
  const hash = algorithm === null || value === null ? null : { algorithm, value };
  const digest = strongestDigest({ hash, checksum });
  const body = new Response(bytes).body;
  if (digest === null || body === null) throw new Error(`nothing to keep of ${imageId}`);
  const attempt = crypto.randomUUID();
  const put = await new ObjectStore(bindings.BUCKET).put(imageId, body, { attempt, digest, rangesFrom });
  if (put !== "created") throw new Error(`${imageId} was not kept: ${put}`);
  await new Catalog(bindings.CATALOG).keep({ imageId, attempt, size }, Date.now());
  await bindings.CATALOG.prepare("UPDATE images SET in_use_until = 0 WHERE image_id = ?").bind(imageId).run();
}

/** The keys of all that R2 has of an image. */
export async function keysOf({ id }: Image): Promise<string[]> {
  const pages = await Promise.all(
    ["images/", "fills/", "parts/"].map((root) => bindings.BUCKET.list({ prefix: root + id })),
  );
  return pages.flatMap(({ objects }) => objects.map(({ key }) => key));
}
