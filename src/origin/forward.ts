/**
 * The edge as a plain reverse proxy: a request goes to the origin and its answer comes back, streamed both ways and
 * unchanged but for hop-by-hop fields and the origin's own base URL.
 */
import { requestHeadersFor, responseHeadersFor } from "../http/headers.ts";
import { AnswerTooLarge, readText } from "../http/read-text.ts";
import { edgeBaseUrl, pathForOrigin, rewriteToEdge } from "./base-url.ts";
import { isVersionsPath, MAX_DOCUMENT_BYTES, mayBeVersions, rewriteVersions } from "./versions.ts";

export interface Origin {
  /** Base URL without a trailing slash. */
  readonly origin: string;
  readonly publicUrl: string | null;
  /** Keystone's base URL, or null: then the edge has no cache API, and lists none. */
  readonly keystone: string | null;
}

/** From the head of a versions document to its end: some KB, which Glance has whole before it sends the head. */
const VERSIONS_MS = 10_000;

/** The origin could not be reached, or hung up before it answered. */
export class OriginUnreachable extends Error {
  override readonly name = "OriginUnreachable";
}

/**
 * One request to the origin: never answered from a platform cache, never redirected, never decompressed.
 * @throws OriginUnreachable when no answer came
 */
export async function fetchOrigin(to: string | Request, init: RequestInit): Promise<Response> {
  try {
    return await fetch(to, {
      ...init,
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
}

/** Sends a client's request on as it is. @throws OriginUnreachable */
export async function forward(request: Request, at: Origin): Promise<Response> {
  const path = pathForOrigin(request, at.publicUrl);
  const headers = requestHeadersFor(request.headers);
  // Cloudflare puts its own Accept-Encoding in the place of the client's and keeps that one here
  // (developers.cloudflare.com/workers/runtime-apis/request/#incomingrequestcfproperties).
  const accepted = request.cf?.clientAcceptEncoding;
  if (typeof accepted === "string") headers.set("accept-encoding", accepted);
  // Its links are to be rewritten; clients such as python-requests would have it come compressed.
  if (isVersionsPath(pathOnly(path))) headers.set("accept-encoding", "identity");
  const url = at.origin + path;
  const { method, body, signal } = request;
  const response =
    (method === "GET" || method === "HEAD") && body !== null
      ? // The Fetch standard forbids such a body, unless it comes with the request that it arrived in.
        await fetchOrigin(new Request(url, request), { headers, signal })
      : await fetchOrigin(url, { method, headers, body, signal });
  return passBack(request, path, response, at);
}

async function passBack(request: Request, path: string, response: Response, at: Origin): Promise<Response> {
  const headers = responseHeadersFor(response.headers);
  const edge = edgeBaseUrl(request, at.publicUrl);
  for (const name of ["location", "content-location"]) {
    const value = headers.get(name);
    if (value !== null) headers.set(name, rewriteToEdge(value, at.origin, edge));
  }
  const init: ResponseInit = { status: response.status, statusText: response.statusText, headers };
  if (request.method !== "HEAD" && mayBeVersions(pathOnly(path), response)) {
    const text = await readVersions(response);
    if (text !== null) {
      headers.delete("content-length");
      return new Response(rewriteVersions(text, at.origin, edge, at.keystone !== null), init);
    }
  }
  // "manual": a body that came encoded is encoded already.
  return new Response(response.body, { ...init, encodeBody: "manual" });
}

/** The answer's text, or null for one that is too large for a versions document: its body is still to be sent then. */
async function readVersions(response: Response): Promise<string | null> {
  try {
    const text = await readText(response.clone(), "the origin's versions", MAX_DOCUMENT_BYTES, VERSIONS_MS);
    await response.body?.cancel();
    return text;
  } catch (cause) {
    if (cause instanceof AnswerTooLarge) return null;
    // One that broke can't be cancelled once more.
    await response.body?.cancel().catch(() => undefined);
    throw cause;
  }
}

function pathOnly(pathAndQuery: string): string {
  return pathAndQuery.split("?", 1)[0] ?? pathAndQuery;
}
