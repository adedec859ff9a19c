/** Comparing an answer of the edge with Glance's own answer to the same request. */
import assert from "node:assert/strict";
import { EDGE, GLANCE } from "./addresses.ts";
import { type Answer, type CurlOptions, curl, field } from "./clients.ts";

/** Fields that differ from one answer to the next, or concern one connection only. */
const PER_ANSWER = new Set(["date", "x-openstack-request-id", "connection", "keep-alive", "transfer-encoding"]);
/** What the edge adds to a download of its own accord. */
const ADDED = new Set(["cache-status"]);

export interface Both {
  readonly edge: Answer;
  readonly origin: Answer;
}

/** The same request to the edge and to Glance itself. @param at other ones than the run's */
export async function askBoth(
  path: string,
  options: CurlOptions,
  at: { readonly edge: string; readonly origin: string } = { edge: EDGE, origin: GLANCE },
): Promise<Both> {
  return { edge: await curl(at.edge + path, options), origin: await curl(at.origin + path, options) };
}

/** Status line, headers and body are those that Glance gives. */
export function assertSameAnswer({ edge, origin }: Both): void {
  // Glance's 204 has a Content-Length, which RFC 9110 section 8.6 forbids, and workerd leaves it out.
  const except = reframed(edge) || edge.status === 204 ? "content-length" : "";
  assert.deepEqual(comparable(edge, except), comparable(origin, except));
  assert.equal(hasRequestId(edge), hasRequestId(origin), "X-Openstack-Request-Id");
}

/**
 * `wrangler dev` puts a proxy of its own before the Worker, which runs every text/html answer through HTMLRewriter
 * (wrangler's ProxyWorker, `insertLiveReloadScript`): the body stays, but its length becomes chunked framing.
 */
function reframed(edge: Answer): boolean {
  return (
    (field(edge.headers, "content-type") ?? "").startsWith("text/html") &&
    field(edge.headers, "transfer-encoding") === "chunked" &&
    field(edge.headers, "content-length") === undefined
  );
}

function hasRequestId(answer: Answer): boolean {
  return answer.headers.some(([name]) => name === "x-openstack-request-id");
}

function comparable(answer: Answer, except: string): unknown {
  const headers = answer.headers.filter(([name]) => !PER_ANSWER.has(name) && !ADDED.has(name) && name !== except);
  return {
    status: `${answer.status} ${answer.reason}`,
    headers: Object.fromEntries(headers),
    body: answer.body.length < 100_000 ? answer.body.toString("latin1") : answer.body,
  };
}
