/** What is to become of a queued image. */
import { describe, expect, it } from "vitest";
import { judge } from "../../src/fill/prefetch.ts";
import type { RecordAnswer } from "../../src/origin/authorize.ts";
import type { ImageRecord } from "../../src/origin/record.ts";
import type { StoredImage } from "../../src/store/catalog.ts";

const ID = "0d2a3c9e-7a52-4b40-9f7e-5d1e6f5f2f10";
const SHA512 = "a".repeat(128);
const MD5 = "c".repeat(32);
const LIMITS = { imageMaxBytes: 1_000, cacheMaxBytes: 500 };

const found = (change: Partial<ImageRecord> = {}): RecordAnswer => ({
  kind: "found",
  record: {
    status: "active",
    size: 100,
    checksum: MD5,
    hash: { algorithm: "sha512", value: SHA512 },
    owner: "demo",
    ...change,
  },
  v1Headers: null,
});
const stored = (blob: string): StoredImage => ({
  imageId: ID,
  blob,
  checksum: MD5,
  generation: "g",
  size: 100,
  sliceBytes: 16,
  etags: ["e"],
});
const verdict = (answer: RecordAnswer, copy: StoredImage | null = null, seesAll = true, limits = LIMITS) =>
  judge(ID, answer, copy, seesAll, limits);

describe("a queued image", () => {
  it("that is active is filled", () => {
    expect(verdict(found())).toEqual({
      do: "fill",
      subject: {
        imageId: ID,
        blob: `sha512-${SHA512}`,
        digest: { algorithm: "sha512", hex: SHA512 },
        checksum: MD5,
        size: 100,
      },
    });
  });

  it("whose record has no digest but the MD5 is filled under its own name", () => {
    expect(verdict(found({ hash: null }))).toMatchObject({ do: "fill", subject: { blob: `md5-${MD5}-${ID}` } });
  });

  it("that is stored already needs nothing", () => {
    expect(verdict(found(), stored(`sha512-${SHA512}`))).toEqual({ do: "done" });
  });

  it("whose stored copy is of another content is filled anew", () => {
    expect(verdict(found(), stored(`sha512-${"b".repeat(128)}`))).toMatchObject({ do: "fill" });
  });

  it.each(["deleted", "pending_delete"])("whose status is %s is gone", (status) => {
    expect(verdict(found({ status }))).toEqual({ do: "gone" });
    expect(verdict(found({ status }), stored(`sha512-${SHA512}`), false)).toEqual({ do: "gone" });
  });

  it.each(["queued", "saving", "uploading", "importing", "deactivated", "killed"])(
    "whose status is %s waits",
    (status) => {
      expect(verdict(found({ status }))).toEqual({ do: "wait", reason: `the image's status is ${status}` });
      // Before its size or digest is known.
      expect(verdict(found({ status, size: null, hash: null, checksum: null }))).toMatchObject({ do: "wait" });
    },
  );

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

describe("an image that can't be stored has failed, and says why:", () => {
  it.each<[string, Partial<ImageRecord>, string]>([
    ["without a digest", { hash: null, checksum: null }, "digest"],
    ["with a digest that nobody can compute", { hash: { algorithm: "blake3", value: "a" }, checksum: null }, "digest"],
    ["without a size", { size: null }, "size"],
    ["larger than the largest image", { size: 1_001 }, "IMAGE_MAX_BYTES"],
    ["larger than all the room", { size: 501 }, "CACHE_MAX_BYTES"],
  ])("%s", (_, change, word) => {
    expect(verdict(found(change))).toEqual({ do: "fail", reason: expect.stringContaining(word) });
  });

  it("but one of just these sizes is filled", () => {
    expect(verdict(found({ size: 500 }))).toMatchObject({ do: "fill" });
    expect(verdict(found({ size: 1_000 }), null, true, { imageMaxBytes: 1_000, cacheMaxBytes: 2_000 })).toMatchObject({
      do: "fill",
    });
  });

  it("with a cap of 0 every one", () => {
    expect(verdict(found({ size: 1 }), null, true, { imageMaxBytes: 1_000, cacheMaxBytes: 0 })).toMatchObject({
      do: "fail",
    });
  });
});
