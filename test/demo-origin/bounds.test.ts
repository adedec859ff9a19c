/**
 * What the demo origin does not give to whoever reaches it through an edge: all of the machine's memory, disk or time.
 */
import { once } from "node:events";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../demo/content/digests.ts";
import { VirtualContent } from "../../demo/content/image-content.ts";
import { Tokens } from "../../demo/keystone/tokens.ts";
import { MAX_DELIVERIES, MAX_IMAGE_BYTES, MAX_MEMBERS, MAX_TOKENS } from "../../demo/limits.ts";
import { startDemoOrigin } from "../../demo/origin.ts";
import { ask, controlOf, IMAGE_ID, put, requestsOf, useDemoOrigin } from "./support.ts";

const MAX_UPLOADED = 1_000_000;
const base = useDemoOrigin({ maxUploadedBytes: MAX_UPLOADED });
const DATA = { "content-type": "application/octet-stream" };

async function newImage(namespace: string): Promise<string> {
  const response = await ask(`${namespace}/v2/images`, { method: "POST", json: { name: "x" } });
  const { id } = (await response.json()) as { id: string };
  return `${namespace}/v2/images/${id}`;
}

function upload(url: string, bytes: number, chunked = false): Promise<Response> {
  const all = new Uint8Array(bytes);
  const body = chunked ? new Blob([all]).stream() : all;
  const init = { method: "PUT", headers: { ...DATA, "x-auth-token": "demo" }, body, duplex: "half" };
  return fetch(`${url}/file`, init);
}

/** How much of one core this process took, while nothing else was asked of it. */
async function load(ms: number): Promise<number> {
  const before = process.cpuUsage();
  await sleep(ms);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / ms;
}

describe("what is too much is refused", () => {
  test.each([MAX_IMAGE_BYTES + 1, 9_000_000_000_000_000])("an image of %i bytes", async (size) => {
    const namespace = base();
    for (const hash of ["sha512", "none"]) {
      const refused = await ask(`${controlOf(namespace)}/images/${IMAGE_ID}`, { method: "PUT", json: { size, hash } });
      expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining("size must be")]);
    }
    expect((await ask(`${namespace}/v2/images/${IMAGE_ID}`)).status).toBe(404);
  });

  test.each([{ longBy: MAX_IMAGE_BYTES + 1 }, { delayMs: 2 ** 31 }])("the fault %j", async (fault) => {
    const namespace = base();
    await put(`${controlOf(namespace)}/images/${IMAGE_ID}`, { size: 1 });
    const refused = await ask(`${controlOf(namespace)}/images/${IMAGE_ID}/faults`, { method: "PUT", json: fault });
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining(Object.keys(fault)[0] ?? "")]);
  });

  test.each([false, true])("an upload beyond the room of all, chunked: %j, in Glance's words", async (chunked) => {
    const image = await newImage(base());
    const refused = await upload(image, MAX_UPLOADED + 1, chunked);
    expect([refused.status, await refused.text()]).toEqual([413, expect.stringContaining("will exceed the limit.")]);
    expect(await (await ask(image)).json()).toMatchObject({ status: "queued", size: null });
    // What was taken is given back.
    expect((await upload(image, MAX_UPLOADED, chunked)).status).toBe(204);
    expect((await ask(image, { method: "DELETE" })).status).toBe(204);
  });

  test("an upload for which the others in other namespaces leave no room, until they are gone", async () => {
    const [one, two] = [await newImage(base()), await newImage(base())];
    expect((await upload(one, 600_000)).status).toBe(204);
    expect((await upload(two, 600_000)).status).toBe(413);
    expect((await ask(one, { method: "DELETE" })).status).toBe(204);
    expect((await upload(two, 600_000)).status).toBe(204);
    expect((await ask(two, { method: "DELETE" })).status).toBe(204);
  });

  test("an upload whose image is deleted meanwhile or whose client leaves keeps no room", async () => {
    for (const way of ["deleted", "left"]) {
      const image = await newImage(base());
      const put = request(`${image}/file`, { method: "PUT", headers: { ...DATA, "x-auth-token": "demo" } });
      put.on("error", () => undefined);
      put.write(Buffer.alloc(600_000));
      await expect.poll(async () => ((await (await ask(image)).json()) as { status: string }).status).toBe("saving");
      if (way === "left") {
        put.destroy();
      } else {
        expect((await ask(image, { method: "DELETE" })).status).toBe(204);
        put.end();
        const [response] = await once(put, "response");
        expect(response.statusCode).toBe(410);
        response.resume();
      }
      const other = await newImage(base());
      await expect.poll(async () => (await upload(other, 600_000)).status).toBe(204);
      expect((await ask(other, { method: "DELETE" })).status).toBe(204);
    }
  });

  test("a record, in one piece and grown piece by piece", async () => {
    const namespace = base();
    const whole = await ask(`${namespace}/v2/images`, { method: "POST", json: { text: "x".repeat(70_000) } });
    expect(whole.status).toBe(413);
    const image = await newImage(namespace);
    const grow = async (n: number) => {
      const json = [{ op: "add", path: `/text${n}`, value: "x".repeat(20_000) }];
      const headers = { "content-type": "application/openstack-images-v2.1-json-patch" };
      return (await ask(image, { method: "PATCH", headers, json })).status;
    };
    expect([await grow(1), await grow(2), await grow(3), await grow(4)]).toEqual([200, 200, 200, 413]);
    expect(await (await ask(image)).json()).not.toHaveProperty("text4");
  });

  test("a JSON body of more than 1 MiB, and its client hears so", async () => {
    const refused = await ask(`${base()}/v2/images`, { method: "POST", json: { text: "x".repeat(3 * 2 ** 20) } });
    expect([refused.status, await refused.text()]).toEqual([413, expect.stringContaining("too large")]);
  });

  test("a member too many, or with too long a name", async () => {
    const image = await newImage(base());
    const add = async (member: string) => (await ask(`${image}/members`, { method: "POST", json: { member } })).status;
    expect(await add("x".repeat(256))).toBe(400);
    for (let n = 0; n < MAX_MEMBERS; n++) expect(await add(`member-${n}`)).toBe(200);
    expect(await add("one more")).toBe(413);
  });

  // Some 12,000 requests: a busy machine takes its time.
  test("images and private origins beyond a number", { timeout: 120_000 }, async () => {
    const origin = await startDemoOrigin();
    const create = async () =>
      (await fetch(`${origin.url}/v2/images`, { method: "POST", headers: { "x-auth-token": "demo" }, body: "{}" }))
        .status;
    const statuses = new Set<number>();
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        for (let n = 0; n < 1000; n++) statuses.add(await create());
      }),
    );
    expect([...statuses]).toEqual([201]);
    expect(await create()).toBe(413);
    const first = await fetch(`${origin.url}/v2/images?limit=1`, { headers: { "x-auth-token": "demo" } });
    const { images } = (await first.json()) as { images: { id: string }[] };
    const headers = { "x-auth-token": "demo" };
    await fetch(`${origin.url}/v2/images/${images[0]?.id}`, { method: "DELETE", headers });
    expect(await create()).toBe(201);

    // The root is one of the 2000.
    for (let n = 1; n < 2000; n++) await (await fetch(`${origin.url}/t/${n}/healthcheck`)).arrayBuffer();
    expect((await fetch(`${origin.url}/t/more/healthcheck`)).status).toBe(503);
    expect((await fetch(`${origin.url}/t/1999/healthcheck`)).status).toBe(200);
    expect((await fetch(`${origin.url}/healthcheck`)).status).toBe(200);
    await origin.close();
  });
});

