/** GET /edge/metrics, and who may read it. */
import { afterEach, describe, expect, it } from "vitest";
import { Cursors } from "../../../src/store/cursors.ts";
import { bucketBut } from "../../support/bindings.ts";
import { keptImage } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import { keystoneUrl } from "../../support/manage.ts";
import { type Ask, ask, bindings, download, settled, takeCalls } from "../../support/scenario.ts";

const METRICS_TOKEN = "prometheus-0123456789";
const BEARER = { authorization: `Bearer ${METRICS_TOKEN}` };
const KEYSTONE_URL = keystoneUrl();
const NOWHERE = "http://127.0.0.1:9";
const logged = keepLines();
afterEach(async () => void (await takeCalls()));

async function scrape(init: Ask = {}): Promise<Map<string, number>> {
  const response = await ask("/edge/metrics", {
    token: null,
    headers: BEARER,
    ...init,
    env: { METRICS_TOKEN, ...init.env },
  });
  expect(response.status).toBe(200);
  const text = await response.text();
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
}

describe("the metrics", () => {
  it("have every label of every counter from the beginning, what is stored, and the cap", async () => {
    const metrics = await scrape({ env: { CACHE_MAX_BYTES: "1234" } });
    for (const name of [
      'glance_edge_info{version="0.1.0"}',
      "glance_edge_index_up",
      "glance_edge_stored_images",
      "glance_edge_stored_bytes",
      "glance_edge_filling_bytes",
      "glance_edge_queued_images",
      "glance_edge_queued_images_failing",
      'glance_edge_downloads_total{outcome="collapsed"}',
      'glance_edge_image_bytes_total{source="cache"}',
      'glance_edge_fills_total{result="mismatch"}',
      'glance_edge_digest_mismatches_total{found_by="scrub"}',
      'glance_edge_refused_downloads_total{status="404"}',
      'glance_edge_origin_errors_total{kind="unreachable"}',
      'glance_edge_store_first_byte_seconds_bucket{le="0.005"}',
      'glance_edge_origin_answer_seconds_bucket{le="+Inf"}',
      "glance_edge_origin_first_byte_seconds_sum",
    ]) {
      expect([...metrics.keys()]).toContain(name);
    }
    expect(metrics.get("glance_edge_cap_bytes")).toBe(1234);
    expect(metrics.get("glance_edge_index_up")).toBe(1);
  });

  it("grow with what is downloaded", async () => {
    const image = await keptImage({ size: 100_000 });
    const hits = async () => (await scrape()).get('glance_edge_downloads_total{outcome="hit"}') ?? 0;
    const before = await scrape();
    const had = await hits();
    await (await download(image.id)).arrayBuffer();
    await settled();
    await expect.poll(hits, { timeout: 10_000 }).toBe(had + 1);
    const now = await scrape();
    const grown = (name: string) => (now.get(name) ?? 0) - (before.get(name) ?? 0);
    expect(grown('glance_edge_image_bytes_total{source="cache"}')).toBe(100_000);
    expect(grown('glance_edge_store_first_byte_seconds_bucket{le="+Inf"}')).toBe(1);
    expect(grown("glance_edge_store_first_byte_seconds_count")).toBe(1);
  });

  it("say when each task of the cron last succeeded", async () => {
    await new Cursors(bindings.CATALOG).succeeded("prune", 1_795_422_530_289);
    expect((await scrape()).get('glance_edge_cron_last_success_timestamp_seconds{task="prune"}')).toBe(
      1_795_422_530.289,
    );
  });

  it("say, while D1 is away, that they can't know, and what they know", async () => {
    const fail = () => {
      throw new Error("away");
    };
    const away = { prepare: fail, batch: fail };
    const metrics = await scrape({ env: { CATALOG: away as unknown as D1Database } });
    expect(metrics.get("glance_edge_index_up")).toBe(0);
    expect([...metrics.keys()].filter((name) => name.includes("_total") || name.includes("stored"))).toEqual([]);
    expect(metrics.get("glance_edge_cap_bytes")).toBeGreaterThan(0);
    expect(logged("catalog.unavailable")).not.toEqual([]);
  });

  it("are there while R2, the origin and Keystone are away", async () => {
    const gone = bucketBut({ head: () => Promise.reject(new Error("away")) });
    const metrics = await scrape({ env: { BUCKET: gone, ORIGIN_URL: NOWHERE, KEYSTONE_URL: NOWHERE } });
    expect(metrics.get("glance_edge_index_up")).toBe(1);
  });
});

describe("who may read them", () => {
  const statusOf = async (init: Ask) => {
    const response = await ask("/edge/metrics", init);
    const text = await response.text();
    expect(text.includes("glance_edge_")).toBe(response.status === 200);
    return response.status;
  };

  it.each<[string, number, Ask]>([
    ["the bearer of METRICS_TOKEN", 200, { token: null, headers: BEARER, env: { METRICS_TOKEN } }],
    ["he, whatever Keystone is", 200, { token: null, headers: BEARER, env: { METRICS_TOKEN, KEYSTONE_URL: NOWHERE } }],
    ["an administrator", 200, { token: "admin", env: { KEYSTONE_URL } }],
    ["an administrator, with METRICS_TOKEN set", 200, { token: "admin", env: { KEYSTONE_URL, METRICS_TOKEN } }],
    ["a member", 403, { token: "demo", env: { KEYSTONE_URL, METRICS_TOKEN } }],
    ["nobody", 401, { token: null, env: { KEYSTONE_URL, METRICS_TOKEN } }],
    ["a wrong Bearer", 401, { token: null, headers: { authorization: "Bearer x" }, env: { METRICS_TOKEN } }],
    [
      "part of it",
      401,
      { token: null, headers: { authorization: BEARER.authorization.slice(0, -1) }, env: { METRICS_TOKEN } },
    ],
    [
      "more than it",
      401,
      { token: null, headers: { authorization: `${BEARER.authorization}0` }, env: { METRICS_TOKEN } },
    ],
    [
      "another scheme",
      401,
      { token: null, headers: { authorization: `Basic ${METRICS_TOKEN}` }, env: { METRICS_TOKEN } },
    ],
    ["it as X-Auth-Token", 401, { token: METRICS_TOKEN, env: { METRICS_TOKEN, KEYSTONE_URL } }],
    ["a Bearer where there is none", 403, { token: null, headers: BEARER }],
    ["an administrator without Keystone", 403, { token: "admin" }],
    ["an administrator whom Keystone can't vouch for", 503, { token: "admin", env: { KEYSTONE_URL: NOWHERE } }],
  ])("%s: %i", async (_, status, init) => {
    expect(await statusOf(init)).toBe(status);
  });

  it("is asked for every method and spelling that is the edge's", async () => {
    const env = { METRICS_TOKEN, KEYSTONE_URL };
    expect(await statusOf({ token: null, env, method: "HEAD" })).toBe(401);
    expect(await statusOf({ token: null, env, method: "POST" })).toBe(405);
    const mounted = { ...env, PUBLIC_URL: "https://edge.test/image" };
    expect((await ask("/image/edge/metrics", { token: null, env: mounted })).status).toBe(401);
  });
});
