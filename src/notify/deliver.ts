/**
 * The queue's consumer: posts notifications to the operator's receiver. What is not taken is tried again, ever later;
 * what was tried too often is moved to the dead-letter queue by the platform (max_retries in wrangler.toml).
 */

import type { Log } from "../lib/log.ts";
import type { Settings } from "../settings.ts";
import { answered, NotDelivered, post } from "./post.ts";
import { split } from "./split.ts";

/** The first retry comes after a second, each next one after twice the time, but no later than a quarter of an hour. */
const MAX_DELAY_SECONDS = 900;
/** The longest delay that a queue takes (Queues limits page), whatever a receiver asks for. */
const MAX_RETRY_AFTER_SECONDS = 43_200;

export interface Bounds {
  /** How long the receiver may take for a post, ms. It only has to write the batch down. */
  readonly postMs: number;
  /** How long a refused batch is split for, ms; well within the 15 minutes of a consumer (Queues limits page). */
  readonly splitMs: number;
  readonly now: () => number;
  readonly random: () => number;
}

const BOUNDS: Bounds = { postMs: 10_000, splitMs: 60_000, now: Date.now, random: Math.random };

/**
 * Posts a batch as one JSON array of envelopes. Any 2xx: all of them are done. A 4xx: it is posted in parts, so that one
 * message that the receiver will not have does not take the others with it to the dead letters. Anything else, and a receiver
 * that takes no part: all are tried again, so the receiver may get a message twice and tells by its `message_id`. Never
 * rejects.
 */
export async function deliver(
  batch: MessageBatch<unknown>,
  settings: Pick<Settings, "notificationsUrl">,
  log: Log,
  bounds: Partial<Bounds> = {},
): Promise<void> {
  const { postMs, splitMs, now, random } = { ...BOUNDS, ...bounds };
  const { messages, queue } = batch;
  const send = (part: readonly Message[]) =>
    post(settings.notificationsUrl, JSON.stringify(part.map(({ body }) => body)), postMs, now);
  const whole = await send(messages);
  if (whole.kind === "taken") return batch.ackAll();
  if (whole.kind === "later") {
    log.error("notifications.not-delivered", whole.cause, { queue, messages: messages.length });
    return again(messages, whole.retryAfter);
  }
  const deadline = now() + splitMs;
  const { taken, refused, left, later } = await split(messages, send, () => now() >= deadline, random);
  for (const message of taken) message.ack();
  again(refused, null);
  again(left, later?.retryAfter ?? null);
  // Where nothing was taken, no message is known to be a bad one.
  const bad = taken.length > 0 ? refused : [];
  const undelivered = messages.length - taken.length - bad.length;
  if (bad.length > 0) {
    const cause = new NotDelivered("the receiver takes others, but not these");
    log.error("notifications.refused", cause, { queue, messages: bad.length, ids: bad.map(({ id }) => id).join(" ") });
  }
  if (undelivered > 0) {
    const cause = later?.cause ?? answered(whole.status);
    log.error("notifications.not-delivered", cause, { queue, messages: undelivered });
  }
}

/** @param retryAfter seconds that the receiver asked for */
function again(messages: readonly Message[], retryAfter: number | null): void {
  const least = Math.min(retryAfter ?? 0, MAX_RETRY_AFTER_SECONDS);
  for (const message of messages) message.retry({ delaySeconds: Math.max(retryDelay(message.attempts), least) });
}

/** Seconds until a message is tried again. @param attempts how often it was tried, at least 1 */
export function retryDelay(attempts: number): number {
  return Math.min(2 ** (attempts - 1), MAX_DELAY_SECONDS);
}