test("the oldest tokens that were given out go, those that everybody knows stay", () => {
  const tokens = new Tokens();
  const [first, second] = [tokens.issue("other", []), tokens.issue("other", [])];
  for (let n = 0; n < MAX_TOKENS - 5; n++) tokens.issue("demo", []);
  expect([first, second].map(({ token }) => tokens.find(token) === null)).toEqual([true, false]);
  for (const name of ["demo", "other", "admin", "barred"]) expect(tokens.find(name)).not.toBeNull();
});

test("the oldest deliveries of notifications go", async () => {
  const url = `${controlOf(base())}/notifications`;
  for (let n = 0; n <= MAX_DELIVERIES; n++) expect((await ask(url, { method: "POST", json: [n] })).status).toBe(204);
  const kept = (await (await ask(url)).json()) as { body: number[] }[];
  expect([kept.length, kept[0]?.body]).toEqual([MAX_DELIVERIES, [1]]);
});

describe("work ends with its client", () => {
  test("digesting a large image", async () => {
    const namespace = base();
    const abort = new AbortController();
    const making = fetch(`${controlOf(namespace)}/images/${IMAGE_ID}`, {
      method: "PUT",
      body: JSON.stringify({ size: MAX_IMAGE_BYTES }),
      signal: abort.signal,
    });
    await expect.poll(() => load(200), { timeout: 5000 }).toBeGreaterThan(0.2);
    abort.abort();
    await expect(making).rejects.toThrow();
    await expect.poll(() => load(200), { timeout: 5000 }).toBeLessThan(0.2);
    expect((await ask(`${namespace}/v2/images/${IMAGE_ID}`)).status).toBe(404);
  });

  test("but not while another one waits for the same digest", async () => {
    const content = new VirtualContent(1, 2 ** 25);
    const [one, two] = [new AbortController(), new AbortController()];
    const left = digestOf(content, "sha512", one.signal);
    const stays = digestOf(content, "sha512", two.signal);
    one.abort();
    await expect(left).rejects.toBe(one.signal.reason);
    expect(await stays).toMatch(/^[0-9a-f]{128}$/);
    // And one that all have left begins anew.
    const other = new VirtualContent(2, 2 ** 25);
    const first = digestOf(other, "sha512", one.signal);
    await expect(first).rejects.toBe(one.signal.reason);
    expect(await digestOf(other, "sha512", two.signal)).toMatch(/^[0-9a-f]{128}$/);
  });

  test("a delay, and what comes after it", async () => {
    const namespace = base();
    await put(`${controlOf(namespace)}/images/${IMAGE_ID}`, { size: MAX_IMAGE_BYTES, hash: "none" });
    await put(`${controlOf(namespace)}/images/${IMAGE_ID}/faults`, { delayMs: 3_600_000 });
    const url = `${namespace}/v2/images/${IMAGE_ID}/file`;
    const signal = AbortSignal.timeout(100);
    await expect(fetch(url, { headers: { "x-auth-token": "demo" }, signal })).rejects.toThrow();
    await expect.poll(async () => (await requestsOf(namespace))[0]).toMatchObject({ aborted: true, bytes: 0 });
    expect(await load(200)).toBeLessThan(0.2);
  });
});
