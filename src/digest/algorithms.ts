/** The digests that can be computed here, and which of a record's counts. Pure. */

/** What `crypto.DigestStream` and R2's put both know, strongest first, with the length of the hex form. */
const ALGORITHMS = { sha512: 128, sha384: 96, sha256: 64, sha1: 40, md5: 32 } as const;

export type Algorithm = keyof typeof ALGORITHMS;

export interface Digest {
  readonly algorithm: Algorithm;
  /** Lower-case hex. */
  readonly hex: string;
}

/** The name that `crypto.DigestStream` knows an algorithm by. */
export const WEB_CRYPTO_NAME: Readonly<Record<Algorithm, string>> = {
  sha512: "SHA-512",
  sha384: "SHA-384",
  sha256: "SHA-256",
  sha1: "SHA-1",
  md5: "MD5",
};

/** What a record says of its image's content; null where it does not. */
export interface StatedDigests {
  readonly hash: { readonly algorithm: string; readonly value: string } | null;
  /** MD5, hex. */
  readonly checksum: string | null;
}

/** The strongest digest of a record that can be computed here, or null when there is none. */
export function strongestDigest(record: StatedDigests): Digest | null {
  const stated = record.hash === null ? null : toDigest(record.hash.algorithm, record.hash.value);
  const legacy = record.checksum === null ? null : toDigest("md5", record.checksum);
  return stated ?? legacy;
}

/** @returns null for an algorithm that is not known here, or a value that is none of it */
export function toDigest(algorithm: string, value: string): Digest | null {
  const name = algorithm.toLowerCase();
  if (!isAlgorithm(name)) return null;
  const hex = value.toLowerCase();
  return hex.length === ALGORITHMS[name] && /^[0-9a-f]+$/.test(hex) ? { algorithm: name, hex } : null;
}

function isAlgorithm(name: string): name is Algorithm {
  return Object.hasOwn(ALGORITHMS, name);
}
