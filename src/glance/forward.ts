/**
 * The edge as a plain reverse proxy: a request goes to the origin and its answer comes back, streamed both ways and
 * unchanged but for hop-by-hop fields and the origin's own base URL.
 */
import { requestHeadersFor, responseHeadersFor } from "../http/headers.ts";
import { type EdgeAddress, edgeName, markPassed } from "../http/loop.ts";
import { AnswerTooLarge, readText } from "../http/read-text.ts";
import type { Fetch } from "../lib/fetch.ts";
import { BadOriginAnswer } from "./bad-answer.ts";
import { edgeBaseUrl, type Naming, pathForOrigin, pathOnly } from "./base-url.ts";
import { nameLocations } from "./location.ts";
import { isEncodedVersions, isVersionsPath, MAX_DOCUMENT_BYTES, mayBeVersions, rewriteVersions } from "./versions.ts";

/** Where the origin is, and the way there. */
export interface OriginAccess extends EdgeAddress {
  readonly originFetch: Fetch;
}

export interface Origin extends OriginAccess {
  /** Null: then the edge has no cache API, and lists none. */
  readonly keystone: unknown;
}

/** From the head of an answer of some KB to its end: Glance has it whole before it sends the head. */
export const ANSWER_MS = 10_000;

/** The origin could not be reached, or hung up before it answered. */
export class OriginUnreachable extends Error {
  override readonly name = "OriginUnreachable";
}

/**
 * One request to the origin: never answered from a platform cache, never redirected, never decompressed, and marked as one
 * that has passed this edge.
 * @param path path and query
 * @param as the client's request, where a new one can't be made from `init` alone
 * @throws OriginUnreachable when no answer came
 * @throws BadOriginAnswer when it has a status that no answer can have
 */
export async function fetchOrigin(at: OriginAccess, path: string, init: RequestInit, as?: Request): Promise<Response> {
  const url = at.origin + path;
  const headers = new Headers(init.headers);
  markPassed(headers, edgeName(at));
  let response: Response;
  try {
    response = await at.originFetch(as === undefined ? url : new Request(url, as), {
      ...init,
      headers,
      // Glance's refusals and records are for one caller. developers.cloudflare.com/workers/runtime-apis/request/
      cache: "no-store",
      // A redirect is the client's to follow: X-Auth-Token would go along to another host otherwise.
      redirect: "manual",
      // The body stays as the origin encoded it, so that what passes through passes byte for byte.
      encodeResponseBody: "manual",
    });
  } catch (cause) {
    throw new OriginUnreachable("the origin did not answer", { cause });
  }
  // Digits that HTTP does not know (RFC 9110 section 15), or a switch to a protocol that nobody asked for.
  if (response.status < 200 || response.status > 599) {
    await response.body?.cancel();
    throw new BadOriginAnswer(`the origin answered with status ${response.status}`);
  }
  return response;
}

/** Sends a client's request on as it is. @throws OriginUnreachable, BadOriginAnswer */
export async function forward(request: Request, at: Origin): Promise<Response> {
  const path = pathForOrigin(request, at.publicUrl);
  const headers = requestHeadersFor(request.headers);
  // Cloudflare puts its own Accept-Encoding in the place of the client's and keeps that one here
  // (developers.cloudflare.com/workers/runtime-apis/request/#incomingrequestcfproperties).
  const accepted = request.cf?.clientAcceptEncoding;
  if (typeof accepted === "string") headers.set("accept-encoding", accepted);
  // Its links are to be rewritten; clients such as python-requests would have it come compressed.
  if (isVersionsPath(pathOnly(path))) headers.set("accept-encoding", "identity");
  const { method, body, signal } = request;
  const response =
    (method === "GET" || method === "HEAD") && body !== null
      ? // The Fetch standard forbids such a body, unless it comes with the request that it arrived in.
        await fetchOrigin(at, path, { headers, signal }, request)
      : await fetchOrigin(at, path, { method, headers, body, signal });
  if (method !== "GET" || body !== null || !isEncodedVersions(response)) return passBack(request, path, response, at);
  // Only now it shows what this path is to Glance: once more, so that its links can be read.
  await response.body?.cancel();
  headers.set("accept-encoding", "identity");
  return passBack(request, path, await fetchOrigin(at, path, { method, headers, signal }), at);
}

async function passBack(request: Request, path: string, response: Response, at: Origin): Promise<Response> {
  const headers = responseHeadersFor(response.headers);
  const { origin } = at;
  const naming: Naming = { origin, asked: origin + path, edge: edgeBaseUrl(request, at.publicUrl) };
  try {
    nameLocations(headers, response.status, naming);
  } catch (cause) {
    await response.body?.cancel();
    throw cause;
  }
  const init: ResponseInit = { status: response.status, statusText: response.statusText, headers };
  if (request.method !== "HEAD" && mayBeVersions(pathOnly(path), response)) {
    const text = await readVersions(response);
    const rewritten = text === null ? null : rewriteVersions(text, naming, at.keystone !== null);
    if (rewritten !== null) {
      await response.body?.cancel();
      headers.delete("content-length");
      return new Response(rewritten, init);
    }
  }
  // "manual": a body that came encoded is encoded already.
  return new Response(response.body, { ...init, encodeBody: "manual" });
}

/** The answer's text, or null for one that is too large for a versions document. Its body can still be sent. */
async function readVersions(response: Response): Promise<string | null> {
  try {
    return await readText(response.clone(), "the origin's versions", MAX_DOCUMENT_BYTES, ANSWER_MS);
  } catch (cause) {
    if (cause instanceof AnswerTooLarge) return null;
    // One that broke can't be cancelled once more.
    await response.body?.cancel().catch(() => undefined);
    throw new BadOriginAnswer("the origin's versions document broke off", { cause });
  }
}
