/** One POST to the operator's receiver, and what its answer means. */

/** What the receiver made of a POST. */
export type Reception =
  | { readonly kind: "taken" }
  /** It will not have this: because of what is in it, or because it will have nothing at all from this sender. */
  | { readonly kind: "refused"; readonly status: number }
  /** It can't have anything now. `retryAfter`: seconds that it asks to be left alone for. */
  | { readonly kind: "later"; readonly cause: unknown; readonly retryAfter: number | null };

/**
 * Of the 4xx those that speak of the moment and not of the request: a connection that took too long (RFC 9110 section
 * 15.5.9), data sent too early (RFC 8470 section 5.2), too many requests (RFC 6585 section 4).
 */
const NOT_NOW = new Set([408, 425, 429]);

export class NotDelivered extends Error {
  override readonly name = "NotDelivered";
}

/**
 * Posts JSON. Any 2xx takes it. A redirect is "later" as well: somebody is at work on the receiver's address.
 * @param now the clock, ms since the epoch
 */
export async function post(
  receiver: string | null,
  json: string,
  timeoutMs: number,
  now: () => number,
): Promise<Reception> {
  if (receiver === null) return later(new NotDelivered("NOTIFICATIONS_URL is not set"));
  try {
    const { url, authorization } = splitCredentials(receiver);
    const headers = new Headers({ "content-type": "application/json" });
    if (authorization !== null) headers.set("authorization", authorization);
    const signal = AbortSignal.timeout(timeoutMs);
    // A redirected POST may turn into a GET, and would be taken for a delivery.
    const response = await fetch(url, { method: "POST", headers, body: json, signal, redirect: "manual" });
    await response.body?.cancel();
    const { ok, status } = response;
    if (ok) return { kind: "taken" };
    if (status >= 400 && status < 500 && !NOT_NOW.has(status)) return { kind: "refused", status };
    return later(answered(status), retryAfter(response.headers.get("retry-after"), now()));
  } catch (cause) {
    return later(cause);
  }
}

/** For the log: the receiver's answer was no 2xx. */
export function answered(status: number): NotDelivered {
  return new NotDelivered(`the receiver answered ${status}`);
}

function later(cause: unknown, seconds: number | null = null): Reception {
  return { kind: "later", cause, retryAfter: seconds };
}

/**
 * Seconds from now by a Retry-After field (RFC 9110 section 10.2.3), or null: it says nothing.
 * @param now ms since the epoch
 */
export function retryAfter(field: string | null, now: number): number | null {
  if (field === null) return null;
  const seconds = /^\d+$/.test(field) ? Number(field) : Math.ceil((Date.parse(field) - now) / 1000);
  return seconds > 0 ? seconds : null;
}

/** User and password of a URL as HTTP wants them (RFC 7617): workerd's fetch does not send them by itself. */
export function splitCredentials(receiver: string): { readonly url: string; readonly authorization: string | null } {
  const url = new URL(receiver);
  if (url.username === "" && url.password === "") return { url: receiver, authorization: null };
  const bytes = new TextEncoder().encode(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`);
  url.username = "";
  url.password = "";
  return { url: url.href, authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
}
