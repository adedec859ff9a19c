/** Makes an image with generated content and any record that a test wants. */
import { createHash } from "node:crypto";
import { digestOf } from "../content/digests.ts";
import { VirtualContent } from "../content/image-content.ts";
import { seedOf } from "../content/virtual-bytes.ts";
import { type Image, newImage, VISIBILITIES } from "../glance/image.ts";
import { MAX_IMAGE_BYTES } from "../limits.ts";
import { type Fields, onlyFields, optional, readFields, readOneOf, readText, readTexts, readWhole } from "./body.ts";

/** What node:crypto and Glance both call by these names. */
const HASHES = ["sha512", "sha384", "sha256", "sha1"];

/** Statuses of an image that has no data yet, and so no digests. */
const WITHOUT_DATA = ["queued", "saving", "uploading", "importing", "killed"];

/** @param gone fires when nobody wants it any more. @throws HttpError 400 that names the wrong field */
export async function generateImage(id: string, body: Fields, gone: AbortSignal): Promise<Image> {
  onlyFields(body, [
    "size",
    "seed",
    "owner",
    "visibility",
    "status",
    "name",
    "tags",
    "properties",
    "hash",
    "overrides",
  ]);
  const size = readWhole(body.size, "size", 0, MAX_IMAGE_BYTES);
  const seed = readWhole(body.seed ?? seedOf(id), "seed");
  const hash = readText(body.hash ?? "sha512", "hash");
  const overrides = readFields(body.overrides ?? {}, "overrides");
  const fields = {
    ...optional(body, "name", readText),
    ...optional(body, "tags", readTexts),
    visibility: readOneOf(body.visibility ?? "private", "visibility", VISIBILITIES),
    disk_format: "raw",
    container_format: "bare",
  };
  const image = newImage(id, readText(body.owner ?? "demo", "owner"), fields, overrides);
  for (const [key, value] of Object.entries(readFields(body.properties ?? {}, "properties"))) {
    image.properties.set(key, readText(value, `properties.${key}`));
  }
  image.status = readText(body.status ?? "active", "status");
  if (WITHOUT_DATA.includes(image.status)) return image;
  const content = new VirtualContent(seed, size);
  image.content = content;
  if (hash === "none") return image;
  image.checksum = await digestOf(content, "md5", gone);
  if (hash === "md5") return image;
  // A digest by an algorithm that nobody knows can't be computed: any value of the right look does.
  const value = HASHES.includes(hash)
    ? await digestOf(content, hash, gone)
    : createHash("sha512").update(`${hash} ${seed} ${size}`).digest("hex");
  image.hash = { algorithm: hash, value };
  return image;
}
