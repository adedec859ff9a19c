/** Cache-Control: only-if-cached (RFC 9111 section 5.2.1.7): what is kept, or 504; never the origin's data. */

import { describe, expect, it } from "vitest";
import { bucketBut } from "../../support/bindings.ts";
import { keptImage } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import {
  ask,
  asks,
  asksV1,
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
const ONLY = { "cache-control": "only-if-cached" };
keepLines();

const file = ({ id }: Image) => `/v2/images/${id}/file`;

async function expect504(response: Response): Promise<void> {
  expect([response.status, response.statusText]).toEqual([504, "Gateway Timeout"]);
  expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=uri-miss; detail=only-if-cached");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("x-openstack-request-id")).toMatch(/^req-/);
  if (response.headers.get("content-type") !== "application/json") return;
  expect(await response.json()).toEqual({
    message: "The image is not in the cache, and the request wants it from there only.<br /><br />\n\n\n",
    code: "504 Gateway Timeout",
    title: "Gateway Timeout",
  });
}

describe("a download that wants only what is kept", () => {
  it.each([
    [{}, 200, SIZE],
    [{ range: "bytes=5-9" }, 206, 5],
    [{ "if-none-match": "*" }, 304, 0],
  ] as [Record<string, string>, number, number][])("and is, with %j, is a hit", async (headers, status, length) => {
    const image = await keptImage({ size: SIZE });
    const response = await download(image.id, { headers: { ...ONLY, ...headers } });
    expect([response.status, response.headers.get("cache-status")]).toEqual([status, "glance-edge; hit"]);
    expect((await response.arrayBuffer()).byteLength).toBe(length);
    await expectCalls(...asks(image.id));
  });

  it.each<[string, RequestInit]>([
    ["whole", {}],
    ["in part", { headers: { range: "bytes=5-9" } }],
    ["by its head", { method: "HEAD" }],
  ])("and is not, %s, is 504 in Glance's form, and begins nothing", async (_, init) => {
    const image = await createImage({ size: SIZE });
    const headers = { accept: "application/json", ...ONLY, ...init.headers };
    const response = await download(image.id, { ...init, headers });
    await expect504(response);
    await settled();
    expect(await storedSlices(`fills/${image.id}/`)).toEqual([]);
    await expectCalls(...asks(image.id));
  });

  it("and is not, by v1, is 504 as well", async () => {
    const image = await createImage({ size: SIZE });
    await expect504(await ask(`/v1/images/${image.id}`, { headers: { accept: "application/json", ...ONLY } }));
    await expectCalls(...asksV1(image.id));
  });

  it.each<[string, Parameters<typeof createImage>[0], Record<string, unknown>, Record<string, string>]>([
    ["has no digest", { size: SIZE, hash: "none" }, {}, {}],
    ["has no known size", { size: SIZE, overrides: { size: null } }, {}, {}],
    ["is above IMAGE_MAX_BYTES", { size: SIZE }, {}, { IMAGE_MAX_BYTES: "1000" }],
    ["does not fit", { size: SIZE }, {}, { CACHE_MAX_BYTES: "0" }],
    ["has no record", { size: SIZE }, { recordStatus: 500 }, {}],
  ])("of an image that %s gets nothing of the origin's data", async (_, options, faults, env) => {
    const image = await createImage(options);
    await setFaults(image.id, faults);
    await expect504(await download(image.id, { headers: { accept: "application/json", ...ONLY }, env }));
    await settled();
    const seen = await expectCalls(...asks(image.id), `*GET ${file(image)}`);
    // What the origin had begun to send was let go of.
    expect(seen.length).toBeLessThanOrEqual(3);
  });

  it("of a deactivated image is 504 to an admin, who would get it, and 403 to others", async () => {
    const image = await keptImage({ size: SIZE });
    await atOrigin(`/v2/images/${image.id}/actions/deactivate`, { method: "POST", token: "admin" });
    const headers = { accept: "application/json", ...ONLY };
    await expect504(await download(image.id, { token: "admin", headers }));
    const refused = await download(image.id, { headers });
    expect(refused.status).toBe(403);
    await refused.arrayBuffer();
    await expectCalls(...asks(image.id), ...asks(image.id), `GET ${file(image)}`, `GET ${file(image)}`);
  });

  it("while the store is down is 504", async () => {
    const image = await keptImage({ size: SIZE });
    const env = { BUCKET: bucketBut({ get: () => Promise.reject(new Error("R2 is down")) }) };
    await expect504(await download(image.id, { headers: ONLY, env }));
    await expectCalls(...asks(image.id));
  });

  it("of what is taken out between two looks is 504", async () => {
    const image = await keptImage({ size: SIZE });
    let gets = 0;
    const get = (key: string, options: R2GetOptions) =>
      ++gets === 1 ? bindings.BUCKET.get(key, options) : Promise.resolve(null);
    const headers = { ...ONLY, "content-range": "bytes 7-9/*" };
    await expect504(await download(image.id, { headers, env: { BUCKET: bucketBut({ get }) } }));
    expect(gets).toBe(2);
    await expectCalls(...asks(image.id));
  });
});

describe("of who may not have it", () => {
  it.each([
    ["another project", "other", 404],
    ["nobody", null, 401],
  ] as const)("%s gets the origin's own refusal", async (_, token, status) => {
    const image = await keptImage({ size: SIZE });
    const response = await download(image.id, { token, headers: ONLY });
    expect(response.status).toBe(status);
    await response.arrayBuffer();
    await expectCalls(...asks(image.id), `GET ${file(image)}`);
  });
});
