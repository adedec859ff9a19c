/** The one line in the log that each download leaves. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { keptImage } from "../../support/kept.ts";
import { keepLines, type Line } from "../../support/lines.ts";
import { keystoneUrl } from "../../support/manage.ts";
import { bindings, committed, createImage, download, settled, takeCalls } from "../../support/scenario.ts";

const SIZE = 1_500_000;
const REQUEST_ID = /^req-[0-9a-f-]{36}$/;
const logged = keepLines();
afterEach(async () => void (await takeCalls()));

/** Downloads, and gives the answer and its line. */
async function lineOf(id: string, init: Parameters<typeof download>[1] = {}): Promise<[Response, Line]> {
  const before = logged("download.done").length;
  const response = await download(id, init);
  await response.arrayBuffer().catch(() => undefined);
  await settled();
  await expect.poll(() => logged("download.done").length, { timeout: 10_000 }).toBe(before + 1);
  const line = logged("download.done").at(-1);
  if (line === undefined) throw new Error("there is no line");
  return [response, line];
}

describe("a download leaves one line", () => {
  it("with what it was, its bytes, its times and the ids by which Glance and its caller know it", async () => {
    const image = await keptImage({ size: SIZE });
    const caller = `req-${crypto.randomUUID()}`;
    const headers = { "x-openstack-request-id": caller, range: "bytes=0-9" };
    const [response, line] = await lineOf(image.id, { headers });
    expect(line).toMatchObject({
      level: "info",
      event: "download.done",
      request_id: response.headers.get("x-openstack-request-id"),
      method: "GET",
      path: `/v2/images/${image.id}/file`,
      image_id: image.id,
      outcome: "hit",
      detail: null,
      status: 206,
      bytes: 10,
      global_request_id: caller,
    });
    expect(line.glance_request_id).toMatch(REQUEST_ID);
    expect(line.glance_request_id).not.toBe(line.request_id);
    for (const ms of [line.origin_ms, line.store_ms, line.first_byte_ms]) expect(ms).toBeTypeOf("number");
    expect(Object.keys(line)).not.toContain("user_id");
  });

  it.each<[string, Record<string, unknown>, Parameters<typeof download>[1]]>([
    ["a miss", { outcome: "miss", status: 200, bytes: SIZE, detail: null }, {}],
    ["one that goes alone", { outcome: "alone", detail: "no-room", bytes: SIZE }, { env: { CACHE_MAX_BYTES: "0" } }],
    ["one forwarded", { outcome: "forwarded", detail: "too-large", bytes: SIZE }, { env: { IMAGE_MAX_BYTES: "9" } }],
    ["a refusal", { outcome: "refused", status: 401, detail: "record-refused" }, { token: null }],
    ["HEAD", { outcome: "miss", method: "HEAD", bytes: 0 }, { method: "HEAD" }],
    ["a failure", { outcome: "failed", status: 502, bytes: 0 }, { env: { ORIGIN_URL: "http://127.0.0.1:9" } }],
  ])("also %s", async (_, fields, init) => {
    const image = await createImage({ size: SIZE });
    const [, line] = await lineOf(image.id, init);
    expect(line).toMatchObject(fields);
    if (fields.bytes === SIZE && fields.outcome === "miss") await committed(image.id);
  });
});

describe("with AUDIT", () => {
  const env = { AUDIT: "1", KEYSTONE_URL: keystoneUrl() };

  it("the line says whose it was, and from where", async () => {
    const image = await keptImage({ size: SIZE });
    const [, line] = await lineOf(image.id, { env, headers: { "cf-connecting-ip": "2001:db8::7" } });
    expect(line).toMatchObject({ outcome: "hit", user_id: "demo", client: "2001:db8::7" });
    expect(line.project_id).toBeTypeOf("string");
  });

  it("Keystone is asked once for a token", async () => {
    const image = await keptImage({ size: SIZE });
    await lineOf(image.id, { env, token: "other" });
    const asked = vi.spyOn(globalThis, "fetch");
    await lineOf(image.id, { env, token: "other" });
    const urls = asked.mock.calls.map(([what]) => (what instanceof Request ? what.url : String(what)));
    expect(urls.length).toBeGreaterThan(0);
    expect(urls.filter((url) => url.includes("/auth/tokens"))).toEqual([]);
  });

  it("a Keystone that is away costs the line no more than the names", async () => {
    const image = await keptImage({ size: SIZE });
    const away = { AUDIT: "1", KEYSTONE_URL: "http://127.0.0.1:9" };
    const [response, line] = await lineOf(image.id, { env: away });
    expect(response.status).toBe(200);
    expect(line).toMatchObject({ outcome: "hit", user_id: null, project_id: null });
  });
});

