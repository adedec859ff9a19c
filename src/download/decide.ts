/**
 * What becomes of a download, by what was asked: pure. Whatever is no clear case for the cache is forwarded, so that every
 * refusal is the origin's own answer (invariant 1).
 */
import { type Digest, strongestDigest } from "../digest/algorithms.ts";
import { type Limits, whyUnfit } from "../fill/unfit.ts";
import type { ImageRecord } from "../glance/record.ts";
import type { Detail } from "../http/cache-status.ts";
import { isCopyOf, type StoredImage } from "../store/objects.ts";
import type { Found, Permission } from "./ask.ts";
import { evaluatePreconditions, rangeApplies } from "./preconditions.ts";
import { type ByteRange, requestedRange } from "./range.ts";

/** What an answer about the image says of it. */
export interface ImageHead {
  readonly record: ImageRecord;
  /** The origin's own fields for this caller, from the answer with the record. */
  readonly found: Found;
  readonly digest: Digest;
  /** Bytes of the whole image. */
  readonly size: number;
  /** RFC 9110 section 8.8.3. */
  readonly etag: string;
}

export type Plan =
  /** The origin's own answer to the original request. */
  | { readonly do: "forward"; readonly detail: Detail }
  /** The condition of the request decides. `hit`: whether the image is kept. */
  | { readonly do: "conditional"; readonly status: 304 | 412; readonly head: ImageHead; readonly hit: boolean }
  /** A refusal of the edge's own. */
  | { readonly do: "refuse"; readonly why: "left-alone" | "only-if-cached"; readonly head: ImageHead }
  | { readonly do: "hit"; readonly head: ImageHead; readonly image: StoredImage; readonly range: ByteRange | null }
  /** Only the head is asked for, and the image is not kept. */
  | { readonly do: "head"; readonly head: ImageHead }
  /** Through the image's fill. */
  | { readonly do: "follow"; readonly head: ImageHead; readonly range: ByteRange | null }
  /** From the origin past the cache, which can't help now. */
  | { readonly do: "alone"; readonly head: ImageHead; readonly range: ByteRange | null; readonly why: Detail };

/** The plan that does this. */
export type PlanOf<Do extends Plan["do"]> = Extract<Plan, { do: Do }>;

export interface Question extends Limits {
  readonly method: string;
  readonly headers: Headers;
  readonly api: "v1" | "v2";
  readonly permission: Permission;
  /** What R2 holds; null: nothing. */
  readonly copy: StoredImage | "unavailable" | null;
  /** Until when parts are refused because a lone download went wrong, ms since the epoch; 0: they are not. */
  readonly rangesFrom: number;
  /** ms since the epoch */
  readonly now: number;
}

const WHOLE = { kind: "whole" } as const;

export function decide(question: Question): Plan {
  const { method, headers, api, permission, copy, now } = question;
  if (permission.kind === "refused") return forward("record-refused");
  const { record } = permission.answer;

  // What can't or must not come from the cache, whoever asks.
  if (record.status === "deactivated") return forward("deactivated");
  if (record.status !== "active") return forward("not-active");
  const digest = strongestDigest(record);
  if (digest === null) return forward("no-digest");
  const kept = copy !== null && copy !== "unavailable" && isCopyOf(copy, digest, record.size) ? copy : null;
  // A record without a size leaves the kept copy's (compare Glance's LP#900959).
  const size = record.size ?? kept?.size ?? null;
  if (size === null) return forward("size-unknown");
  // The record has told of all that is no matter of rights; from here on the right is what counts.
  if (!permission.right) return forward("right-refused");

  // v1 sent the MD5 as ETag and its clients know it; everywhere else it is the strongest digest.
  const etag = `"${(api === "v1" ? record.checksum : null) ?? digest.hex}"`;
  const head: ImageHead = { record, found: permission.answer, digest, size, etag };

  // Conditions, then the range: RFC 9110 section 13.2.2.
  const verdict = evaluatePreconditions(headers, etag);
  if (verdict === "not-modified") return { do: "conditional", status: 304, head, hit: kept !== null };
  if (verdict === "failed") return { do: "conditional", status: 412, head, hit: kept !== null };
  // Range is for GET only (section 14.2).
  const asked = method === "GET" && rangeApplies(headers, etag) ? requestedRange(headers, size) : WHOLE;
  if (asked.kind === "refused") return forward("range-refused");
  const range = asked.kind === "part" ? asked.range : null;

  // A part may complete what a client has of the wrong data.
  const rangesFrom = Math.max(question.rangesFrom, kept?.rangesFrom ?? 0);
  if (range !== null && now < rangesFrom) return { do: "refuse", why: "left-alone", head };
  if (kept !== null) return { do: "hit", head, image: kept, range };
  if (wantsOnlyCached(headers)) return { do: "refuse", why: "only-if-cached", head };
  if (method === "HEAD") return { do: "head", head };
  const why = whyUnfit(record, size, question) ?? (copy === "unavailable" ? "store-unavailable" : null);
  if (why === null) return { do: "follow", head, range };
  return why === "too-large" ? forward(why) : { do: "alone", head, range, why };
}

function forward(detail: Detail): Plan {
  return { do: "forward", detail };
}

/** Whether the origin's data is not wanted: Cache-Control: only-if-cached (RFC 9111 section 5.2.1.7). */
export function wantsOnlyCached(headers: Headers): boolean {
  const directives = (headers.get("cache-control") ?? "").toLowerCase().split(",");
  return directives.some((directive) => directive.trim() === "only-if-cached");
}
