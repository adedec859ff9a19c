/** What is to become of a queued image. */
import { describe, expect, it } from "vitest";
import { judge } from "../../../src/fill/object/judge.ts";
import type { RecordAnswer } from "../../../src/glance/ask-record.ts";
import type { ImageRecord } from "../../../src/glance/record.ts";
import type { StoredImage } from "../../../src/store/objects.ts";

const ID = "0d2a3c9e-7a52-4b40-9f7e-5d1e6f5f2f10";
const SHA512 = "a".repeat(128);
const MD5 = "c".repeat(32);
const LIMITS = { imageMaxBytes: 1_000, cacheMaxBytes: 500 };

/** All that the judge looks at, by the two bounds. */
const settingsOf = (limits: typeof LIMITS) => ({
  ...limits,
  ownerMaxBytes: limits.cacheMaxBytes,
  cacheImages: null,
  pinImages: [],
  prefetchImages: [],
});
const found = (change: Partial<ImageRecord> = {}): RecordAnswer => ({
  kind: "found",
  record: {
    status: "active",
    size: 100,
    checksum: MD5,
    hash: { algorithm: "sha512", value: SHA512 },
    owner: "demo",
    traits: { owner: "demo", visibility: "private", tags: [], properties: {} },
    name: "Debian 13",
    ...change,
  },
  headers: new Headers(),
});
const kept = (change: Partial<StoredImage> = {}): StoredImage => ({
  imageId: ID,
  size: 100,
  attempt: "kept",
  digest: { algorithm: "sha512", hex: SHA512 },
  digests: { sha512: SHA512, md5: MD5 },
  rangesFrom: 0,
  kind: "image",
  storedAt: 0,
  ...change,
});
const verdict = (answer: RecordAnswer, copy: StoredImage | null = null, seesAll = true, limits = LIMITS) =>
  judge(ID, answer, copy, { seesAll, byPolicy: false }, settingsOf(limits));

describe("a queued image", () => {
  it("that is active is filled", () => {
    expect(verdict(found())).toEqual({
      do: "fill",
      subject: {
        imageId: ID,
        name: "Debian 13",
        digest: { algorithm: "sha512", hex: SHA512 },
        checksum: MD5,
        size: 100,
        owner: "demo",
        pinned: false,
      },
    });
  });

  it("whose record has no digest but the MD5 is filled by that", () => {
    expect(verdict(found({ hash: null }))).toMatchObject({
      do: "fill",
      subject: { digest: { algorithm: "md5", hex: MD5 } },
    });
  });

  it.each<[string, Partial<ImageRecord>]>([
    ["by its strongest digest", {}],
    ["by its MD5, where the record states nothing else", { hash: null }],
    ["though the record states no size", { size: null }],
  ])("that is kept already needs nothing: %s", (_, change) => {
    expect(verdict(found(change), kept())).toEqual({ do: "done" });
  });

  it.each<[string, Partial<StoredImage>]>([
    ["of another content", { digests: { sha512: "b".repeat(128), md5: MD5 } }],
    ["without the digest of the record", { digests: { md5: MD5 } }],
    ["of another size", { size: 99 }],
  ])("whose kept copy is %s is filled anew", (_, change) => {
    expect(verdict(found(), kept(change))).toMatchObject({ do: "fill" });
  });

  it.each(["deleted", "pending_delete"])("whose status is %s is gone", (status) => {
    expect(verdict(found({ status }))).toEqual({ do: "gone" });
    expect(verdict(found({ status }), kept(), false)).toEqual({ do: "gone" });
  });

  it.each(["queued", "saving", "uploading", "importing", "deactivated", "killed"])(
    "whose status is %s waits",
    (status) => {
      expect(verdict(found({ status }))).toEqual({ do: "wait", reason: `the image's status is ${status}` });
      // Before its size or digest is known.
      expect(verdict(found({ status, size: null, hash: null, checksum: null }))).toMatchObject({ do: "wait" });
    },
  );

  it.each<[string, Partial<ImageRecord>]>([
    ["no digest at all", { hash: null, checksum: null }],
    ["a digest that nobody can compute", { hash: { algorithm: "blake3", value: "a" }, checksum: null }],
  ])("whose record states %s waits: the origin may still be computing one", (_, change) => {
    expect(verdict(found(change))).toEqual({ do: "wait", reason: expect.stringContaining("digest") });
  });

  it("that the origin does not have is gone if the asker would see it", () => {
    expect(verdict({ kind: "not-found" }, null, true)).toEqual({ do: "gone" });
  });

  it("that an asker does not find who can't see all images has failed, and says why", () => {
    expect(verdict({ kind: "not-found" }, null, false)).toEqual({
      do: "fail",
      reason: "the service account can't see the image, or it is gone",
    });
  });

  it.each([401, 403, 500, 503])("that the origin refuses to show with %i has failed", (status) => {
    expect(verdict({ kind: "refused", status })).toEqual({
      do: "fail",
      reason: `the origin refused the image's record with status ${status}`,
    });
  });
});

describe("an image that can't be kept has failed, and says why:", () => {
  it.each<[string, Partial<ImageRecord>, string]>([
    ["without a size", { size: null }, "size"],
    ["larger than the largest image", { size: 1_001 }, "IMAGE_MAX_BYTES"],
    ["larger than half of the room", { size: 251 }, "half of CACHE_MAX_BYTES"],
  ])("%s", (_, change, word) => {
    expect(verdict(found(change))).toEqual({ do: "fail", reason: expect.stringContaining(word) });
  });

  it("but one of just these sizes is filled", () => {
    expect(verdict(found({ size: 250 }))).toMatchObject({ do: "fill" });
    const limits = { imageMaxBytes: 1_000, cacheMaxBytes: 2_000 };
    expect(verdict(found({ size: 1_000 }), null, true, limits)).toMatchObject({ do: "fill" });
  });

  it("with a cap of 0 every one", () => {
    const limits = { imageMaxBytes: 1_000, cacheMaxBytes: 0 };
    expect(verdict(found({ size: 1 }), null, true, limits)).toMatchObject({ do: "fail" });
  });
});
