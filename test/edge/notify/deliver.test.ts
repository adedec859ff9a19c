/** The consumer of the notifications queue, with a real receiver over HTTP. */
import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLog } from "../../../src/lib/log.ts";
import { type Bounds, deliver } from "../../../src/notify/deliver.ts";
import { CONTROL_URL } from "../../support/env.ts";

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
  receiver = `${CONTROL_URL}/t/${crypto.randomUUID()}/_demo/notifications`;
  logged = [];
  vi.spyOn(console, "error").mockImplementation((line: string) => void logged.push(line));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Delivers messages, {@link BODIES} as long as nothing else is said, tried so often each before. */
async function deliverTo(
  notificationsUrl: string | null,
  attempts = [1, 1, 1],
  bounds: Partial<Bounds> = {},
  bodies: readonly unknown[] = BODIES,
) {
  const messages = bodies.map((body, index) => ({
    id: `m${index}`,
    timestamp: new Date(0),
    attempts: attempts[index] ?? 1,
    body,
  }));
  const batch = createMessageBatch("notifications", messages);
  // The result does not tell the delays.
  const retries = batch.messages.map((message) => vi.spyOn(message, "retry"));
  const ctx = createExecutionContext();
  await deliver(batch, { notificationsUrl }, log, bounds);
  const result = await getQueueResult(batch, ctx);
  return {
    ackAll: result.ackAll,
    retried: result.retryMessages.map(({ msgId }) => msgId),
    acked: result.explicitAcks,
    delays: retries.flatMap((retry) => retry.mock.calls.map(([options]) => options?.delaySeconds)),
  };
}

const DONE = { ackAll: true, retried: [], acked: [], delays: [] };
const tryAgain = (...delays: number[]) => ({ ackAll: false, retried: ["m0", "m1", "m2"], acked: [], delays });

async function answerWith(reception: Readonly<Record<string, unknown>>): Promise<void> {
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

  it.each([302, 307, 408, 425, 429, 500, 503])(
    "is tried again as a whole when the receiver answers %i, each message by its own attempts",
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

  it.each([
    ["17", 17],
    ["100000", 43_200],
  ])(
    "is left alone for as long as the receiver asks, up to what a queue can: Retry-After: %s",
    async (field, delay) => {
      for (const status of [429, 503]) {
        await answerWith({ status, headers: { "Retry-After": field } });
        // By itself the last one would wait for 900 s.
        const { delays } = await deliverTo(receiver, [1, 2, 30]);
        expect(delays).toEqual([delay, delay, Math.max(delay, 900)]);
      }
    },
  );

  it.each([400, 413, 415, 422])(
    "of which the receiver refuses one message with %i is taken but for that",
    async (status) => {
      await answerWith({ status, containing: "other" });
      const { ackAll, acked, retried, delays } = await deliverTo(receiver, [1, 4, 1]);
      expect({ ackAll, acked: acked.sort(), retried, delays }).toEqual({
        ackAll: false,
        acked: ["m0", "m2"],
        retried: ["m1"],
        // By its own attempts: it is on its way to the dead letters.
        delays: [8],
      });
      const taken = (await deliveries()).filter((delivery) => delivery.status === 204).flatMap(({ body }) => body);
      expect(taken.map((body) => JSON.stringify(body)).sort()).toEqual([
        JSON.stringify("text"),
        JSON.stringify(BODIES[0]),
      ]);
      expect(logged.map((line) => JSON.parse(line))).toEqual([
        {
          level: "error",
          event: "notifications.refused",
          test: true,
          queue: "notifications",
          messages: 1,
          ids: "m1",
          error: "NotDelivered: the receiver takes others, but not these",
        },
      ]);
    },
  );

  it("of one message that the receiver refuses is posted once, and tried again", async () => {
    await answerWith({ status: 400 });
    expect(await deliverTo(receiver, [3], {}, ["alone"])).toEqual({
      ackAll: false,
      acked: [],
      retried: ["m0"],
      delays: [4],
    });
    expect(await deliveries()).toHaveLength(1);
    expect(logged.map((line) => JSON.parse(line).event)).toEqual(["notifications.not-delivered"]);
  });

  it("of a hundred, of which the receiver refuses one, takes few posts", async () => {
    await answerWith({ status: 400, containing: "number 41" });
    const bodies = Array.from({ length: 100 }, (_, index) => `number ${index}`);
    const { acked, retried } = await deliverTo(receiver, [], {}, bodies);
    expect([acked.length, retried]).toEqual([99, ["m41"]]);
    expect((await deliveries()).length).toBeLessThanOrEqual(15);
  });

  it.each([401, 403, 404, 405, 400])(
    "of a hundred, none of which the receiver takes (%i), is tried again as a whole, after few posts",
    async (status) => {
      await answerWith({ status });
      const bodies = Array.from({ length: 100 }, (_, index) => `number ${index}`);
      const { acked, retried } = await deliverTo(receiver, [], {}, bodies);
      expect([acked, retried.length]).toEqual([[], 100]);
      expect((await deliveries()).length).toBeLessThanOrEqual(17);
      expect(logged.map((line) => JSON.parse(line))).toEqual([
        {
          level: "error",
          event: "notifications.not-delivered",
          test: true,
          queue: "notifications",
          messages: 100,
          error: `NotDelivered: the receiver answered ${status}`,
        },
      ]);
    },
  );

  it("is split no further when the receiver fails meanwhile: what it took is done, the rest waits", async () => {
    await answerWith({ status: 400, containing: "number 0" });
    const bodies = Array.from({ length: 8 }, (_, index) => `number ${index}`);
    const original = fetch;
    let posts = 0;
    let earlier: Promise<unknown> = Promise.resolve();
    // The receiver's own doing, but at a moment that only the sender knows: when it took all that came before.
    vi.spyOn(globalThis, "fetch").mockImplementation(async (...args) => {
      const reception = JSON.stringify({ status: 429, headers: { "Retry-After": "60" } });
      if (++posts === 4) {
        await earlier;
        await original(receiver, { method: "PUT", body: reception });
      }
      const answer = original(...args);
      earlier = Promise.all([earlier, answer]);
      return answer;
    });
    // The refused one is in the second half: the first half is taken.
    const { acked, retried, delays } = await deliverTo(receiver, [], { random: () => 0 }, bodies);
    expect([...acked, ...retried].sort()).toEqual(bodies.map((_, index) => `m${index}`));
    expect(acked.length).toBeGreaterThan(0);
    expect(delays).toEqual(retried.map(() => 60));
    expect(posts).toBe(4);
  });

  it("is tried again when the receiver is too slow", async () => {
    await answerWith({ delayMs: 60_000 });
    expect(await deliverTo(receiver, [1, 1, 1], { postMs: 300 })).toEqual(tryAgain(1, 1, 1));
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
    await answerWith({ status: 500, times: 1 });
    const url = `${receiver.replace("http://", "http://user:hush-word@")}?key=hush-key`;
    expect((await deliverTo(url)).ackAll).toBe(false);
    expect((await deliverTo(url)).ackAll).toBe(true);
    const authorization = `Basic ${btoa("user:hush-word")}`;
    expect(await deliveries()).toMatchObject([
      { status: 500, authorization, body: BODIES },
      { status: 204, authorization, body: BODIES },
    ]);
    await deliverTo("http://user:hush-word@127.0.0.1:1/?key=hush-key");
    expect(logged).toHaveLength(2);
    expect(logged.join()).not.toContain("hush");
  });
});
