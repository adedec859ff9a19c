/** What the bench and its client process say to each other. */

export interface Fetches {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Clients that begin at the same moment. */
  readonly clients: number;
  /** Whether to digest what comes: only in runs that are not timed. */
  readonly digest: boolean;
}

export interface Fetched {
  readonly status: number;
  readonly cacheStatus: string | null;
  /** Bytes of the body. */
  readonly bytes: number;
  /** From the start of all clients to this one's first body byte, ms. */
  readonly firstByteMs: number;
  /** The same to the last one. */
  readonly doneMs: number;
  /** Hex, when it was asked for. */
  readonly sha512: string | null;
}

export interface Downloads {
  readonly fetched: readonly Fetched[];
  /** CPU seconds of all clients together. */
  readonly cpu: number;
}

export type Reply = ({ readonly ok: true } & Downloads) | { readonly ok: false; readonly why: string };
