/**
 * What a stored content is called, and which digest speaks for it. A blob is named by the strongest digest that the
 * origin's record states and that the platform can compute natively.
 */
import type { ImageRecord } from "../origin/record.ts";

/** Digests that `crypto.DigestStream` computes, strongest first, with the length of their hex form. */
const ALGORITHMS = { sha512: 128, sha384: 96, sha256: 64, sha1: 40, md5: 32 } as const;

export type Algorithm = keyof typeof ALGORITHMS;

export interface Digest {
  readonly algorithm: Algorithm;
  /** Lower-case hex. */
  readonly hex: string;
}

/** The name that `crypto.DigestStream` and R2 know an algorithm by. */
export const WEB_CRYPTO_NAME: Record<Algorithm, string> = {
  sha512: "SHA-512",
  sha384: "SHA-384",
  sha256: "SHA-256",
  sha1: "SHA-1",
  md5: "MD5",
};

/** The strongest digest of the record that can be computed here, or null when there is none. */
export function strongestDigest(record: Pick<ImageRecord, "hash" | "checksum">): Digest | null {
  const stated = record.hash === null ? null : toDigest(record.hash.algorithm, record.hash.value);
  const legacy = record.checksum === null ? null : toDigest("md5", record.checksum);
  return stated ?? legacy;
}

function toDigest(algorithm: string, value: string): Digest | null {
  const name = algorithm.toLowerCase();
  if (!isAlgorithm(name)) return null;
  const hex = value.toLowerCase();
  return hex.length === ALGORITHMS[name] && /^[0-9a-f]+$/.test(hex) ? { algorithm: name, hex } : null;
}

function isAlgorithm(name: string): name is Algorithm {
  return Object.hasOwn(ALGORITHMS, name);
}

/**
 * The blob's name in the catalog and in R2 keys. Collisions of MD5 and SHA-1 can be made, so such content is never
 * shared between images: its name carries the image's id.
 */
export function blobName(imageId: string, digest: Digest): string {
  const name = `${digest.algorithm}-${digest.hex}`;
  return digest.algorithm === "md5" || digest.algorithm === "sha1" ? `${name}-${imageId}` : name;
}

/** The digest that a blob's name states. @throws Error when it is no name of a blob */
export function blobDigest(blob: string): Digest {
  const [algorithm = "", hex = ""] = blob.split("-", 2);
  const digest = toDigest(algorithm, hex);
  if (digest === null) throw new Error(`not a blob's name: ${blob}`);
  return digest;
}
