/**
 * Invariant 4: if R2, D1 or the Fill fails, is slow or is gone before the first byte has left, the bytes come from the origin.
 */

import { afterEach, describe, expect, it, vi } from "vitest";
import type { Env } from "../../src/settings.ts";
import { bucketBut } from "../support/bindings.ts";
import { fillEnv } from "../support/fill-env.ts";
import { RANDOM_ACCESS } from "../support/fills.ts";
import { keptImage, keysOf } from "../support/kept.ts";
import { keepLines } from "../support/lines.ts";
import { expectImage, startReader } from "../support/readers.ts";
import {
  asks,
  asksV1,
  bindings,
  createImage,
  download,
  expectCalls,
  type Image,
  setFaults,
  settled,
  sha512,
} from "../support/scenario.ts";

const SIZE = 900_000;
const lines = keepLines();
const fails = () => Promise.reject(new Error("out of order"));
const hangs = () => new Promise<never>(() => undefined);
const file = ({ id }: Image) => `GET /v2/images/${id}/file`;

/** A Fill none of whose calls ends well. */
const fillThat = (call: () => Promise<never>): Partial<Env> => {
  const fill = { idFromName: () => ({}), get: () => new Proxy({}, { get: () => call }) };
  return { FILL: fill as unknown as Env["FILL"] };
};

/** A D1 none of whose statements ends well. */
const catalogThat = (call: () => Promise<never>): Partial<Env> => {
  const statement: object = new Proxy({}, { get: (_, name) => (name === "bind" ? () => statement : call) });
  return { CATALOG: { prepare: () => statement, batch: call } as unknown as Env["CATALOG"] };
};

const storeThat = (call: () => Promise<never>): Partial<Env> => ({
  BUCKET: bucketBut({ get: call, put: call, head: call, list: call, delete: call }),
});

/** The pauses that downloads are spread over take no time; they are what is looked at. */
function watchPauses(): number[] {
  const pauses: number[] = [];
  const { wait } = scheduler;
  vi.spyOn(scheduler, "wait").mockImplementation((ms, options) => {
    pauses.push(ms);
    return wait.call(scheduler, 0, options);
  });
  return pauses;
}

afterEach(() => {
  fillEnv.changes = {};
});

/** Of the origin's own answer to a part of an image. */
const PART_STATUS = RANDOM_ACCESS ? 206 : 400;

async function expectOwnPart(response: Response, length: number): Promise<void> {
  expect(response.status).toBe(PART_STATUS);
  if (RANDOM_ACCESS) expect((await response.arrayBuffer()).byteLength).toBe(length);
  else expect(await response.text()).toContain("Getting images randomly from this store is not supported");
}

describe("a download of a kept image", () => {
  it.each([
    ["fails", fails],
    ["hangs", hangs],
  ])("is a hit while D1 %s, and while the Fill does", async (_, call) => {
    const image = await keptImage({ size: SIZE });
    const response = await download(image.id, { env: { ...catalogThat(call), ...fillThat(call) } });
    expect(response.headers.get("cache-status")).toBe("glance-edge; hit");
    expect(await sha512(await response.arrayBuffer())).toBe(image.os_hash_value);
    if (call === fails) await settled();
    expect(lines("usage.not-written")).toHaveLength(call === fails ? 1 : 0);
    await expectCalls(...asks(image.id));
  });

  it.each([
    ["fails", fails],
    ["hangs", hangs],
  ])("comes from the origin through the digest gate while R2 %s", async (_, call) => {
    const image = await keptImage({ size: SIZE });
    const response = await download(image.id, { env: storeThat(call) });
    expect([response.status, response.headers.get("cache-status")]).toEqual([
      200,
      "glance-edge; fwd=uri-miss; detail=store-unavailable",
    ]);
    expect(await sha512(await response.arrayBuffer())).toBe(image.os_hash_value);
    expect(lines("store.unavailable")).toHaveLength(1);
    await expectCalls(...asks(image.id), file(image));
  });

  it("in part is the origin's own answer while R2 fails", async () => {
    const image = await keptImage({ size: SIZE });
    const response = await download(image.id, { env: storeThat(fails), headers: { range: "bytes=7-9" } });
    expect([response.status, response.headers.get("cache-status")]).toEqual([
      PART_STATUS,
      "glance-edge; fwd=bypass; detail=store-unavailable",
    ]);
    await expectOwnPart(response, 3);
    await expectCalls(...asks(image.id), `${file(image)} bytes=7-9`);
  });

  it("is a hit when R2 fails once", async () => {
    const image = await keptImage({ size: SIZE });
    let gets = 0;
    const get = (key: string, options: R2GetOptions) => (gets++ === 0 ? fails() : bindings.BUCKET.get(key, options));
    const response = await download(image.id, { env: { BUCKET: bucketBut({ get }) } });
    expect(response.headers.get("cache-status")).toBe("glance-edge; hit");
    await response.arrayBuffer();
    await expectCalls(...asks(image.id));
  });
});

