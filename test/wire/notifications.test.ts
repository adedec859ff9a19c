/**
 * Notifications from end to end: a download through a real workerd, a real local queue with the edge as its consumer,
 * and a receiver over HTTP.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { nameOfToken } from "../../demo/keystone/tokens.ts";
import { type EdgeProcess, startEdge } from "../support/node/edge-process.ts";
import { type Image, Origin, stored, until } from "./support.ts";

const SIZE = 3 * 2 ** 20 + 11;
const MAX_RETRIES = 2;

interface Delivery {
  readonly status: number;
  readonly body: readonly { readonly "oslo.version": string; readonly "oslo.message": string }[];
  /** ms since the epoch */
  readonly at: number;
}

const origin = new Origin();
const ends: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const end of ends) await end();
});

/** An edge whose notifications go to a receiver of its own. */
async function newEdge(name: string, queues: boolean): Promise<EdgeProcess> {
  const url = await origin.start();
  const persist = await mkdtemp(join(tmpdir(), "edge-notify-"));
  const vars = {
    ORIGIN_URL: url,
    KEYSTONE_URL: `${url}/v3`,
    NOTIFICATIONS_URL: receiverOf(name),
    PUBLIC_URL: "https://image-edge.example.com",
    SLICE_BYTES: String(512 * 1024),
  };
  const edge = await startEdge({ persist, vars, ...(queues ? { queues: { maxRetries: MAX_RETRIES } } : {}) });
  ends.push(async () => {
    await edge.stop();
    await rm(persist, { recursive: true });
  });
  return edge;
}

function receiverOf(name: string): string {
  return `${origin.controlUrl}/t/${name}/_demo/notifications`;
}

async function answerWith(name: string, reception: { status?: number; times?: number }): Promise<void> {
  const response = await fetch(receiverOf(name), { method: "PUT", body: JSON.stringify(reception) });
  expect(response.status).toBe(204);
}

/** All deliveries that name this image, whatever they were answered. */
async function deliveriesOf(name: string, image: Image): Promise<Delivery[]> {
  const all = (await (await fetch(receiverOf(name))).json()) as Delivery[];
  return all.filter((delivery) => JSON.stringify(delivery.body).includes(image.id));
}

interface Event {
  readonly message_id: string;
  readonly priority: string;
  readonly payload: { readonly bytes_sent: number; readonly image_id: string };
}

function bytesOf(event: Event): number {
  return event.payload.bytes_sent;
}

/** The events about this image that the receiver took. */
async function eventsOf(name: string, image: Image): Promise<Event[]> {
  const taken = (await deliveriesOf(name, image)).filter(({ status }) => status === 204);
  const messages = taken.flatMap(({ body }) => body.map((envelope): Event => JSON.parse(envelope["oslo.message"])));
  return messages.filter((message) => message.payload.image_id === image.id);
}

const CALLER = { "x-auth-token": "demo", "cf-connecting-ip": "192.0.2.7" };

function fetchImage(edge: EdgeProcess, image: Image, init: RequestInit = {}): Promise<Response> {
  const headers = { ...CALLER, ...(init.headers as Record<string, string> | undefined) };
  return fetch(`${edge.url}/v2/images/${image.id}/file`, { ...init, headers });
}

async function get(edge: EdgeProcess, image: Image, headers: Record<string, string> = {}): Promise<void> {
  const response = await fetchImage(edge, image, { headers });
  expect(response.ok).toBe(true);
  await response.arrayBuffer();
}

function errorsOf(edge: EdgeProcess): string[] {
  return edge.logs().filter((line) => line.includes('"level":"error"'));
}

