/**
 * Kept images in R2: one object each, `images/<id>`, which R2 itself digested while it was put. `checksums` proves it on
 * every get, so no other record is needed to serve it. Put, and removed, by the image's Fill alone (docs/architecture.md).
 *
 * Images too large for one put are parts and a manifest in the object's place (./manifest.ts); which of the two it is only
 * the metadata says, never the content: an image may look like a manifest.
 */
import { type Algorithm, type Digest, toDigest } from "../digest/algorithms.ts";
import { toHex } from "../lib/hex.ts";
import { retry } from "../lib/retry.ts";
import { headObject, isR2Error, openObject } from "./bucket.ts";
import { type PartPlan, readManifest, writeManifest } from "./manifest.ts";

const ROOT = "images/";
/** An image that stays behind an answered removal would be a hit again: more tries than other calls have, ms apart. */
const REMOVE_AGAIN_MS = [100, 400, 1_600];

/** A part takes 67 bytes of it: it is read into memory, so that nothing of any size may pass for one. */
const MAX_MANIFEST_BYTES = 8 * 2 ** 20;

/** R2's error for content that is not what the put's digest says. */
const BAD_DIGEST = "(10037)";

/** What is kept of an image, as its object's metadata tell. */
export interface StoredImage {
  readonly imageId: string;
  /** Bytes of the image. */
  readonly size: number;
  /** The attempt whose bytes these are. */
  readonly attempt: string;
  /** What its fill has put it as. */
  readonly digest: Digest;
  /** Lower-case hex, as R2 computed them; of an image in parts, as its fill did. */
  readonly digests: Readonly<Partial<Record<Algorithm, string>>>;
  /** Until then (ms since the epoch) ranges are refused: other data was given out under this id a moment ago. */
  readonly rangesFrom: number;
  readonly kind: "image" | "manifest";
  /** ms since the epoch */
  readonly storedAt: number;
}

export interface OpenImage {
  readonly image: StoredImage;
  readonly body: ReadableStream<Uint8Array>;
}

export type PutAnswer = "created" | "exists" | "wrong-digest";

export interface PutOptions {
  readonly attempt: string;
  readonly digest: Digest;
  readonly rangesFrom: number;
}

/** Whether a kept copy is what a record describes. */
export function isCopyOf(image: StoredImage, digest: Digest, size: number | null): boolean {
  return image.digests[digest.algorithm] === digest.hex && (size === null || size === image.size);
}

/** Whether two looks at an image's key have seen the same. */
export function isSameObject(one: StoredImage | "foreign", other: StoredImage | "foreign"): boolean {
  return one === "foreign" || other === "foreign" ? one === other : one.attempt === other.attempt;
}

export class ObjectStore {
  readonly #bucket: R2Bucket;

  constructor(bucket: R2Bucket) {
    this.#bucket = bucket;
  }

  /**
   * Opens a kept image, or a part of it.
   * @param range null for the whole; of a manifest the whole object comes whatever the range
   * @returns null when nothing is kept, or nothing that a Fill has put, or the range begins behind its end
   * @throws whatever R2 throws twice, DeadlineExceeded
   */
  async open(imageId: string, range: R2Range | null): Promise<OpenImage | null> {
    const object = await openObject(this.#bucket, ROOT + imageId, range);
    if (object === null) {
      // A manifest is some kilobytes: most ranges of its image begin behind its end.
      const manifest = range !== null && (await this.#isManifest(imageId));
      return manifest ? this.open(imageId, null) : null;
    }
    const image = describe(imageId, object);
    if (image === null || (image.kind === "manifest" && range !== null)) {
      await object.body.cancel();
      return image === null ? null : this.open(imageId, null);
    }
    return { image, body: object.body };
  }

  async #isManifest(imageId: string): Promise<boolean> {
    const there = await this.head(imageId);
    return there !== null && there !== "foreign" && there.kind === "manifest";
  }

  /** @returns null when nothing is kept; `"foreign"` when what is there is nothing that a Fill has put. @throws whatever R2 throws twice, DeadlineExceeded */
  async head(imageId: string): Promise<StoredImage | "foreign" | null> {
    const object = await headObject(this.#bucket, ROOT + imageId);
    return object === null ? null : (describe(imageId, object) ?? "foreign");
  }

  /**
   * Keeps an image: R2 digests what it stores and refuses what differs. Never overwrites.
   * @param body of known length
   * @throws whatever R2 throws: whether it was stored is not known then
   */
  async put(imageId: string, body: ReadableStream<Uint8Array>, options: PutOptions): Promise<PutAnswer> {
    const { digest } = options;
    try {
      const object = await this.#bucket.put(ROOT + imageId, body, {
        [digest.algorithm]: digest.hex,
        onlyIf: { etagDoesNotMatch: "*" },
        customMetadata: { kind: "image", ...metadata(options) },
      });
      return object === null ? "exists" : "created";
    } catch (cause) {
      // Who writes it would else wait for ever for somebody to read it.
      await body.cancel(cause).catch(() => undefined);
      if (isR2Error(cause, BAD_DIGEST)) return "wrong-digest";
      throw cause;
    }
  }