describe("a download of an image that is not kept", () => {
  it.each([
    ["fails", fails],
    ["hangs", hangs],
  ])("comes from the origin through the digest gate while the Fill %s", async (_, call) => {
    const image = await createImage({ size: SIZE });
    const response = await download(image.id, { env: fillThat(call) });
    expect([response.status, response.headers.get("cache-status")]).toEqual([
      200,
      "glance-edge; fwd=uri-miss; detail=fill-unavailable",
    ]);
    expect(await sha512(await response.arrayBuffer())).toBe(image.os_hash_value);
    expect(lines("fill.unavailable").some((line) => line.call === "follow")).toBe(true);
    await expectCalls(...asks(image.id), file(image));
  });

  it("waits for a Fill that hangs no longer than some seconds, and once", async () => {
    const image = await createImage({ size: SIZE });
    const since = Date.now();
    let asked = 0;
    const fill = {
      idFromName: () => ({}),
      get: () => ({
        follow: () => {
          asked++;
          return hangs();
        },
        left: async () => undefined,
      }),
    };
    const response = await download(image.id, { env: { FILL: fill as unknown as Env["FILL"] } });
    await response.body?.cancel();
    await settled();
    expect(asked).toBe(1);
    expect(Date.now() - since).toBeLessThan(14_000);
    await expectCalls(...asks(image.id), file(image));
  });

  it("in part is the origin's own answer while the Fill fails", async () => {
    const image = await createImage({ size: SIZE });
    const response = await download(image.id, { env: fillThat(fails), headers: { range: "bytes=7-9" } });
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=fill-unavailable");
    await expectOwnPart(response, 3);
    await expectCalls(...asks(image.id), `${file(image)} bytes=7-9`);
  });

  it("comes from the origin while R2 fails for the Worker and the Fill", async () => {
    const image = await createImage({ size: SIZE });
    fillEnv.changes = storeThat(fails);
    const response = await download(image.id, { env: storeThat(fails) });
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; detail=store-unavailable");
    expect(await sha512(await response.arrayBuffer())).toBe(image.os_hash_value);
    await expectCalls(...asks(image.id), file(image));
  });

  it("comes from the origin while R2 fails for the Fill alone", async () => {
    const image = await createImage({ size: SIZE });
    fillEnv.changes = storeThat(fails);
    const response = await download(image.id);
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; detail=store-unavailable");
    expect(await sha512(await response.arrayBuffer())).toBe(image.os_hash_value);
    await expectCalls(...asks(image.id), file(image));
  });

  it.each([
    ["fails", fails],
    ["hangs", hangs],
  ])("costs the origin one image, shared, while D1 %s for everybody", async (_, call) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: SIZE });
    const env = catalogThat(call);
    fillEnv.changes = env;
    const readers = await Promise.all([1, 2, 3].map(() => startReader(image.id, { env })));
    for (const reader of readers) await expectImage(reader, image);
    await expectCalls(...asks(image.id), ...asks(image.id), ...asks(image.id), file(image));
  });
});

