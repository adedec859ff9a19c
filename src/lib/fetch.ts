/** How requests go out: by the runtime's own fetch, or through a binding that reaches what is not on the internet. */

export type Fetch = (input: string | Request, init?: RequestInit) => Promise<Response>;

/** A service, and the way there. */
export interface Endpoint {
  /** Its base URL, without a trailing slash. */
  readonly url: string;
  readonly fetch: Fetch;
}

const byNetwork: Fetch = (input, init) => globalThis.fetch(input, init);

export function fetchBy(binding: Fetcher | undefined): Fetch {
  return binding === undefined ? byNetwork : (input, init) => binding.fetch(input, init);
}