describe("Server-Timing", () => {
  const timing = async (id: string, env: Record<string, string>) => {
    const [response] = await lineOf(id, { env });
    return response.headers.get("server-timing");
  };

  it("is not said unless it is switched on", async () => {
    expect(await timing((await keptImage({ size: SIZE })).id, {})).toBeNull();
  });

  it("says what a hit waited for, and what a first download did", async () => {
    const on = { SERVER_TIMING: "1" };
    expect(await timing((await keptImage({ size: SIZE })).id, on)).toMatch(/^origin;dur=\d+, store;dur=\d+$/);
    const image = await createImage({ size: SIZE });
    expect(await timing(image.id, on)).toMatch(/^origin;dur=\d+, store;dur=\d+, fill;dur=\d+$/);
    await committed(image.id);
  });
});

it("tokens in every header are in no line of the log, whatever becomes of the download", async () => {
  const written: string[] = [];
  for (const method of ["log", "error", "warn", "info", "debug"] as const) {
    vi.spyOn(console, method).mockImplementation((...words: unknown[]) => void written.push(words.join(" ")));
  }
  const secret = `gAAAAAB${crypto.randomUUID().replaceAll("-", "")}`;
  const names = [
    ..."x-auth-token x-service-token x-storage-token x-subject-token authorization cookie proxy-authorization".split(
      " ",
    ),
    ..."x-openstack-request-id cf-connecting-ip user-agent referer x-forwarded-for if-none-match range accept".split(
      " ",
    ),
    ..."traceparent forwarded via cdn-loop origin x-image-meta-name content-type x-anything".split(" "),
  ];
  const headers = Object.fromEntries(names.map((name) => [name, secret]));
  const { id } = await createImage({ size: SIZE });
  const send = async (env: Record<string, string>, path: string, init: RequestInit = {}) => {
    const { default: worker } = await import("../../../src/index.ts");
    const { createExecutionContext, waitOnExecutionContext } = await import("cloudflare:test");
    const { env: bound } = await import("cloudflare:workers");
    const ctx = createExecutionContext();
    const request = new Request(`https://edge.test${path}`, { headers, ...init }) as Parameters<typeof worker.fetch>[0];
    const all = { ...bound, AUDIT: "1", SERVER_TIMING: "1", METRICS_TOKEN: secret, ...env };
    const response = await worker.fetch(request, all as Parameters<typeof worker.fetch>[1], ctx);
    await response.arrayBuffer().catch(() => undefined);
    await waitOnExecutionContext(ctx);
  };
  const file = `/v2/images/${id}/file`;
  for (const KEYSTONE_URL of [keystoneUrl(), "http://127.0.0.1:9", `${bindings.ORIGIN_URL}/nothing`]) {
    for (const path of [file, `/v1/images/${id}`, `/v2/images/${id}`, "/v2/cache", "/edge/metrics", "/edge/health"]) {
      await send({ KEYSTONE_URL }, `${path}?token=${secret}`);
    }
    await send({ KEYSTONE_URL, CACHE_MAX_BYTES: "0" }, file);
    await send({ KEYSTONE_URL, ORIGIN_URL: "http://127.0.0.1:9" }, file);
    await send(
      { KEYSTONE_URL, OS_APPLICATION_CREDENTIAL_ID: "id", OS_APPLICATION_CREDENTIAL_SECRET: secret },
      "/v2/cache",
    );
    // A caller whom the origin knows, with the rest planted still.
    await send({ KEYSTONE_URL }, file, { headers: { ...headers, "x-auth-token": "demo", range: "", accept: "*/*" } });
  }
  expect(written.filter((line) => line.includes("download.done")).length).toBeGreaterThan(6);
  expect(written.filter((line) => line.includes(secret))).toEqual([]);
});
