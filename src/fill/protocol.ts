/**
 * What a Worker and a Fill say to each other. Every message is small; image bytes never travel with them. Fields are only
 * ever added: at a deploy a new Worker talks to Fills that still run the old code, for minutes or hours.
 */
import type { Digest } from "../digest/algorithms.ts";
import type { ImageTarget } from "../glance/target.ts";

/** What a fill is about, from the image's record as the caller sees it. */
export interface Subject {
  readonly imageId: string;
  /** Bytes. */
  readonly size: number;
  readonly digest: Digest;
  /** MD5 of the record, hex: all that v1 knows an image by. */
  readonly checksum: string | null;
  /** For lists. */
  readonly name?: string | null;
  /** Its project, of whose share it takes. */
  readonly owner?: string | null;
  /** Whether it goes last when room is needed. */
  readonly pinned?: boolean;
}

/** Rights that a caller lends to the fill of its image, in memory only. */
export interface Rights {
  readonly target: ImageTarget;
  readonly headers: readonly (readonly [string, string])[];
}

/** Their headers, for a request. */
export function rightsHeaders({ headers }: Rights): Headers {
  return new Headers(headers.map(([name, value]) => [name, value]));
}

export interface Ask {
  /** Names one reader through all its asks. */
  readonly reader: string;
  readonly subject: Subject;
  /** The attempt that this reader follows, or null at first. */
  readonly attempt: string | null;
  /** Whether its client has bytes of that attempt. */
  readonly sent: boolean;
  /** The image's byte that it needs next. */
  readonly at: number;
  /** `"whole"`: all of the image. `"range"`: a part, which the origin may be able to give. `"insist"`: it is not. */
  readonly want: "whole" | "range" | "insist";
  /** The attempt whose object or slices it was told of and did not find. */
  readonly missed?: string;
  /** Its rights, when the Fill has asked for them. */
  readonly rights?: Rights;
}

/** How an attempt's bytes are cut into slices; the reader never takes this from its own settings. */
export interface Cut {
  readonly attempt: string;
  readonly size: number;
  readonly sliceBytes: number;
}

/** The origin's own answer to the fill's request for the data, for its readers to pass on. */
export interface Relay {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [string, string])[];
  /** At most 64 KiB of it. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Why a fill can't serve a download. */
export type FillProblem =
  | "digest-mismatch"
  | "encoded"
  | "fill-failed"
  | "fill-stopped"
  | "fill-unavailable"
  | "fill-weaker"
  | "no-room"
  | "store-unavailable";

export type Answer =
  /** Slices below `stored` are in R2; with all of them the digest of the whole has agreed. `began`: it was for this reader. */
  | ({ readonly do: "read"; readonly stored: number; readonly began: boolean; readonly askAgainMs: number } & Cut)
  /** The image is kept: `images/<id>` is of this attempt. */
  | { readonly do: "kept"; readonly attempt: string }
  /**
   * Nothing new yet. `attempt`: the one that is waited for, so that its failure is told to those who did. How it is cut: a Fill
   * whose code is older than its Worker's does not say.
   */
  | ({ readonly do: "wait"; readonly askAgainMs: number; readonly attempt: string } & Partial<Cut>)
  /** Ask again at once, with your rights: the fill has none to ask the origin under. */
  | { readonly do: "lend" }
  /** Take the bytes from the origin yourself. */
  | { readonly do: "alone"; readonly why: FillProblem }
  /** The origin refused your rights: forward your own request. */
  | { readonly do: "forward" }
  /** This part is too far ahead: the origin's own answer, if it can read from the middle. */
  | { readonly do: "origin" }
  /** It ended badly: pass on what the origin said, if it did. */
  | { readonly do: "failed"; readonly why: FillProblem; readonly relay: Relay | null }
  /** What you have sent is of an attempt that is gone: cut your client. */
  | { readonly do: "cut"; readonly why: FillProblem };

/** How far a fill is, for those who look on. */
export interface Progress {
  readonly attempt: string;
  readonly name: string | null;
  readonly state: "filling" | "complete" | "kept";
  readonly bytesStored: number;
  /** Bytes of the whole image. */
  readonly size: number;
  /** Downloads that follow it. */
  readonly readers: number;
  /** It was queued, and is at work on it. */
  readonly queued: boolean;
}

/** What is known of an image's fill from outside. */
export type FillLook =
  | { readonly fill: "running"; readonly progress: Progress }
  | { readonly fill: "none" }
  | { readonly fill: "unreachable" };

/** What became of what the clean has found. */
export type CleanAnswer = "in-use" | "removed" | "failed";

/**
 * What became of a kept image that was to go. `"busy"`: it stays, clients download through its fill; `"failed"`: R2 did not
 * remove it, and the Fill tries again by itself in some minutes.
 */
export type RemoveAnswer = "removed" | "nothing" | "busy" | "failed";

/** The calls of a Fill. Each names the image: an object does not know its own name. */
export interface FillCalls {
  /** A reader asks. Waits up to `waitMs` for an answer other than `wait`. */
  follow(ask: Ask, waitMs: number): Promise<Answer>;
  /** A download did not find all that is kept of this attempt: the Fill looks, and takes out what is broken. */
  missed(imageId: string, attempt: string): Promise<void>;
  /** A reader is gone. */
  left(reader: string): Promise<void>;
  /** Takes the image out of the cache. `"unless-read"`: a fill that clients download through goes on. */
  remove(imageId: string, rule: "always" | "unless-read"): Promise<RemoveAnswer>;
  /** Ends what is being fetched for the queue alone. */
  unqueue(imageId: string): Promise<void>;
  /** Lends the rights of who queued the image, for its turn. */
  lend(imageId: string, rights: Rights): Promise<void>;
  /** The image's turn in the queue has come. How it goes the queue is told, not the caller. */
  prefetch(imageId: string): Promise<void>;
  /** @returns null when no fill runs */
  progress(): Promise<Progress | null>;
  /** Removes what is stored of an attempt that is none of this Fill's; null: what is kept, if no Fill has put it. */
  clean(imageId: string, attempt: string | null): Promise<CleanAnswer>;
}
