/**
 * The sender's side of notifications: after a download, finds out whose it was and puts the event on the queue. The
 * client has its bytes by then, so nothing here may fail a download: what goes wrong is one line in the log.
 */

import type { Identity } from "../keystone/identity.ts";
import type { ServiceTokens } from "../keystone/service-tokens.ts";
import { validateToken } from "../keystone/validate-token.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Log } from "../lib/log.ts";
import { type Envelope, envelope, type Sent } from "./envelope.ts";
import { type Receivers, receiverKey } from "./receivers.ts";

/** Together well within the 30 s that a Worker has left when its client is gone. Both take some 10 to 100 ms. */
const KEYSTONE_MS = 10_000;
const SEND_MS = 10_000;

/** What sending works with. */
export interface Notifier {
  readonly queue: Pick<Queue<Envelope>, "send">;
  /** Keystone's v3 base URL, or null: receivers are unknown then. */
  readonly keystone: string | null;
  /** The edge's own account, where Keystone does not let a token validate itself. */
  readonly service: ServiceTokens | null;
  readonly receivers: Receivers;
  /** As {@link publisherOf} in envelope.ts gives it. */
  readonly publisherId: string;
  readonly log: Log;
  readonly now: () => number;
}

/**
 * Puts the event of one download on the queue.
 * @param notifier null: no queue is bound, and nothing is done. Never rejects.
 */
export async function notifyDownload(sent: Sent, notifier: Notifier | null): Promise<void> {
  if (notifier === null) return;
  const { queue, publisherId, log, now } = notifier;
  const endedAt = now();
  const receiver = await findReceiver(sent, notifier);
  const ids = {
    messageId: crypto.randomUUID(),
    uniqueId: crypto.randomUUID().replaceAll("-", ""),
    publisherId,
  };
  try {
    // JSON, so that consumers other than Workers can read it too.
    const sending = queue.send(envelope(sent, receiver, ids, endedAt), { contentType: "json" });
    await withDeadline("the notifications queue", SEND_MS, sending);
  } catch (cause) {
    log.error("notification.lost", cause, { image_id: sent.imageId });
  }
}

/** Whose download it was; null when that can't be known, which costs the event no more than two ids. */
async function findReceiver(
  sent: Sent,
  { keystone, service, receivers, log, now }: Notifier,
): Promise<Identity | null> {
  if (keystone === null || sent.token === null) return null;
  try {
    const key = await receiverKey(keystone, sent.token);
    const known = receivers.recall(key, now());
    if (known !== null) return known;
    const answer = await withDeadline("Keystone", KEYSTONE_MS, validateToken(keystone, sent.token, service));
    if (answer.kind === "invalid") return null;
    receivers.remember(key, answer.identity, now());
    return answer.identity;
  } catch (cause) {
    log.error("notification.receiver-unknown", cause, { image_id: sent.imageId });
    return null;
  }
}
