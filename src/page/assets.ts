/** The page's files, which the platform keeps as static assets; the headers are the edge's. */
import type { Edge } from "../context.ts";
import { apiError } from "./answers.ts";

/** Nothing but the page's own files and API; no inline script, no inline style, nobody may frame it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** A file of the page. @param file its path among the assets */
export async function answerFile(edge: Edge, request: Request, file: string): Promise<Response> {
  const { assets } = edge;
  if (assets === null) {
    return apiError(edge, 503, "The page is not deployed: wrangler.toml must bind ASSETS to its files.");
  }
  // The host is any: assets are found by their path, which is not that of PUBLIC_URL.
  const condition = request.headers.get("if-none-match");
  const answer = await assets.fetch(`https://assets.invalid/${file}`, {
    method: request.method,
    headers: condition === null ? {} : { "if-none-match": condition },
  });
  if (answer.status !== 200 && answer.status !== 304) {
    await answer.body?.cancel();
    return apiError(edge, 404, "There is nothing here. The page is at /edge/.");
  }
  const headers = new Headers(answer.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  // Their names hold a hash of what they are.
  const kept = file.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache";
  headers.set("cache-control", kept);
  headers.set("x-openstack-request-id", edge.requestId);
  return new Response(answer.body, { status: answer.status, headers });
}
