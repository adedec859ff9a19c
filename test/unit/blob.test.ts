import { describe, expect, it } from "vitest";
import { type Algorithm, blobName, strongestDigest, WEB_CRYPTO_NAME } from "../../src/store/blob.ts";

const LENGTHS: [Algorithm, number][] = [
  ["sha512", 128],
  ["sha384", 96],
  ["sha256", 64],
  ["sha1", 40],
  ["md5", 32],
];
const MD5 = "d".repeat(32);
const stated = (algorithm: string, value: string, checksum: string | null = null) =>
  strongestDigest({ hash: { algorithm, value }, checksum });

describe("the digest that speaks for an image", () => {
  it.each(LENGTHS)("is its %s of %i hex digits", (algorithm, length) => {
    const hex = "a".repeat(length);
    expect(stated(algorithm, hex, MD5)).toEqual({ algorithm, hex });
  });

  it("is known in any case and kept in lower case", () => {
    expect(stated("SHA256", "AB".repeat(32))).toEqual({ algorithm: "sha256", hex: "ab".repeat(32) });
  });

  it("is the checksum when the record states no other", () => {
    expect(strongestDigest({ hash: null, checksum: "D".repeat(32) })).toEqual({ algorithm: "md5", hex: MD5 });
  });

  it.each([
    ["blake2b", "a".repeat(128)],
    ["sha3_512", "a".repeat(128)],
    ["toString", "a".repeat(32)],
    ["__proto__", "a".repeat(32)],
    ["sha512", "a".repeat(127)],
    ["sha512", "a".repeat(64)],
    ["sha256", "g".repeat(64)],
    ["sha256", `${"a".repeat(63)} `],
    ["sha256", ""],
    ["", "a".repeat(64)],
  ])("is the checksum when the other one is %s %s", (algorithm, value) => {
    expect(stated(algorithm, value, MD5)).toEqual({ algorithm: "md5", hex: MD5 });
    expect(stated(algorithm, value)).toBeNull();
  });

  it.each([null, "", "d".repeat(31), "x".repeat(32), "../../../../../../../etc/passwd1"])(
    "is none when the only one is the checksum %j",
    (checksum) => {
      expect(strongestDigest({ hash: null, checksum })).toBeNull();
    },
  );

  it("can be computed by the platform, whichever it is", async () => {
    for (const [algorithm, length] of LENGTHS) {
      const stream = new crypto.DigestStream(WEB_CRYPTO_NAME[algorithm]);
      await stream.getWriter().close();
      expect((await stream.digest).byteLength * 2).toBe(length);
    }
  });
});

describe("a blob's name", () => {
  it.each(["sha512", "sha384", "sha256"] as const)(
    "is the %s alone, the same for all images that have it",
    (algorithm) => {
      expect(blobName("image-a", { algorithm, hex: "ab" })).toBe(`${algorithm}-ab`);
    },
  );

  it.each(["md5", "sha1"] as const)("has the image's id when it is an %s, which can be forged", (algorithm) => {
    expect(blobName("image-a", { algorithm, hex: "ab" })).toBe(`${algorithm}-ab-image-a`);
  });
});