describe("with the queue", () => {
  const name = "with";
  let started: Promise<EdgeProcess> | null = null;
  const edge = () => {
    started ??= newEdge(name, true);
    return started;
  };

  it("a miss, a hit and a range of a hit are one event each", async () => {
    const process = await edge();
    const image = await origin.createImage({ size: SIZE });
    // By what was sent: waiting until the image is stored is a download of one byte, or several.
    const sent = async (bytes: number) => (await eventsOf(name, image)).filter((event) => bytesOf(event) === bytes);
    await get(process, image);
    await until("the event of a miss", 10_000, async () => (await sent(SIZE)).length === 1);
    await stored(process.url, image);
    await get(process, image);
    await until("the event of a hit", 10_000, async () => (await sent(SIZE)).length === 2);
    await get(process, image, { range: "bytes=500000-1500002" });
    await until("the event of a range", 10_000, async () => (await sent(1_000_003)).length === 1);

    const event = (bytes: number) => ({
      message_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      publisher_id: "image.image-edge.example.com",
      event_type: "image.send",
      priority: "INFO",
      payload: {
        bytes_sent: bytes,
        image_id: image.id,
        owner_id: "demo",
        receiver_tenant_id: "demo",
        receiver_user_id: "demo",
        destination_ip: "192.0.2.7",
      },
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/),
      _unique_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    const events = [...(await sent(SIZE)), ...(await sent(1_000_003))];
    expect(events).toEqual([event(SIZE), event(SIZE), event(1_000_003)]);
    expect(new Set(events.map((message) => message.message_id)).size).toBe(3);
    expect(errorsOf(process)).toEqual([]);
  });

  it("a download that is cut because its bytes are wrong is an error", async () => {
    const process = await edge();
    const image = await origin.createImage({ size: SIZE });
    await origin.setFaults(image, { corruptAt: SIZE - 1 });
    await expect((await fetchImage(process, image)).arrayBuffer()).rejects.toThrow("terminated");
    await until("the event of a cut download", 10_000, async () => (await eventsOf(name, image)).length === 1);
    const [event] = await eventsOf(name, image);
    expect(event).toMatchObject({ priority: "ERROR", payload: { receiver_user_id: "demo" } });
    expect(event === undefined ? SIZE : bytesOf(event)).toBeLessThan(SIZE);
  });

  it("a download that its client leaves is an error", async () => {
    const process = await edge();
    // Too much for the sockets' buffers.
    const image = await origin.createImage({ size: 64 * 2 ** 20 });
    const abort = new AbortController();
    const response = await fetchImage(process, image, { signal: abort.signal });
    await response.body?.getReader().read();
    abort.abort();
    await until(
      "the event of a download that was left",
      15_000,
      async () => (await eventsOf(name, image)).length === 1,
    );
    expect(await eventsOf(name, image)).toMatchObject([{ priority: "ERROR" }]);
  });

  it("a receiver that answers 500 twice gets the event all the same, later each time", async () => {
    const process = await edge();
    const image = await origin.createImage({ size: SIZE });
    await answerWith(name, { status: 500, times: 2 });
    await get(process, image);
    await until("the event", 15_000, async () => (await eventsOf(name, image)).length === 1);
    const tries = await deliveriesOf(name, image);
    expect(tries.map(({ status }) => status)).toEqual([500, 500, 204]);
    const [first = 0, second = 0, third = 0] = tries.map(({ at }) => at);
    expect(second - first).toBeGreaterThanOrEqual(950);
    expect(third - second).toBeGreaterThanOrEqual(1950);
    // Each try is the same event, so that the receiver can tell.
    expect(new Set(tries.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  });

  it("a receiver that always refuses leaves the event in the dead-letter queue, and the token is nowhere", async () => {
    const process = await edge();
    const image = await origin.createImage({ size: SIZE });
    const token = await logIn();
    await answerWith(name, { status: 403 });
    await get(process, image, { "x-auth-token": token });
    const dead = async () => (await process.deadLetters()).filter((body) => JSON.stringify(body).includes(image.id));
    await until("the dead letter", 30_000, async () => (await dead()).length === 1);
    expect((await deliveriesOf(name, image)).map(({ status }) => status)).toEqual(Array(MAX_RETRIES + 1).fill(403));
    const [letter] = (await dead()) as { "oslo.version": string; "oslo.message": string }[];
    expect(letter?.["oslo.version"]).toBe("2.0");
    expect(JSON.parse(letter?.["oslo.message"] ?? "")).toMatchObject({ payload: { receiver_user_id: "demo" } });
    expect(JSON.stringify([letter, await deliveriesOf(name, image), process.logs()])).not.toContain(token);
    await answerWith(name, {});
  });
});

/** A token such as Keystone gives them: one that is nowhere by chance. */
async function logIn(): Promise<string> {
  const user = { name: "demo", password: "demo", domain: { id: "default" } };
  const response = await fetch(`${origin.url}/v3/auth/tokens`, {
    method: "POST",
    body: JSON.stringify({ auth: { identity: { methods: ["password"], password: { user } } } }),
  });
  const token = response.headers.get("x-subject-token");
  if (token === null) throw new Error(`no token: ${response.status}`);
  return token;
}

describe("without the queue", () => {
  it("downloads work, nothing is sent, and nothing is logged as an error", async () => {
    const process = await newEdge("without", false);
    const image = await origin.createImage({ size: SIZE });
    const token = await logIn();
    await get(process, image, { "x-auth-token": token });
    await stored(process.url, image);
    await get(process, image, { "x-auth-token": token });
    expect(await deliveriesOf("without", image)).toEqual([]);
    expect(errorsOf(process)).toEqual([]);
    // Nobody is asked whose download it was, for nobody is told.
    const log = (await (await fetch(`${origin.controlUrl}/_demo/requests`)).json()) as {
      headers: Record<string, string>;
    }[];
    expect(log.filter(({ headers }) => headers["x-subject-token"] === nameOfToken(token))).toEqual([]);
  });
});
