/** How a pull ends, and what in it fails so. */
import { DigestMismatch } from "../../digest/gate.ts";
import { ImageBodyError } from "../../glance/image-body.ts";
import type { Relay } from "../protocol.ts";
import { NoBuffer } from "./pool.ts";
import { readRelay } from "./relay.ts";

export type PullEnd =
  /** All is stored, and the digest agreed. */
  | { readonly end: "complete" }
  | { readonly end: "mismatch"; readonly cause: unknown }
  /** The origin refused this right. */
  | { readonly end: "refused"; readonly status: number }
  /** The origin sends the data encoded, which is not what its digest is about. */
  | { readonly end: "encoded" }
  /** The origin failed, again and again. */
  | { readonly end: "broken"; readonly cause: unknown; readonly relay: Relay | null }
  /** R2 does not take a slice, or has another in its place. */
  | { readonly end: "store-failed"; readonly cause: unknown }
  /** There was no memory for a slice in time. */
  | { readonly end: "no-memory"; readonly cause: unknown }
  /** A put hangs: its buffer stays taken until this object is made anew. */
  | { readonly end: "store-hangs" }
  /** What was stored before is not there any more. */
  | { readonly end: "slices-lost" }
  | { readonly end: "aborted" };

export class StoreFailed extends Error {
  override readonly name = "StoreFailed";
}

export class PutHangs extends Error {
  override readonly name = "PutHangs";
}

export class NotAdmitted extends Error {
  override readonly name = "NotAdmitted";
}

export class SlicesLost extends Error {
  override readonly name = "SlicesLost";
}

/** What it was that ended a pull. @param signal of who stops it */
export async function endOf(cause: unknown, signal: AbortSignal): Promise<PullEnd> {
  // Also of one that was stopped: the hanging put has memory.
  if (cause instanceof PutHangs) return { end: "store-hangs" };
  if (signal.aborted || cause instanceof NotAdmitted) return { end: "aborted" };
  if (cause instanceof NoBuffer) return { end: "no-memory", cause };
  if (cause instanceof StoreFailed) return { end: "store-failed", cause };
  if (cause instanceof SlicesLost) return { end: "slices-lost" };
  if (cause instanceof DigestMismatch) return { end: "mismatch", cause };
  if (!(cause instanceof ImageBodyError)) return { end: "broken", cause, relay: null };
  const { problem } = cause;
  switch (problem.reason) {
    case "long":
      return { end: "mismatch", cause };
    case "encoded":
      return { end: "encoded" };
    case "short":
    case "dear":
      return { end: "broken", cause, relay: null };
    case "refused": {
      const { response } = problem;
      if (response.status >= 500) return { end: "broken", cause, relay: await readRelay(response, signal) };
      await response.body?.cancel();
      return { end: "refused", status: response.status };
    }
  }
}
