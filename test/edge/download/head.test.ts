/** HEAD of an image's data: as GET would answer, without a body, when the origin allows the download. */

import { describe, expect, it } from "vitest";
import { bucketBut } from "../../support/bindings.ts";
import { keptImage } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import {
  asks,
  atOrigin,
  bindings,
  createImage,
  download,
  expectCalls,
  type Image,
  setFaults,
  settled,
  storedSlices,
} from "../../support/scenario.ts";

const SIZE = 300_000;
const lines = keepLines();

const head = (id: string, init: Parameters<typeof download>[1] = {}) => download(id, { ...init, method: "HEAD" });
const file = ({ id }: Image) => `/v2/images/${id}/file`;

/** The head of an answer but for what is new each time. */
function told({ status, headers }: Response): unknown {
  const fields = Object.fromEntries(headers);
  const { "x-openstack-request-id": id, ...rest } = fields;
  expect(id).toMatch(/^req-/);
  return { status, ...rest };
}

describe("HEAD of an image's data", () => {
  it("that is kept says what GET says, and reads nothing of it", async () => {
    const image = await keptImage({ size: SIZE });
    const got: string[] = [];
    const get = (key: string, options: R2GetOptions) => {
      got.push(key);
      return bindings.BUCKET.get(key, options);
    };
    const mine = await head(image.id, { env: { BUCKET: bucketBut({ get }) } });
    expect(mine.body).toBeNull();
    expect(got).toEqual([]);
    const whole = await download(image.id);
    expect((await whole.arrayBuffer()).byteLength).toBe(SIZE);
    expect(told(mine)).toEqual(told(whole));
    expect(mine.headers.get("content-length")).toBe(String(SIZE));
    await expectCalls(...asks(image.id), ...asks(image.id));
  });

  it("that is not kept says what GET would, and begins no fill", async () => {
    const image = await createImage({ size: SIZE });
    const mine = await head(image.id);
    expect(mine.body).toBeNull();
    expect(told(mine)).toEqual({
      status: 200,
      "accept-ranges": "bytes",
      "cache-control": "private, no-cache",
      "cache-status": "glance-edge; fwd=uri-miss",
      "content-length": String(SIZE),
      "content-md5": image.checksum,
      "content-type": "application/octet-stream",
      etag: `"${image.os_hash_value}"`,
    });
    await settled();
    expect(await storedSlices(`fills/${image.id}/`)).toEqual([]);
    await expectCalls(...asks(image.id));
  });

  it.each([
    [{ range: "bytes=5-9" }, 200],
    [{ range: "bytes=junk" }, 200],
    [{ "content-range": "bytes 5-9/*" }, 200],
    [{ "if-none-match": "*" }, 304],
    [{ "if-match": '"x"' }, 412],
  ] as [Record<string, string>, number][])(
    "with %j is %i, kept or not: a range is for GET",
    async (headers, status) => {
      for (const image of [await keptImage({ size: SIZE }), await createImage({ size: SIZE })]) {
        const response = await head(image.id, { headers });
        expect(response.status).toBe(status);
        expect(response.headers.get("content-range")).toBeNull();
        await expectCalls(...asks(image.id));
      }
    },
  );

  it("is no hit", async () => {
    const image = await keptImage({ size: SIZE });
    await head(image.id);
    await settled();
    const row = await bindings.CATALOG.prepare("SELECT hits, in_use_until FROM images WHERE image_id = ?")
      .bind(image.id)
      .first();
    expect(row).toEqual({ hits: 0, in_use_until: 0 });
    await expectCalls(...asks(image.id));
  });

  it("notifies nobody", async () => {
    const image = await keptImage({ size: SIZE });
    const sent: unknown[] = [];
    const queue = { send: async (message: unknown) => void sent.push(message) };
    await head(image.id, { env: { NOTIFICATIONS: queue as never } });
    await settled();
    expect(sent).toEqual([]);
    await expectCalls(...asks(image.id));
  });

  it("while the store is down says what GET would", async () => {
    const image = await keptImage({ size: SIZE });
    const down = () => Promise.reject(new Error("R2 is down"));
    const response = await head(image.id, { env: { BUCKET: bucketBut({ get: down, head: down }) } });
    expect([response.status, response.headers.get("content-length")]).toEqual([200, String(SIZE)]);
    expect(lines("store.unavailable")).toHaveLength(1);
    await expectCalls(...asks(image.id));
  });
});

describe("HEAD is answered by the origin itself", () => {
  it.each<[string, Parameters<typeof download>[1], Record<string, unknown>, string]>([
    ["without a token", { token: null }, {}, "record-refused"],
    ["of another project's image", { token: "other" }, {}, "record-refused"],
    ["of an image whose data is refused", {}, { status: 403 }, "right-refused"],
    ["of an image whose record can't be had", {}, { recordStatus: 500 }, "record-refused"],
  ])("%s", async (_, init, faults, detail) => {
    const image = await keptImage({ size: SIZE });
    await setFaults(image.id, faults);
    const mine = await head(image.id, init);
    const theirs = await atOrigin(file(image), { ...init, method: "HEAD" });
    expect(mine.status).toBe(theirs.status);
    expect(mine.headers.get("allow")).toBe(theirs.headers.get("allow"));
    expect(mine.headers.get("cache-status")).toBe(`glance-edge; fwd=bypass; detail=${detail}`);
    await expectCalls(...asks(image.id), `HEAD ${file(image)}`);
  });

  it("of what is no download", async () => {
    const image = await keptImage({ size: SIZE });
    const response = await download(`${image.id.toUpperCase()}`, { method: "HEAD" });
    expect(response.headers.has("cache-status")).toBe(false);
    await expectCalls(`HEAD /v2/images/${image.id.toUpperCase()}/file`);
  });
});
