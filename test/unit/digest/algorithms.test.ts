/** Which of a record's digests counts. */
import { describe, expect, it } from "vitest";
import { strongestDigest, toDigest } from "../../../src/digest/algorithms.ts";

const MD5 = "c".repeat(32);

describe("the digest of a record", () => {
  it.each([
    ["sha512", 128],
    ["sha384", 96],
    ["sha256", 64],
    ["sha1", 40],
    ["md5", 32],
  ] as const)("is its %s, in lower case", (algorithm, length) => {
    const value = "AB".repeat(length / 2);
    const digest = { algorithm, hex: value.toLowerCase() };
    expect(strongestDigest({ hash: { algorithm: algorithm.toUpperCase(), value }, checksum: MD5 })).toEqual(digest);
  });

  it.each<[string, { algorithm: string; value: string } | null]>([
    ["there is no other", null],
    ["the other is of an algorithm that is not known here", { algorithm: "blake3", value: "a".repeat(64) }],
    ["the other is too short", { algorithm: "sha512", value: "a".repeat(127) }],
    ["the other is no hex", { algorithm: "sha512", value: "x".repeat(128) }],
    ["the other is of a name that every object has", { algorithm: "toString", value: "a" }],
  ])("is its MD5 where %s", (_, hash) => {
    expect(strongestDigest({ hash, checksum: MD5 })).toEqual({ algorithm: "md5", hex: MD5 });
  });

  it("is none where nothing can be checked", () => {
    expect(strongestDigest({ hash: null, checksum: null })).toBeNull();
    expect(strongestDigest({ hash: { algorithm: "sha512", value: "" }, checksum: "none" })).toBeNull();
    expect(toDigest("constructor", "")).toBeNull();
  });
});
