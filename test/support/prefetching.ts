/**
 * Images that are fetched without a client: queues them, starts the queue as the edge does, and looks at what became of
 * them. The origin knows such calls by the image only; they carry no test's mark.
 */
import { expect } from "vitest";
import { advanceQueue } from "../../src/fill/next.ts";
import { createLog } from "../../src/lib/log.ts";
import type { Env } from "../../src/settings.ts";
import type { QueuedImage } from "../../src/store/queue.ts";
import { fillClient } from "./bindings.ts";
import { bindings, committed, control, type Image, MARK, type OriginCall } from "./scenario.ts";
import { queue } from "./store.ts";

export { queue };

const keystoneUrl = () => `${bindings.ORIGIN_URL}/v3`;

/** The settings of a Fill that has an account of its own. @param user of the demo Keystone */
export function serviceAccount(user: "admin" | "demo"): Partial<Env> {
  return {
    KEYSTONE_URL: keystoneUrl(),
    OS_APPLICATION_CREDENTIAL_ID: `${user}-credential`,
    OS_APPLICATION_CREDENTIAL_SECRET: `${user}-secret`,
  };
}

/** Queues images, the first one first. @param lent the token of who queues them, or null: it is gone already */
export async function enqueue(images: readonly Pick<Image, "id">[], lent: string | null = null): Promise<void> {
  for (const [index, { id }] of images.entries()) {
    await queue.add(id, index + 1);
    if (lent !== null) {
      await fillClient(id).lend({ target: { api: "v2", imageId: id }, headers: [["x-auth-token", lent]] });
    }
  }
}

/** Starts those whose turn it is. @returns number of them */
export function advance(concurrency = 2): Promise<number> {
  const log = createLog({ test: true });
  return advanceQueue({ queue, fills: bindings.FILL, settings: { prefetchConcurrency: concurrency }, log }, Date.now());
}

export async function queued(image: Image): Promise<QueuedImage | null> {
  return (await queue.list()).find(({ imageId }) => imageId === image.id) ?? null;
}

/** Waits until an attempt has failed, or was put off. @returns what the queue says then */
export async function notNow(image: Image): Promise<QueuedImage> {
  const says = async () => {
    const entry = await queued(image);
    return entry !== null && entry.startedAt === null && entry.lastError !== null;
  };
  await expect.poll(says, { timeout: 50_000 }).toBe(true);
  const entry = await queued(image);
  if (entry === null) throw new Error("it left the queue");
  return entry;
}

/** Waits until nothing is queued any more. */
export async function emptyQueue(): Promise<void> {
  await expect.poll(() => queue.list(), { timeout: 50_000, interval: 100 }).toEqual([]);
}

/** Lets those that wait after a failure have their turn at once, as after their back-off. */
export async function backOffIsOver(): Promise<void> {
  await bindings.CATALOG.prepare("UPDATE queue SET not_before = 0").run();
}

/** What the origin was asked about these images without a client, in order. */
export async function backgroundCalls(...images: readonly Image[]): Promise<OriginCall[]> {
  const all: OriginCall[] = await (await control("GET", "/requests")).json();
  return all.filter((call) => !(MARK in call.headers) && images.some(({ id }) => call.path.includes(id)));
}

/** Those for the data. */
export async function backgroundPulls(...images: readonly Image[]): Promise<OriginCall[]> {
  return (await backgroundCalls(...images)).filter(({ path }) => path.endsWith("/file"));
}

/** Bytes that the origin sent. */
export function bytesOf(calls: readonly OriginCall[]): number {
  return calls.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** A token that the demo Keystone gives the user now: one that no other test has. */
export async function issue(user: string): Promise<string> {
  const identity = { methods: ["password"], password: { user: { name: user, password: user } } };
  const body = JSON.stringify({ auth: { identity } });
  const response = await fetch(`${keystoneUrl()}/auth/tokens`, { method: "POST", body });
  await response.body?.cancel();
  const token = response.headers.get("x-subject-token");
  if (token === null) throw new Error(`Keystone gives ${user} no token: ${response.status}`);
  return token;
}

export async function revoke(token: string): Promise<void> {
  const headers = { "x-auth-token": "admin", "x-subject-token": token };
  expect((await fetch(`${keystoneUrl()}/auth/tokens`, { method: "DELETE", headers })).status).toBe(204);
}

/** Revokes the token that the origin's log calls so. */
export async function revokeLogged(name: string | null | undefined): Promise<void> {
  expect((await control("DELETE", `/tokens/${name}`)).status).toBe(204);
}

/** The names of the tokens under which the origin was asked about an image without a client, in order. */
export async function tokens(image: Image): Promise<(string | null)[]> {
  return (await backgroundCalls(image)).map(({ token }) => token);
}

/** Queues the image, gives it its turn, and waits until it is stored. */
export async function fetched(image: Image, lent: string | null): Promise<void> {
  await enqueue([image], lent);
  await advance();
  await committed(image.id);
}
