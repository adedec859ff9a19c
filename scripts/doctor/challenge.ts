/** Bot protection: a page for browsers in the place of an answer for programs. Pure. */
import type { Reply } from "./ask.ts";

export const TURN_OFF =
  "Take the edge's host out of bot protection: a WAF rule that skips Bot Fight Mode, Browser Integrity Check, managed challenges and security level for it.";

/** @returns what it was seen by, or null for an answer that is none */
export function challengeOf({ status, headers, text }: Pick<Reply, "status" | "headers" | "text">): string | null {
  const mitigated = headers.get("cf-mitigated");
  if (mitigated !== null) return `cf-mitigated: ${mitigated}, status ${status}`;
  const isPage = /^text\/html\b/i.test(headers.get("content-type") ?? "");
  // Browser Integrity Check and firewall rules: an error page of Cloudflare's, without that field.
  const isCloudflares = /cf-error-details|\/cdn-cgi\/(challenge-platform|styles)|Attention Required! \| Cloudflare/i;
  if (isPage && isCloudflares.test(text)) return `a web page of Cloudflare's, status ${status}`;
  return null;
}
