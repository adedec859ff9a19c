/**
 * The notifications queue of a local edge: real local queues with the edge as consumer, set up as the block in
 * wrangler.toml does on Cloudflare, and a Worker that keeps what ends in the dead-letter queue.
 */
import type { Miniflare } from "miniflare";

const QUEUE = "glance-edge-notifications";
const DEAD_LETTER_QUEUE = `${QUEUE}-dead`;
const DEAD_LETTERS = "dead-letters";

export interface QueueOptions {
  /** After so many retries a message is moved to the dead-letter queue. */
  readonly maxRetries: number;
}

/** Miniflare's options for the edge itself; none without queues. */
export function edgeQueues(options: QueueOptions | undefined) {
  if (options === undefined) return {};
  return {
    queueProducers: { NOTIFICATIONS: { queueName: QUEUE } },
    queueConsumers: {
      // Each message goes at once: no test waits for a batch to fill.
      [QUEUE]: {
        maxBatchSize: 10,
        maxBatchTimeout: 0,
        maxRetries: options.maxRetries,
        deadLetterQueue: DEAD_LETTER_QUEUE,
      },
    },
  };
}

/** Miniflare's options for the Worker that keeps dead letters; none without queues. */
export function deadLetterWorkers(options: QueueOptions | undefined) {
  if (options === undefined) return [];
  const contents = `
    const kept = [];
    export default {
      queue(batch) { for (const message of batch.messages) kept.push(message.body); },
      fetch() { return Response.json(kept); },
    };`;
  const queueConsumers = { [DEAD_LETTER_QUEUE]: { maxBatchTimeout: 0 } };
  const modules = [{ type: "ESModule" as const, path: "index.js", contents }];
  return [{ name: DEAD_LETTERS, modules, compatibilityDate: "2026-11-01", queueConsumers }];
}

/** The bodies of the messages that ended in the dead-letter queue, in order. */
export async function readDeadLetters(miniflare: Miniflare): Promise<unknown[]> {
  const worker = await miniflare.getWorker(DEAD_LETTERS);
  const response = await worker.fetch("http://dead-letters/");
  return (await response.json()) as unknown[];
}
