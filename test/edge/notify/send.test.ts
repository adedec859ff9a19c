/** The sender of notifications, with a real Keystone to ask who the receiver is. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fetchBy } from "../../../src/lib/fetch.ts";
import { createLog } from "../../../src/lib/log.ts";
import type { Envelope, Sent } from "../../../src/notify/envelope.ts";
import { Receivers } from "../../../src/notify/receivers.ts";
import { type Notifier, notifyDownload } from "../../../src/notify/send.ts";
import { bindings, CONTROL_URL } from "../../support/env.ts";

interface Put {
  readonly envelope: Envelope;
  readonly options: QueueSendOptions | undefined;
}

const NOW = Date.UTC(2026, 10, 23);
const SENT: Sent = {
  imageId: "0d2a3c9e-7a52-4b40-9f7e-5d1e6f5f2f10",
  ownerId: "demo",
  bytesSent: 10,
  expected: 10,
  destinationIp: "192.0.2.7",
  token: "demo",
};

let origin: string;
let controlUrl: string;
let queue: Put[];
let logged: string[];
let now: number;

beforeEach(() => {
  const prefix = `/t/${crypto.randomUUID()}`;
  origin = bindings.ORIGIN_URL + prefix;
  controlUrl = CONTROL_URL + prefix;
  queue = [];
  logged = [];
  now = NOW;
  vi.spyOn(console, "error").mockImplementation((line: string) => void logged.push(line));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** A notifier with a Keystone of its own and a queue that keeps what is sent. */
function notifier(other: Partial<Notifier> = {}): Notifier {
  return {
    queue: {
      async send(envelope, options) {
        queue.push({ envelope, options });
        return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
      },
    },
    keystone: { url: `${origin}/v3`, fetch: fetchBy(undefined) },
    service: null,
    receivers: new Receivers(),
    publisherId: "image.edge.test",
    log: createLog({ test: true }),
    now: () => now,
    ...other,
  };
}

const messages = () => queue.map(({ envelope }) => JSON.parse(envelope["oslo.message"]));

const receiverIds = () => messages().map(({ payload }) => [payload.receiver_user_id, payload.receiver_tenant_id]);

/** How often Keystone was asked. */
async function asked(): Promise<number> {
  const log: { path: string }[] = await (await fetch(`${controlUrl}/_demo/requests`)).json();
  return log.filter(({ path }) => path.startsWith("/v3/auth/tokens")).length;
}

describe("the notification of a download", () => {
  it("goes to the queue as JSON, with whose download it was", async () => {
    await notifyDownload(SENT, notifier());
    expect(queue.map(({ options }) => options)).toEqual([{ contentType: "json" }]);
    expect(queue[0]?.envelope["oslo.version"]).toBe("2.0");
    expect(messages()).toEqual([
      {
        message_id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
        publisher_id: "image.edge.test",
        event_type: "image.send",
        priority: "INFO",
        payload: {
          bytes_sent: 10,
          image_id: SENT.imageId,
          owner_id: "demo",
          receiver_tenant_id: "demo",
          receiver_user_id: "demo",
          destination_ip: "192.0.2.7",
        },
        timestamp: "2026-11-23 00:00:00.000000",
        _unique_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
    ]);
    expect(logged).toEqual([]);
  });

  it("has ids of its own each time", async () => {
    const one = notifier();
    await notifyDownload(SENT, one);
    await notifyDownload(SENT, one);
    expect(new Set(messages().flatMap((message) => [message.message_id, message._unique_id])).size).toBe(4);
  });

  it("never holds the token", async () => {
    const response = await fetch(`${origin}/v3/auth/tokens`, {
      method: "POST",
      body: JSON.stringify({
        auth: { identity: { methods: ["password"], password: { user: { name: "other", password: "other" } } } },
      }),
    });
    const token = response.headers.get("x-subject-token") ?? "";
    expect(token).toMatch(/^gAAAAA/);
    await notifyDownload({ ...SENT, token }, notifier());
    expect(receiverIds()).toEqual([["other", "other"]]);
    expect(JSON.stringify(queue)).not.toContain(token);
  });

  it("asks Keystone once in five minutes for one token", async () => {
    const one = notifier();
    await notifyDownload(SENT, one);
    now = NOW + 299_999;
    await notifyDownload(SENT, one);
    expect(await asked()).toBe(1);
    await notifyDownload({ ...SENT, token: "admin" }, one);
    expect(await asked()).toBe(2);
    now = NOW + 300_000;
    await notifyDownload(SENT, one);
    expect(await asked()).toBe(3);
    expect(receiverIds()).toEqual([
      ["demo", "demo"],
      ["demo", "demo"],
      ["admin", "admin"],
      ["demo", "demo"],
    ]);
  });

  it("does not remember that a token was invalid", async () => {
    const one = notifier();
    await notifyDownload({ ...SENT, token: "nobody" }, one);
    await notifyDownload({ ...SENT, token: "nobody" }, one);
    expect(receiverIds()).toEqual([
      [null, null],
      [null, null],
    ]);
    expect(await asked()).toBe(2);
    expect(logged).toEqual([]);
  });

  it.each([
    ["there is no Keystone", { keystone: null }, {}],
    ["the caller has no token", {}, { token: null }],
  ])("names nobody when %s, and asks nobody", async (_why, other, sent) => {
    await notifyDownload({ ...SENT, ...sent }, notifier(other));
    expect(receiverIds()).toEqual([[null, null]]);
    expect(await asked()).toBe(0);
    expect(logged).toEqual([]);
  });

  it("goes without a name when Keystone is down, with one line in the log", async () => {
    await notifyDownload(SENT, notifier({ keystone: { url: "http://127.0.0.1:1/v3", fetch: fetchBy(undefined) } }));
    expect(receiverIds()).toEqual([[null, null]]);
    expect(logged.map((line) => JSON.parse(line))).toMatchObject([
      { event: "notification.receiver-unknown", image_id: SENT.imageId },
    ]);
  });

  it("is a line in the log when the queue fails, and no failure of the download", async () => {
    const send = () => Promise.reject(new Error("queue overloaded"));
    await notifyDownload(SENT, notifier({ queue: { send } }));
    expect(logged.map((line) => JSON.parse(line))).toEqual([
      {
        level: "error",
        event: "notification.lost",
        test: true,
        image_id: SENT.imageId,
        error: "Error: queue overloaded",
      },
    ]);
  });

  it("is nothing at all without a queue", async () => {
    await notifyDownload(SENT, null);
    expect([await asked(), logged]).toEqual([0, []]);
  });
});
