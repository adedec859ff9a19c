/** What the edge says where it gives no image: errors of its own in Glance's form, and those of the origin to a fill. */
import type { FillProblem, Relay } from "../fill/protocol.ts";
import { glanceError } from "../glance/errors.ts";
import { addCacheStatus, type Detail } from "../http/cache-status.ts";
import type { ImageHead } from "./decide.ts";
import { siteHeaders } from "./headers.ts";

/** What an error needs to know of the request. */
export interface Asking {
  readonly edge: { readonly requestId: string };
  readonly request: Request;
}

const REFUSALS = {
  "left-alone": {
    status: 502,
    why: "The image's data at the origin did not match its digest. Parts of it are not given out, whole downloads try again.",
  },
  "only-if-cached": {
    status: 504,
    why: "The image is not in the cache, and the request wants it from there only.",
  },
} as const;

/** Says no for the edge. @param origin headers of an answer of the origin to this caller */
export function refuse(call: Asking, origin: Headers, detail: keyof typeof REFUSALS): Response {
  const { status, why } = REFUSALS[detail];
  return ownError(call, { status, why, detail, origin });
}

export interface OwnError {
  readonly status: 502 | 503 | 504;
  /** For people. */
  readonly why: string;
  readonly detail: Detail;
  /** Headers of an answer of the origin to this caller. */
  readonly origin: Headers;
  readonly retryAfter?: number;
}

/** An error of the edge's own. */
export function ownError({ edge, request }: Asking, { status, why, detail, origin, retryAfter }: OwnError): Response {
  const headers = siteHeaders(origin);
  headers.set("x-openstack-request-id", edge.requestId);
  if (retryAfter !== undefined) headers.set("retry-after", String(retryAfter));
  const response = glanceError(request, status, why, headers);
  addCacheStatus(response.headers, { kind: "miss", stored: false, detail });
  return response;
}

/** What the origin said to the fill, or that it said nothing of use. */
export function answerFailed(call: Asking, head: ImageHead, why: FillProblem, relay: Relay | null): Response {
  const origin = head.found.headers;
  if (relay === null) {
    return ownError(call, { status: 502, why: FAILED[why] ?? FAILED_SOMEHOW, detail: why, origin });
  }
  // The fill asked as somebody else: what the origin adds for a caller is that of this one's own question.
  const headers = siteHeaders(origin);
  for (const [name, value] of relay.headers) if (!ofOneCaller(name)) headers.set(name, value);
  addCacheStatus(headers, { kind: "miss", stored: false, detail: why });
  const { status, statusText } = relay;
  return new Response(NO_BODY.has(status) ? null : relay.body, { status, statusText, headers });
}

/** Whether a field of an answer depends on who asked, and from where. */
function ofOneCaller(name: string): boolean {
  return name === "vary" || name === "set-cookie" || name.startsWith("access-control-");
}

const FAILED_SOMEHOW = "The image service behind this edge did not give the image.";
const FAILED: Partial<Record<FillProblem, string>> = {
  "digest-mismatch": "The image's data at the origin does not match its digest.",
};
/** Statuses of answers without a body (RFC 9110 section 6.4.1). */
const NO_BODY = new Set([204, 205, 304]);