  /**
   * Keeps an image in parts, all of which are stored: its manifest is the commit. Never overwrites.
   * @throws whatever R2 throws: whether it was stored is not known then
   */
  async putManifest(imageId: string, size: number, plan: PartPlan, options: PutOptions): Promise<PutAnswer> {
    const object = await this.#bucket.put(ROOT + imageId, writeManifest(plan), {
      onlyIf: { etagDoesNotMatch: "*" },
      customMetadata: { kind: "manifest", size: String(size), ...metadata(options) },
    });
    return object === null ? "exists" : "created";
  }

  /** The parts of an opened manifest. @returns null when it is none. @throws whatever the body throws */
  async readPlan({ image, body }: OpenImage): Promise<PartPlan | null> {
    return readManifest(await new Response(body).text(), image.size);
  }

  /** Safe to call again. @throws whatever R2 throws to the last try */
  async remove(imageId: string): Promise<void> {
    await retry(() => this.#bucket.delete(ROOT + imageId), { delaysMs: REMOVE_AGAIN_MS });
  }

  /**
   * What is kept, in the order of the ids: a page of at most 1,000.
   * @param after an image's id, or "" for the beginning
   * @returns `foreign`: ids of objects that no Fill has put; `next`: where the next page begins, null at the end
   */
  async listAfter(after: string): Promise<{
    readonly images: readonly StoredImage[];
    readonly foreign: readonly string[];
    readonly next: string | null;
  }> {
    const page = await this.#bucket.list({
      prefix: ROOT,
      include: ["customMetadata"],
      ...(after === "" ? {} : { startAfter: ROOT + after }),
    });
    const images: StoredImage[] = [];
    const foreign: string[] = [];
    for (const object of page.objects) {
      const imageId = object.key.slice(ROOT.length);
      const image = describe(imageId, object);
      if (image === null) foreign.push(imageId);
      else images.push(image);
    }
    const last = page.objects.at(-1);
    return { images, foreign, next: page.truncated && last !== undefined ? last.key.slice(ROOT.length) : null };
  }
}

function metadata({ attempt, digest, rangesFrom }: PutOptions): Record<string, string> {
  return { attempt, rangesFrom: String(rangesFrom), algorithm: digest.algorithm, hex: digest.hex };
}

/** @returns null for an object that no Fill has put */
function describe(imageId: string, object: R2Object): StoredImage | null {
  const { kind, attempt, rangesFrom, size, algorithm, hex } = object.customMetadata ?? {};
  if (attempt === undefined || algorithm === undefined || hex === undefined) return null;
  const digest = toDigest(algorithm, hex);
  if (digest === null) return null;
  const common = { imageId, attempt, digest, rangesFrom: Number(rangesFrom ?? 0), storedAt: object.uploaded.getTime() };
  if (kind === "image") {
    const digests = digestsOf(object.checksums);
    // R2 was told no such digest, or another one, when this was put.
    if (digests[digest.algorithm] !== digest.hex) return null;
    return { ...common, kind, size: object.size, digests };
  }
  const bytes = Number(size);
  if (kind !== "manifest" || !Number.isSafeInteger(bytes) || bytes < 1 || object.size > MAX_MANIFEST_BYTES) return null;
  return { ...common, kind, size: bytes, digests: { [digest.algorithm]: digest.hex } };
}

function digestsOf(checksums: R2Checksums): Partial<Record<Algorithm, string>> {
  const digests: Partial<Record<Algorithm, string>> = {};
  for (const algorithm of ["sha512", "sha384", "sha256", "sha1", "md5"] as const) {
    const bytes = checksums[algorithm];
    if (bytes !== undefined) digests[algorithm] = toHex(bytes);
  }
  return digests;
}
