/**
 * The sender's side of notifications: after a download, finds out whose it was and puts the event on the queue. The
 * client has its bytes by then, so nothing here may fail a download: what goes wrong is one line in the log.
 */

import { withDeadline } from "../lib/deadline.ts";
import { type Envelope, envelope, type Sent } from "./envelope.ts";
import { type FinderTools, findReceiver } from "./find-receiver.ts";

/** Together with Keystone's well within the 30 s that a Worker has left when its client is gone. It takes some 10 to 100 ms. */
const SEND_MS = 10_000;

/** What sending works with. */
export interface Notifier extends FinderTools {
  readonly queue: Pick<Queue<Envelope>, "send">;
  /** As {@link publisherOf} in envelope.ts gives it. */
  readonly publisherId: string;
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
