/** What a test can make go wrong with a namespace's Keystone, or different from its defaults. */

export interface KeystoneFaults {
  /** Tokens that are given out from now on live so long; Keystone's default is an hour. */
  readonly lifetimeSeconds?: number;
  /** A policy without "or rule:token_subject": only admins validate tokens, their own included. */
  readonly noSelfValidation?: boolean;
  /** Instead of any answer, with an error in JSON, or with a web page if there is one. */
  readonly status?: number;
  /** A web page instead of any answer, as from what stands in front of a Keystone. */
  readonly page?: string;
  /** So many spaces follow the page, which comes in chunks then and without a length. */
  readonly padding?: number;
  /** On the page. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Nothing is sent from there on, but the connection stays open. */
  readonly hangAt?: "headers" | "body";
}
