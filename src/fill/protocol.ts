/**
 * What a reader and a Fill say to each other. Every message is small; image bytes never travel with them.
 */
import type { Detail } from "../http/cache-status.ts";
import type { ImageTarget } from "../origin/target.ts";
import type { Digest } from "../store/blob.ts";

/** What a fill is about, from the image's record. */
export interface Subject {
  readonly imageId: string;
  readonly blob: string;
  readonly digest: Digest;
  /** MD5 of the record, hex. */
  readonly checksum: string | null;
  /** Bytes. */
  readonly size: number;
}

export interface Ask {
  /** Names one reader through all its asks. */
  readonly reader: string;
  /** The generation whose slices the client has bytes of already, or null while it has none. */
  readonly generation: string | null;
  readonly need: { readonly what: "slice"; readonly slice: number } | { readonly what: "verdict" };
}

/** How the background may go on when nobody pulls: under the rights of whoever pulled last. Kept in memory only. */
export interface Errand {
  readonly target: ImageTarget;
  readonly headers: readonly (readonly [string, string])[];
}

/** The errand's headers, for a request. */
export function errandHeaders({ headers }: Errand): Headers {
  return new Headers(headers.map(([name, value]) => [name, value]));
}

/** Which stored content a turn is about, and how it is cut into slices. */
export interface Cut {
  readonly blob: string;
  readonly generation: string;
  readonly sliceBytes: number;
}

export type Turn =
  /** Slices below `stored` are in R2. */
  | ({ readonly do: "read"; readonly stored: number } & Cut)
  /** The asker holds the lease: pull from the origin, from this slice on, and store. */
  | ({ readonly do: "pull"; readonly slice: number; readonly lease: string } & Cut)
  /** The content agreed with its digest: the last slice may be sent. */
  | { readonly do: "finish" }
  /** What the client has is not the image: cut it. */
  | { readonly do: "cut"; readonly why: Detail }
  /** The fill can't help: take the bytes from the origin. */
  | { readonly do: "alone"; readonly why: Detail }
  /** Nothing yet; ask again. */
  | { readonly do: "wait" };

/** What a puller is told when it reports. */
export type Standing =
  /** Go on. `waiters`: how many readers wait for what comes next. */
  | { readonly lease: "held"; readonly waiters: number }
  /** Somebody else pulls now; what was stored stays. */
  | { readonly lease: "lost" }
  /** The generation is gone, and with it all that was stored. */
  | { readonly lease: "dropped" };

/** How far a fill is, for those who look on. */
export interface Progress {
  readonly generation: string;
  readonly slicesStored: number;
  readonly slicesTotal: number;
  /** Bytes of the whole image. */
  readonly size: number;
  readonly committed: boolean;
  /** It was queued, and the background is at work on it. */
  readonly wanted: boolean;
}

/** What is known of an image's fill from outside. */
export type FillLook =
  | { readonly fill: "running"; readonly progress: Progress }
  | { readonly fill: "none" }
  | { readonly fill: "unreachable" };

/** What became of a fill that the clean has asked about. */
export type CleanAnswer =
  /** It goes on, or is none of the clean's business. */
  | "kept"
  /** It had stalled and is gone. */
  | "removed"
  /** The Fill knows no such generation: whatever is stored of it belongs to nobody. */
  | "unknown";
