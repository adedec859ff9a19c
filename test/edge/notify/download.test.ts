/** With NOTIFICATIONS bound each download is told of, with the bytes that the client was given. */

import { beforeEach, describe, expect, it } from "vitest";
import type { Env } from "../../../src/settings.ts";
import { bucketBut } from "../../support/bindings.ts";
import { keptImage } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import { type Reader, startReader } from "../../support/readers.ts";
import { asks, bindings, createImage, download, expectCalls, setFaults, settled } from "../../support/scenario.ts";

const SIZE = 3_000_000;
keepLines();

let told: { priority: string; payload: Record<string, unknown> }[] = [];
const queue = {
  async send(envelope: { "oslo.message": string }) {
    told.push(JSON.parse(envelope["oslo.message"]));
  },
};
const env = { NOTIFICATIONS: queue as unknown as NonNullable<Env["NOTIFICATIONS"]> };
const alone = { ...env, CACHE_MAX_BYTES: "0" };

beforeEach(() => {
  told = [];
});

/** What was told of one download. */
async function said(): Promise<unknown[]> {
  await expect.poll(() => told.length, { timeout: 50_000 }).toBeGreaterThan(0);
  await settled();
  return told.map(({ priority, payload }) => [priority, payload.bytes_sent]);
}

/** What a client that left had read was counted, but for what was on its way just then. @param piece bytes */
function expectLeft(reader: Reader, piece: number): void {
  expect(told).toHaveLength(1);
  expect(told[0]?.priority).toBe("ERROR");
  const sent = Number(told[0]?.payload.bytes_sent);
  expect(sent).toBeGreaterThanOrEqual(reader.received - piece);
  expect(sent).toBeLessThan(SIZE);
}

describe("a hit is told of", () => {
  it("with its image, its owner, the client's address and all of its bytes", async () => {
    const image = await keptImage({ size: SIZE });
    const response = await download(image.id, { env, headers: { "cf-connecting-ip": "192.0.2.9" } });
    expect(response.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(response.headers.get("content-length")).toBe(String(SIZE));
    expect((await response.arrayBuffer()).byteLength).toBe(SIZE);
    expect(await said()).toEqual([["INFO", SIZE]]);
    expect(told[0]?.payload).toMatchObject({ image_id: image.id, owner_id: "demo", destination_ip: "192.0.2.9" });
    await expectCalls(...asks(image.id));
  });

  it.each([
    ["bytes=5-9", 5],
    ["bytes=-1", 1],
    ["bytes=1000000-", SIZE - 1_000_000],
  ])("in part (%s) with the bytes of the part", async (range, bytes) => {
    const image = await keptImage({ size: SIZE });
    await (await download(image.id, { env, headers: { range } })).arrayBuffer();
    expect(await said()).toEqual([["INFO", bytes]]);
    await expectCalls(...asks(image.id));
  });

  it("as an error with the bytes so far when the client leaves", async () => {
    const image = await keptImage({ size: SIZE });
    const reader = await startReader(image.id, { env, leaveAt: 500_000 });
    expect(await reader.ended).toBe("left");
    await said();
    expectLeft(reader, 64 * 1024);
    await expectCalls(...asks(image.id));
  });

  it("as an error with just the bytes that were sent when the store breaks off", async () => {
    const image = await keptImage({ size: SIZE });
    const sent = 2 * 2 ** 20;
    const get = async (key: string, options: R2GetOptions) => {
      const object = await bindings.BUCKET.get(key, options);
      if (object === null) return null;
      const { readable, writable } = new FixedLengthStream(object.size);
      const writer = writable.getWriter();
      void writer
        .write(new Uint8Array(await object.arrayBuffer()).slice(0, sent))
        .then(() => writer.abort(new Error("R2 broke off")))
        .catch(() => undefined);
      return new Proxy(object, {
        get: (target, name) => (name === "body" ? readable : Reflect.get(target, name, target)),
      });
    };
    const reader = await startReader(image.id, { env: { ...env, BUCKET: bucketBut({ get }) } });
    expect(await reader.ended).toBe("cut");
    expect(await said()).toEqual([["ERROR", sent]]);
    expect(reader.received).toBe(sent);
    await expectCalls(...asks(image.id));
  });
});

describe("what moves no bytes is not told of:", () => {
  it.each([
    ["304", { headers: { "if-none-match": "*" } }, 304],
    ["412", { headers: { "if-match": '"x"' } }, 412],
    ["a refusal", { token: "other" }, 404],
    ["504", { headers: { "cache-control": "only-if-cached" } }, 504],
  ] as [string, Parameters<typeof download>[1], number][])("%s", async (_, init, status) => {
    const image = status === 504 ? await createImage({ size: SIZE }) : await keptImage({ size: SIZE });
    const response = await download(image.id, { ...init, env });
    expect(response.status).toBe(status);
    await response.arrayBuffer();
    await settled();
    expect(told).toEqual([]);
    await expectCalls(...asks(image.id), `*GET /v2/images/${image.id}/file`);
  });
});

describe("a download that is no hit is told of as well", () => {
  it.each([
    ["through a fill", env],
    ["alone", alone],
  ])("%s, with all of its bytes", async (_, bound) => {
    const image = await createImage({ size: SIZE });
    await (await download(image.id, { env: bound })).arrayBuffer();
    expect(await said()).toEqual([["INFO", SIZE]]);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
  });

  it.each([
    ["through a fill", env],
    ["alone", alone],
  ])("%s, as an error when what the origin sends is wrong", async (_, bound) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { corruptAt: SIZE - 1 });
    const reader = await startReader(image.id, { env: bound });
    expect(await reader.ended).toBe("cut");
    const [entry] = await said();
    expect(entry).toEqual(["ERROR", expect.any(Number)]);
    expect(Number(told[0]?.payload.bytes_sent)).toBeLessThan(SIZE);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
  });

  it.each([
    ["through a fill", env],
    ["alone", alone],
  ])("%s, as an error when the client leaves", async (_, bound) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 1_500_000 });
    const reader = await startReader(image.id, { env: bound, leaveAt: 500_000 });
    expect(await reader.ended).toBe("left");
    await said();
    // A slice.
    expectLeft(reader, 512 * 1024);
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`);
  });
});
