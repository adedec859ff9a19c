/**
 * The queue's consumer: posts notifications to the operator's receiver. What is not taken is tried again, ever later;
 * what was tried too often is moved to the dead-letter queue by the platform (max_retries in wrangler.toml).
 */
import type { Settings } from "../config.ts";
import type { Log } from "../observe/log.ts";

/** A receiver only has to write the batch down. */
const POST_MS = 10_000;

/** The first retry comes after a second, each next one after twice the time, but no later than a quarter of an hour. */
const MAX_DELAY_SECONDS = 900;

/**
 * Posts a batch as one JSON array of envelopes. Any 2xx: all of them are done. Anything else: all are tried again, so the
 * receiver may get a message twice and tells by its `message_id`. Never rejects.
 * @param postMs how long the receiver may take, ms
 */
export async function deliver(
  batch: MessageBatch<unknown>,
  settings: Pick<Settings, "notificationsUrl">,
  log: Log,
  postMs = POST_MS,
): Promise<void> {
  try {
    await post(settings.notificationsUrl, JSON.stringify(batch.messages.map((message) => message.body)), postMs);
    batch.ackAll();
  } catch (cause) {
    log.error("notifications.not-delivered", cause, { queue: batch.queue, messages: batch.messages.length });
    for (const message of batch.messages) message.retry({ delaySeconds: retryDelay(message.attempts) });
  }
}

/** Seconds until a message is tried again. @param attempts how often it was tried, at least 1 */
export function retryDelay(attempts: number): number {
  return Math.min(2 ** (attempts - 1), MAX_DELAY_SECONDS);
}

class NotDelivered extends Error {
  override readonly name = "NotDelivered";
}

/** @throws NotDelivered for any answer but a 2xx, whatever fetch throws, DOMException TimeoutError */
async function post(receiver: string | null, body: string, timeoutMs: number): Promise<void> {
  if (receiver === null) throw new NotDelivered("NOTIFICATIONS_URL is not set");
  const { url, authorization } = splitCredentials(receiver);
  const headers = new Headers({ "content-type": "application/json" });
  if (authorization !== null) headers.set("authorization", authorization);
  const signal = AbortSignal.timeout(timeoutMs);
  // A redirected POST may turn into a GET, and would be taken for a delivery.
  const response = await fetch(url, { method: "POST", headers, body, signal, redirect: "manual" });
  await response.body?.cancel();
  if (!response.ok) throw new NotDelivered(`the receiver answered ${response.status}`);
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
