/** An origin and a Keystone that only bindings reach: nothing that the edge asks of them takes another way. */
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { virtualBytes } from "../../demo/content/virtual-bytes.ts";
import { type EdgeProcess, startEdge } from "../support/node/edge-process.ts";
import { HIT, Origin, stored, until } from "./support.ts";

const MIB = 2 ** 20;
const NOWHERE = "http://glance.invalid";

const origin = new Origin();
let edge: EdgeProcess;
let persist = "";

beforeAll(async () => {
  persist = await mkdtemp(join(tmpdir(), "edge-private-"));
  const vars = {
    ORIGIN_URL: NOWHERE,
    KEYSTONE_URL: "http://keystone.invalid/v3",
    OS_APPLICATION_CREDENTIAL_ID: "admin-credential",
    OS_APPLICATION_CREDENTIAL_SECRET: "admin-secret",
    SLICE_BYTES: String(512 * 1024),
  };
  const network = { server: await origin.start(), bindings: ["ORIGIN", "KEYSTONE"] } as const;
  edge = await startEdge({ persist, vars, network });
});
afterAll(async () => {
  await edge.stop();
  await rm(persist, { recursive: true });
});

async function download(imageId: string): Promise<[status: number, cacheStatus: string | null, sha512: string]> {
  const response = await fetch(`${edge.url}/v2/images/${imageId}/file`, { headers: { "x-auth-token": "demo" } });
  const body = new Uint8Array(await response.arrayBuffer());
  return [response.status, response.headers.get("cache-status"), createHash("sha512").update(body).digest("hex")];
}

it("a download is a miss, filled from there, and then a hit", async () => {
  const image = await origin.createImage({ size: 3 * MIB + 11 });
  expect(await download(image.id)).toEqual([200, "glance-edge; fwd=uri-miss; stored", image.sha512]);
  await stored(edge.url, image);
  expect(await download(image.id)).toEqual([200, HIT, image.sha512]);
});

it("an image without a digest passes through, and a refusal is Glance's own", async () => {
  const image = await origin.createImage({ size: MIB, hash: "none" });
  const [status, cacheStatus] = await download(image.id);
  expect([status, cacheStatus]).toEqual([200, "glance-edge; fwd=bypass; detail=no-digest"]);
  const refused = await fetch(`${edge.url}/v2/images/${image.id}/file`, { headers: { "x-auth-token": "nobody" } });
  await refused.arrayBuffer();
  expect(refused.status).toBe(401);
});

it("an upload reaches it whole", async () => {
  const headers = { "x-auth-token": "demo", "content-type": "application/json" };
  const properties = { name: "up", disk_format: "raw", container_format: "bare" };
  const created = await fetch(`${edge.url}/v2/images`, { method: "POST", headers, body: JSON.stringify(properties) });
  expect(created.status).toBe(201);
  const { id } = (await created.json()) as { id: string };
  const body = virtualBytes(7, 0, 2 * MIB + 5);
  const put = await fetch(`${edge.url}/v2/images/${id}/file`, {
    method: "PUT",
    headers: { ...headers, "content-type": "application/octet-stream" },
    body,
  });
  expect(put.status).toBe(204);
  expect((await download(id))[2]).toBe(createHash("sha512").update(body).digest("hex"));
});

it("Keystone says there who may manage, and gives the service account its token, under which a queued image is fetched", async () => {
  const image = await origin.createImage({ size: MIB + 3 });
  const queue = (token: string) =>
    fetch(`${edge.url}/v2/cache/${image.id}`, { method: "PUT", headers: { "x-auth-token": token } });
  expect((await queue("nobody")).status).toBe(401);
  expect((await queue("demo")).status).toBe(403);
  expect((await queue("admin")).status).toBe(202);
  await until("prefetching", 60_000, async () => {
    await edge.runCron("* * * * *");
    return (await download(image.id))[1] === HIT;
  });
});

it("all that the edge needs is well", async () => {
  const { checks } = (await (await fetch(`${edge.url}/edge/health`)).json()) as {
    checks: Record<string, { ok: boolean; why: string | null }>;
  };
  const { origin: glance, keystone, service_account } = checks;
  expect({ glance, keystone, service_account }).toMatchObject({
    glance: { ok: true, why: null },
    keystone: { ok: true, why: null },
    service_account: { ok: true, why: null },
  });
});
