/**
 * The contract of a Glance, as far as the edge depends on it: in which state an image is, who asks for what, and what the
 * whole answer is. The demo origin and a real Glance are asked the same and must answer the same.
 *
 * In what is asked and expected `{id}` stands for the image's id, `{encoded}` for it with an escape, `{url}` and
 * `{keystone}` for where Glance and Keystone are, `{demo}`, `{other}` and `{admin}` for the ids of the projects, `{time}`
 * for any time and `{uuid}` for any id.
 */

/** `barred` is of demo's project, sees what demo sees, and the policy refuses it the data. */
export type User = "demo" | "other" | "admin" | "barred";

/** `forger` has a token that Keystone never gave, `nobody` has none. */
export type Caller = User | "forger" | "nobody";

/** Active, private, of demo's project and 26 bytes long, but for what the word says. `public` is admin's. */
export type State =
  | "active"
  | "large"
  | "queued"
  | "empty"
  | "deactivated"
  | "deleted"
  | "protected"
  | "shared"
  | "offered"
  | "accepted"
  | "rejected"
  | "community"
  | "public"
  | "unknown";

export type Headers = Readonly<Record<string, string>>;

export interface Expected {
  readonly status: number;
  readonly reason: string;
  /**
   * All of them, but those that concern the connection. Without a `content-length` here it must be the body's, and chunks
   * are none.
   */
  readonly headers: Headers;
  /** Text word for word, only its beginning, or JSON by its value. */
  readonly body: string | { readonly begins: string } | { readonly json: unknown };
}

export interface Step {
  /** Default: the owner. */
  readonly as?: Caller;
  /** Method and path. */
  readonly ask: string;
  readonly headers?: Headers;
  readonly body?: string;
  /** Depends on the store only where it is opened. */
  readonly answer: Expected | ((readsAtRandom: boolean) => Expected);
}

export interface Case extends Step {
  /** A sentence. */
  readonly name: string;
  /** Default: active. */
  readonly image?: State;
  /** What is asked afterwards, of the same image. A case with it has an image of its own. */
  readonly after?: readonly Step[];
}

/** A Glance, with its Keystone. */
export interface World {
  readonly url: string;
  readonly keystoneUrl: string;
  /** Whether its store can read from the middle. */
  readonly readsAtRandom: boolean;
  readonly tokenOf: (user: User) => Promise<string>;
  /** Its id. */
  readonly projectOf: (user: User) => Promise<string>;
}
