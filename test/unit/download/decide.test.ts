import { describe, expect, it } from "vitest";
import type { Permission } from "../../../src/download/ask.ts";
import { decide, type Plan, type PlanOf, type Question } from "../../../src/download/decide.ts";
import type { ImageRecord } from "../../../src/glance/record.ts";
import { DETAILS } from "../../../src/http/cache-status.ts";
import type { StoredImage } from "../../../src/store/objects.ts";

const SIZE = 1_000;
const MD5 = "0".repeat(32);
const SHA512 = "a".repeat(128);
const NOW = 1_000_000;

const RECORD: ImageRecord = {
  status: "active",
  size: SIZE,
  checksum: MD5,
  hash: { algorithm: "sha512", value: SHA512 },
  owner: "demo",
  traits: { owner: "demo", visibility: "private", tags: ["boot"], properties: {} },
  name: null,
};
const COPY: StoredImage = {
  imageId: "image",
  size: SIZE,
  attempt: "attempt",
  digest: { algorithm: "sha512", hex: SHA512 },
  digests: { sha512: SHA512, md5: MD5 },
  rangesFrom: 0,
  kind: "image",
  storedAt: 0,
};

interface Case extends Partial<Omit<Question, "headers" | "permission">> {
  readonly record?: Partial<ImageRecord>;
  /** Default true. */
  readonly right?: boolean;
  readonly refused?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

function planOf({ record = {}, right = true, refused = false, headers = {}, ...other }: Case): Plan {
  const found = { kind: "found" as const, record: { ...RECORD, ...record }, headers: new Headers() };
  const permission: Permission = refused ? { kind: "refused", gone: false } : { kind: "seen", answer: found, right };
  return decide({
    method: "GET",
    headers: new Headers(headers),
    api: "v2",
    permission,
    copy: null,
    imageMaxBytes: 10 * SIZE,
    cacheMaxBytes: 10 * SIZE,
    ownerMaxBytes: other.cacheMaxBytes ?? 10 * SIZE,
    cacheImages: null,
    rangesFrom: 0,
    now: NOW,
    ...other,
  });
}

/** The plan in one line: what is done, and whatever else it says but the head. */
function say(plan: Plan): string {
  switch (plan.do) {
    case "forward":
      return `forward ${plan.detail}`;
    case "conditional":
      return `${plan.status}${plan.hit ? " hit" : ""}`;
    case "refuse":
      return `refuse ${plan.why}`;
    case "head":
      return "head";
    case "alone":
      return `${withRange(plan)} ${plan.why}`;
    case "hit":
    case "follow":
      return withRange(plan);
  }
}

function withRange(plan: PlanOf<"alone" | "hit" | "follow">): string {
  return plan.range === null ? plan.do : `${plan.do} ${plan.range.from}-${plan.range.to}`;
}

const kept = { copy: COPY };
const down = { copy: "unavailable" as const };
const part = { headers: { range: "bytes=10-19" } };
const TAG = `"${SHA512}"`;
const only = { "cache-control": "only-if-cached" };
const otherCopy = (other: Partial<StoredImage>) => ({ copy: { ...COPY, ...other } });

const OTHERS = [{ by: "tag", tag: "other" }] as const;

const ROWS: readonly (readonly [string, Case, string])[] = [
  // Whole images.
  ["a kept image", kept, "hit"],
  ["an image that is not kept", {}, "follow"],
  ["an image whose copy can't be looked at", down, "alone store-unavailable"],
  ["an image over IMAGE_MAX_BYTES", { imageMaxBytes: SIZE - 1 }, "forward too-large"],
  ["an image of just IMAGE_MAX_BYTES", { imageMaxBytes: SIZE }, "follow"],
  ["a kept image over IMAGE_MAX_BYTES", { ...kept, imageMaxBytes: SIZE - 1 }, "hit"],
  ["an image that can't fit twice", { cacheMaxBytes: 2 * SIZE - 1 }, "alone no-room"],
  ["an image that CACHE_IMAGES does not name", { cacheImages: OTHERS }, "alone not-selected"],
  ["a part of one", { cacheImages: OTHERS, headers: { range: "bytes=0-9" } }, "alone 0-10 not-selected"],
  ["an image that CACHE_IMAGES names", { cacheImages: [...OTHERS, { by: "tag", tag: "boot" }] }, "follow"],
  ["a kept image that CACHE_IMAGES does not name any more", { ...kept, cacheImages: OTHERS }, "hit"],
  ["an image that can't fit twice in its project's share", { ownerMaxBytes: 2 * SIZE - 1 }, "alone no-room"],
  ["an image of nobody's", { ownerMaxBytes: 1, record: { owner: null } }, "follow"],
  ["an image that just fits twice", { cacheMaxBytes: 2 * SIZE }, "follow"],
  ["a kept image that would not fit any more", { ...kept, cacheMaxBytes: 0 }, "hit"],
  ["an image where nothing may be kept and the store is down", { ...down, cacheMaxBytes: 0 }, "alone no-room"],

  // The origin decides.
  ["a kept image whose record is refused", { ...kept, refused: true }, "forward record-refused"],
  ["a kept image whose data is refused", { ...kept, right: false }, "forward right-refused"],
  ["an image that is not kept whose data is refused", { right: false }, "forward right-refused"],
  ["a kept image that is deactivated", { ...kept, record: { status: "deactivated" } }, "forward deactivated"],
  [
    "a kept image that is deactivated, to who may",
    { ...kept, record: { status: "deactivated" } },
    "forward deactivated",
  ],
  [
    "a deactivated image whose data is refused",
    { record: { status: "deactivated" }, right: false },
    "forward deactivated",
  ],
  ["a queued image", { record: { status: "queued", size: null } }, "forward not-active"],
  ["a kept image that is being deleted", { ...kept, record: { status: "pending_delete" } }, "forward not-active"],
  [
    "a condition, of who is refused",
    { ...kept, right: false, headers: { "if-none-match": TAG } },
    "forward right-refused",
  ],
  [
    "a condition, of who does not see it",
    { ...kept, refused: true, headers: { "if-match": "x" } },
    "forward record-refused",
  ],
  ["a HEAD, of who is refused", { ...kept, method: "HEAD", right: false }, "forward right-refused"],
  ["only-if-cached, of who is refused", { right: false, headers: only }, "forward right-refused"],

  // What a copy has to be.
  ["a copy with another sha512", { ...otherCopy({ digests: { sha512: "b".repeat(128), md5: MD5 } }) }, "follow"],
  ["a copy with the right sha512 and another size", { ...otherCopy({ size: SIZE - 1 }) }, "follow"],
  ["a copy that knows its MD5 only", { ...otherCopy({ digests: { md5: MD5 } }) }, "follow"],
  ["a copy that knows no digest", { ...otherCopy({ digests: {} }) }, "follow"],
  ["a record with MD5 only, and its copy", { ...kept, record: { hash: null } }, "hit"],
  [
    "a record with MD5 only, and a copy put by it",
    { ...otherCopy({ digests: { md5: MD5 } }), record: { hash: null } },
    "hit",
  ],
  [
    "a record with MD5 only, and another copy",
    { ...otherCopy({ digests: { md5: "1".repeat(32) } }), record: { hash: null } },
    "follow",
  ],
  ["a record in capitals", { ...kept, record: { hash: { algorithm: "SHA512", value: SHA512.toUpperCase() } } }, "hit"],
  [
    "a record with a digest that can't be computed, and an MD5",
    { ...kept, record: { hash: { algorithm: "blake2b", value: SHA512 } } },
    "hit",
  ],
  ["a record with no digest", { ...kept, record: { hash: null, checksum: null } }, "forward no-digest"],
  [
    "a record with a digest that can't be computed alone",
    { record: { hash: { algorithm: "blake2b", value: SHA512 }, checksum: null } },
    "forward no-digest",
  ],
  ["a record without a size, and a copy", { ...kept, record: { size: null } }, "hit"],
  ["a part of it", { ...kept, ...part, record: { size: null } }, "hit 10-20"],
  ["a record without a size, and no copy", { record: { size: null } }, "forward size-unknown"],
  [
    "a record without a size, and the copy of something else",
    { ...otherCopy({ digests: {} }), record: { size: null } },
    "forward size-unknown",
  ],
  ["a record without a size, and a store that is down", { ...down, record: { size: null } }, "forward size-unknown"],
  ["v1, and the copy that v2 brought", { ...kept, api: "v1", record: { hash: null } }, "hit"],
  ["v1, not kept", { api: "v1", record: { hash: null } }, "follow"],
  ["v1 without a checksum", { ...kept, api: "v1", record: { hash: null, checksum: null } }, "forward no-digest"],

  // Parts.
  ["a part of a kept image", { ...kept, ...part }, "hit 10-20"],
  ["a part of an image that is not kept", part, "follow 10-20"],
  ["a part while the store is down", { ...down, ...part }, "alone 10-20 store-unavailable"],
  ["a part of an image over IMAGE_MAX_BYTES", { ...part, imageMaxBytes: 1 }, "forward too-large"],
  ["a part of an image that can't fit", { ...part, cacheMaxBytes: 1 }, "alone 10-20 no-room"],
  ["a part that Glance refuses", { ...kept, headers: { range: `bytes=${SIZE}-` } }, "forward range-refused"],
  ["the same of an image that is not kept", { headers: { range: "bytes=5-3" } }, "forward range-refused"],
  ["a Content-Range", { ...kept, headers: { "content-range": "bytes 3-5/*" } }, "hit 3-6"],
  ["a part with If-Range that agrees", { ...kept, headers: { range: "bytes=3-5", "if-range": TAG } }, "hit 3-6"],
  ["a part with If-Range that does not", { ...kept, headers: { range: "bytes=3-5", "if-range": '"x"' } }, "hit"],
  [
    "a refused part with If-Range that does not agree",
    { ...kept, headers: { range: "bytes=a", "if-range": '"x"' } },
    "hit",
  ],
  ["a part of what was wrong a moment ago", { ...otherCopy({ rangesFrom: NOW + 1 }), ...part }, "refuse left-alone"],
  ["a part of what went wrong alone", { ...part, rangesFrom: NOW + 1 }, "refuse left-alone"],
  ["a part of that where nothing can be kept", { ...part, rangesFrom: NOW + 1, cacheMaxBytes: 0 }, "refuse left-alone"],
  ["a part of that which is kept now", { ...kept, ...part, rangesFrom: NOW + 1 }, "refuse left-alone"],
  ["a part of that when its time is over", { ...part, rangesFrom: NOW }, "follow 10-20"],
  ["the whole of what went wrong alone", { cacheMaxBytes: 0, rangesFrom: NOW + 1 }, "alone no-room"],
  ["a part when that time is over", { ...otherCopy({ rangesFrom: NOW }), ...part }, "hit 10-20"],
  ["the whole of what was wrong a moment ago", otherCopy({ rangesFrom: NOW + 1 }), "hit"],
  ["a HEAD with a range of what was wrong", { ...otherCopy({ rangesFrom: NOW + 1 }), ...part, method: "HEAD" }, "hit"],

  // Conditions.
  ["If-None-Match that agrees", { ...kept, headers: { "if-none-match": TAG } }, "304 hit"],
  ["the same of an image that is not kept", { headers: { "if-none-match": TAG } }, "304"],
  ["the same with a range that Glance refuses", { headers: { "if-none-match": TAG, range: "bytes=a" } }, "304"],
  ["If-Match that does not", { ...kept, headers: { "if-match": '"x"' } }, "412 hit"],
  ["the same of an image that is not kept", { headers: { "if-match": '"x"' } }, "412"],
  ["If-None-Match with v1's tag", { api: "v1", ...kept, headers: { "if-none-match": `"${MD5}"` } }, "304 hit"],
  ["If-None-Match with v2's tag in v1", { api: "v1", ...kept, headers: { "if-none-match": TAG } }, "hit"],
  ["If-None-Match with v1's tag in v2", { ...kept, headers: { "if-none-match": `"${MD5}"` } }, "hit"],

  // HEAD.
  ["a HEAD of a kept image", { ...kept, method: "HEAD" }, "hit"],
  ["a HEAD of an image that is not kept", { method: "HEAD" }, "head"],
  ["a HEAD while the store is down", { ...down, method: "HEAD" }, "head"],
  ["a HEAD of an image over IMAGE_MAX_BYTES", { method: "HEAD", imageMaxBytes: 1 }, "head"],
  ["a HEAD with a range: it is for GET", { ...kept, ...part, method: "HEAD" }, "hit"],
  ["a HEAD with a range that Glance refuses", { method: "HEAD", headers: { range: "bytes=a" } }, "head"],
  ["a HEAD with a condition", { method: "HEAD", headers: { "if-none-match": TAG } }, "304"],

  // Only from the cache.
  ["only-if-cached of a kept image", { ...kept, headers: only }, "hit"],
  ["only-if-cached of a part of it", { ...kept, headers: { ...only, ...part.headers } }, "hit 10-20"],
  ["only-if-cached of an image that is not kept", { headers: only }, "refuse only-if-cached"],
  ["only-if-cached of a part of it", { headers: { ...only, ...part.headers } }, "refuse only-if-cached"],
  ["only-if-cached by HEAD, not kept", { method: "HEAD", headers: only }, "refuse only-if-cached"],
  ["only-if-cached by HEAD, kept", { ...kept, method: "HEAD", headers: only }, "hit"],
  ["only-if-cached while the store is down", { ...down, headers: only }, "refuse only-if-cached"],
  ["only-if-cached of what can't fit", { cacheMaxBytes: 0, headers: only }, "refuse only-if-cached"],
  ["only-if-cached of what is too large", { imageMaxBytes: 1, headers: only }, "refuse only-if-cached"],
  ["only-if-cached with a condition that agrees", { headers: { ...only, "if-none-match": TAG } }, "304"],
  [
    "only-if-cached among others",
    { headers: { "cache-control": "no-transform, Only-If-Cached ,max-age=0" } },
    "refuse only-if-cached",
  ],
  ["what only looks like it", { headers: { "cache-control": "x-only-if-cached, only-if-cached=1" } }, "follow"],
];

describe("what becomes of a download of", () => {
  it.each(ROWS)("%s", (_, question, plan) => {
    expect(say(planOf(question))).toBe(plan);
  });

  it("the table has every plan, and each reason that a plan can have", () => {
    const said = new Set(ROWS.map(([, , plan]) => plan.split(" ")[0]));
    expect([...said].sort()).toEqual(["304", "412", "alone", "follow", "forward", "head", "hit", "refuse"]);
    const reasons = new Set(ROWS.flatMap(([, , plan]) => plan.split(" ").slice(1)));
    // What only a fill or an answer of the origin's to the data can tell.
    const later = ["digest-mismatch", "encoded", "range-not-stored", ...DETAILS.filter((it) => it.startsWith("fill-"))];
    const mine = DETAILS.filter((detail) => !later.includes(detail));
    expect(mine.filter((detail) => !reasons.has(detail))).toEqual([]);
  });
});

describe("the head of a plan", () => {
  it.each([
    ["v2", {}, SHA512],
    ["v2", { hash: null }, MD5],
    ["v1", { hash: null }, MD5],
  ] as const)("in %s of a record with %o has the tag %s", (api, record, tag) => {
    const plan = planOf({ api, record });
    expect(plan.do === "follow" && plan.head.etag).toBe(`"${tag}"`);
  });

  it("has the copy's size where the record has none", () => {
    const plan = planOf({ ...kept, record: { size: null } });
    expect(plan.do === "hit" && plan.head.size).toBe(SIZE);
  });
});
