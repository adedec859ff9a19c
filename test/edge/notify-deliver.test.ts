/** The consumer of the notifications queue, with a real receiver over HTTP. */
import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { deliver } from "../../src/notify/deliver.ts";
import { createLog } from "../../src/observe/log.ts";

interface Delivery {
  readonly status: number;
  readonly contentType: string | null;
  readonly authorization: string | null;
  readonly body: unknown;
}

const BODIES = [{ "oslo.version": "2.0", "oslo.message": "{}" }, { other: 1 }, "text"];
const log = createLog({ test: true });
let receiver: string;
let logged: string[];

beforeEach(() => {
  receiver = `${inject("controlUrl")}/t/${crypto.randomUUID()}/_demo/notifications`;
  logged = [];
  vi.spyOn(console, "error").mockImplementation((line: string) => void logged.push(line));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Delivers {@link BODIES}, tried so often each before. */
async function deliverTo(notificationsUrl: string | null, attempts = [1, 1, 1], postMs?: number) {
  const messages = BODIES.map((body, index) => ({
    id: `m${index}`,
    timestamp: new Date(0),
    attempts: attempts[index] ?? 1,
    body,
  }));
  const batch = createMessageBatch("notifications", messages);
  // The result does not tell the delays.
  const retries = batch.messages.map((message) => vi.spyOn(message, "retry"));
  const ctx = createExecutionContext();
  await deliver(batch, { notificationsUrl }, log, postMs);
  const result = await getQueueResult(batch, ctx);
  return {
    ackAll: result.ackAll,
    retried: result.retryMessages.map(({ msgId }) => msgId),
    delays: retries.flatMap((retry) => retry.mock.calls.map(([options]) => options?.delaySeconds)),
  };
}

const DONE = { ackAll: true, retried: [], delays: [] };
const tryAgain = (...delays: number[]) => ({ ackAll: false, retried: ["m0", "m1", "m2"], delays });

async function answerWith(reception: { status?: number; times?: number; delayMs?: number }): Promise<void> {
  const response = await fetch(receiver, { method: "PUT", body: JSON.stringify(reception) });
  expect(response.status).toBe(204);
}

async function deliveries(): Promise<Delivery[]> {
  return (await fetch(receiver)).json();
}

describe("a batch of notifications", () => {
  it("is posted as one JSON array, and done", async () => {
    expect(await deliverTo(receiver)).toEqual(DONE);
    expect(await deliveries()).toMatchObject([
      { status: 204, contentType: "application/json", authorization: null, body: BODIES },
    ]);
    expect(logged).toEqual([]);
  });

  it.each([200, 202, 299])("is done when the receiver answers %i", async (status) => {
    await answerWith({ status });
    expect(await deliverTo(receiver)).toEqual(DONE);
  });

  it.each([302, 307, 400, 401, 404, 413, 429, 500, 503])(
    "is tried again when the receiver answers %i, each message by its own attempts",
    async (status) => {
      await answerWith({ status });
      expect(await deliverTo(receiver, [1, 4, 30])).toEqual(tryAgain(1, 8, 900));
      expect((await deliveries()).map((delivery) => delivery.status)).toEqual([status]);
      expect(logged.map((line) => JSON.parse(line))).toEqual([
        {
          level: "error",
          event: "notifications.not-delivered",
          test: true,
          queue: "notifications",
          messages: 3,
          error: `NotDelivered: the receiver answered ${status}`,
        },
      ]);
    },
  );

  it("is tried again when the receiver is too slow", async () => {
    await answerWith({ delayMs: 60_000 });
    expect(await deliverTo(receiver, [1, 1, 1], 300)).toEqual(tryAgain(1, 1, 1));
    expect(await deliveries()).toHaveLength(1);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain("TimeoutError");
  });

  it("is tried again when nobody listens", async () => {
    expect(await deliverTo("http://127.0.0.1:1/")).toEqual(tryAgain(1, 1, 1));
    expect(logged).toHaveLength(1);
  });

  it("is kept while no receiver is set, and the log says so", async () => {
    expect(await deliverTo(null)).toEqual(tryAgain(1, 1, 1));
    expect(logged[0]).toContain("NOTIFICATIONS_URL is not set");
  });

  it("is posted with the credentials of the receiver's URL, which are in no line of the log", async () => {
    await answerWith({ status: 403, times: 1 });
    const url = `${receiver.replace("http://", "http://user:hush-word@")}?key=hush-key`;
    expect((await deliverTo(url)).ackAll).toBe(false);
    expect((await deliverTo(url)).ackAll).toBe(true);
    const authorization = `Basic ${btoa("user:hush-word")}`;
    expect(await deliveries()).toMatchObject([
      { status: 403, authorization, body: BODIES },
      { status: 204, authorization, body: BODIES },
    ]);
    await deliverTo("http://user:hush-word@127.0.0.1:1/?key=hush-key");
    expect(logged).toHaveLength(2);
    expect(logged.join()).not.toContain("hush");
  });
});
