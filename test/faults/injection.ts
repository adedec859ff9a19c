/** What is made to go wrong inside of the edge: one call of it, or some in a row. Both sides know this: plan and Worker. */

/** What a call is to. `"storage"`: the Fill's own. `"fill"`: a call of a Fill, by whoever makes it. */
export type Called =
  | "r2.put"
  | "r2.get"
  | "r2.head"
  | "r2.delete"
  | "r2.list"
  | "d1"
  | "origin"
  | "storage"
  | "fill"
  /** Whatever is called: where a Fill waits. */
  | "any";

export interface Injection {
  readonly on: Called;
  readonly by: "fill" | "worker" | "any";
  /** Of R2's keys those below this. */
  readonly root?: "images/" | "fills/" | "parts/";
  /** The first call that it hits, from 1. */
  readonly nth: number;
  /** So many in a row. */
  readonly times: number;
  readonly how: Harm;
  /** Of a slow call, and of one that hangs, ms. */
  readonly ms: number;
}

export type Harm =
  | "fails"
  /** No answer for so long, then a failure. */
  | "hangs"
  | "slow"
  /** It is done, and fails all the same. */
  | "answer-lost"
  /** The body that it gives breaks off in its middle. */
  | "breaks"
  /** The Fill is reset before the call, or behind it. */
  | "reset-before"
  | "reset-after";

/** What the edge under test is told of one image. */
export interface Registration {
  readonly injections: readonly Injection[];
  /** Over those of the edge. */
  readonly settings: Readonly<Record<string, string>>;
}

/** What is held of an image, and what was reached of what was injected. */
export interface Held {
  readonly objects: readonly HeldObject[];
  readonly images: readonly { readonly attempt: string; readonly size: number }[];
  readonly fills: number;
  readonly queue: number;
  /** Its Fill's state, as on disk; null: nothing. */
  readonly fill: HeldFill | null;
  /** How often each injection has hit a call, in their order. */
  readonly reached: readonly number[];
}

export interface HeldFill {
  readonly phase: string;
  readonly slices: boolean;
  readonly tombstones: number;
  readonly leftAloneUntil: number;
}

export interface HeldObject {
  readonly key: string;
  readonly size: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** SHA-512 of what it holds, hex; only where that was asked for. */
  readonly sha512?: string;
}

/** What becomes of something stored by another hand than the Fill's; `"index"`: its rows are lost. */
export interface Tampering {
  readonly what: "images" | "fills" | "parts" | "index";
  /** Foreign: other bytes of the same length, under the same metadata. */
  readonly how: "lost" | "short" | "foreign";
}

/** What a whole edge holds: keys in R2 (the first ones), and numbers of rows. */
export interface Sums {
  readonly keys: readonly string[];
  readonly images: number;
  readonly fills: number;
  readonly queue: number;
}