describe("a download that goes alone", () => {
  it.each([
    ["corrupt in its first byte", { corruptAt: 0 }],
    ["corrupt in its last byte", { corruptAt: SIZE - 1 }],
    ["one byte long", { longBy: 1 }],
  ])("never ends well when what the origin sends is %s, and nothing of it is kept", async (_, faults) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, faults);
    const reader = await startReader(image.id, { env: fillThat(fails) });
    expect(await reader.ended).toBe("cut");
    expect(reader.received).toBeLessThan(SIZE);
    expect(lines("download.cut")).toMatchObject([{ image_id: image.id }]);
    expect(await keysOf(image)).toEqual([]);
    await expectCalls(...asks(image.id), file(image));
  });

  it("that went wrong leaves its image's parts refused, so that no resume completes it, also when it agreed since", async () => {
    const image = await createImage({ size: SIZE });
    const env = { CACHE_MAX_BYTES: "0" };
    const part = async () => {
      const response = await download(image.id, { env, headers: { range: "bytes=500000-" } });
      await response.arrayBuffer();
      return [response.status, response.headers.get("cache-status")];
    };
    const refused = [502, "glance-edge; fwd=uri-miss; detail=left-alone"];
    expect(await part()).toEqual([PART_STATUS, "glance-edge; fwd=bypass; detail=no-room"]);
    await setFaults(image.id, { corruptAt: 5 });
    expect(await (await startReader(image.id, { env })).ended).toBe("cut");
    await settled();
    expect(await part()).toEqual(refused);
    await setFaults(image.id, {});
    await expectImage(await startReader(image.id, { env }), image);
    await settled();
    expect(await part()).toEqual(refused);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11 * 60_000 });
    expect(await part()).toEqual([PART_STATUS, "glance-edge; fwd=bypass; detail=no-room"]);
    vi.useRealTimers();
    const file = `GET /v2/images/${image.id}/file`;
    const ranges = [1, 2].map(() => `${file} bytes=500000-`);
    await expectCalls(...Array.from({ length: 6 }, () => asks(image.id)).flat(), file, file, ...ranges);
  });

  it("is cut by v1 as well", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { corruptAt: 5 });
    const reader = await startReader(image.id, { api: "v1", env: fillThat(fails) });
    expect(await reader.ended).toBe("cut");
    await expectCalls(...asksV1(image.id), `GET /v1/images/${image.id}`);
  });

  it("goes on at the next byte when the origin's connection is cut", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { cutAt: 500_000, cutTimes: 1 });
    const reader = await startReader(image.id, { env: fillThat(fails) });
    await expectImage(reader, image);
    const again = RANDOM_ACCESS ? [] : [file(image)];
    await expectCalls(...asks(image.id), file(image), `*${file(image)} bytes=N-`, ...again);
  });

  it("is the origin's own refusal when the origin refuses the data by now", async () => {
    const image = await createImage({ size: SIZE });
    const env = { ...fillThat(fails), AUTHORIZATION_TTL: "60" };
    await (await download(image.id, { env })).arrayBuffer();
    await setFaults(image.id, { status: 403 });
    const response = await download(image.id, { env });
    expect([response.status, response.headers.get("cache-status")]).toEqual([
      403,
      "glance-edge; fwd=uri-miss; detail=fill-unavailable",
    ]);
    await response.arrayBuffer();
    await expectCalls(...asks(image.id), file(image), file(image), file(image));
  });
});

describe("when the cache is in trouble its clients", () => {
  it.each([0, 0.25, 0.999])("go to the origin spread over two seconds (%d)", async (random) => {
    const image = await createImage({ size: 1_000 });
    const pauses = watchPauses();
    vi.spyOn(Math, "random").mockReturnValue(random);
    const response = await download(image.id, { env: fillThat(fails) });
    await response.arrayBuffer();
    // Beside those between the calls of the Fill.
    expect(pauses).toContain(random * 2_000);
    await expectCalls(...asks(image.id), file(image));
  });

  it("wait for nothing where it is not in trouble", async () => {
    const image = await createImage({ size: 1_000 });
    const pauses = watchPauses();
    vi.spyOn(Math, "random").mockReturnValue(0.7531);
    await (await download(image.id, { env: { CACHE_MAX_BYTES: "0" } })).arrayBuffer();
    // Others that are there are of what is written behind former answers.
    expect(pauses).not.toContain(0.7531 * 2_000);
    await expectCalls(...asks(image.id), file(image));
  });
});
