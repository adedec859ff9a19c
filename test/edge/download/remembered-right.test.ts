/** What the edge remembers of a right (AUTHORIZATION_TTL) ends with any change that may concern it, in any spelling. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { ask, asks, cacheImage, createImage, download, expectCalls, isCommitted } from "../../support/scenario.ts";

const env = { AUTHORIZATION_TTL: "60" };
const HIT = "200 glance-edge; hit";

afterEach(() => vi.restoreAllMocks());

async function get(id: string): Promise<string> {
  const response = await download(id, { env });
  await response.arrayBuffer();
  return `${response.status} ${response.headers.get("cache-status")}`;
}

/** The origin does what the next request asks, and something in front of it gives another answer. */
function answerInPlace(status: number): void {
  const send = globalThis.fetch;
  vi.spyOn(globalThis, "fetch").mockImplementationOnce(async (...request) => {
    await (await send(...request)).body?.cancel();
    return new Response(null, { status });
  });
}

/** The next request to the origin waits before it is sent. */
function hold(): { readonly arrived: Promise<void>; readonly goOn: () => void } {
  const send = globalThis.fetch;
  const [arrived, going] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  vi.spyOn(globalThis, "fetch").mockImplementationOnce(async (...request) => {
    arrived.resolve();
    await going.promise;
    return send(...request);
  });
  return { arrived: arrived.promise, goOn: going.resolve };
}

describe("a right that is remembered", () => {
  it.each([
    ["POST", "/v2.7/images/{id}/actions/deactivate"],
    ["POST", "//v2//images//{id}//actions/deactivate"],
    ["POST", "/v2/images/{%}/actions/deactivate"],
    ["POST", "/v2%2Fimages%2F{id}%2Factions%2Fdeactivate"],
    ["POST", "/v2/images/{id}/actions%2Fdeactivate?a=b"],
    ["POST", "/images/{id}/actions/deactivate"],
  ])(
    "is over at once when %s %s succeeds: Glance takes that for the image, and refuses its data now",
    async (method, spelling) => {
      const cached = await createImage({ size: 100_000 });
      await cacheImage(cached.id);
      expect(await get(cached.id)).toBe(HIT);
      await expectCalls();
      const first = `%${cached.id.charCodeAt(0).toString(16)}`;
      const path = spelling.replace("{id}", cached.id).replace("{%}", first + cached.id.slice(1));
      const headers = path.startsWith("/images") ? { accept: "application/vnd.openstack.images-v2" } : {};
      const change = await ask(path, { method, token: "admin", headers });
      expect(change.status).toBe(204);
      await expectCalls(`${method} ${path}`);
      expect(await get(cached.id)).toBe("403 glance-edge; fwd=bypass; detail=deactivated");
      await expectCalls(...asks(cached.id), `GET /v2/images/${cached.id}/file`);
    },
  );

  it.each([
    ["POST", "/v2/images/{id}/actions/deactivate", "other"],
    ["PATCH", "/v2/images/{id}/nothing", "demo"],
    ["DELETE", "/v2/images/{id}/", "demo"],
    ["OPTIONS", "/v2/images/{id}", "demo"],
    ["POST", "/v2/images", "demo"],
  ])("goes on after %s %s as %s, which changed nothing", async (method, path, token) => {
    const cached = await createImage({ size: 100_000 });
    await cacheImage(cached.id);
    expect(await get(cached.id)).toBe(HIT);
    const body = method === "POST" ? JSON.stringify({ disk_format: "raw", container_format: "bare" }) : null;
    const headers = { "content-type": "application/json" };
    const response = await ask(path.replace("{id}", cached.id), { method, token, headers, body });
    expect(response.ok).toBe(method === "OPTIONS" || path === "/v2/images");
    await response.arrayBuffer();
    await expectCalls(`${method} ${path.replace("{id}", cached.id)}`);
    expect(await get(cached.id)).toBe(HIT);
    await expectCalls();
  });

  it.each([500, 502, 503, 504, 303])(
    "is over when a change is answered %i, which may have come from somebody in between: it was done",
    async (status) => {
      const cached = await createImage({ size: 100_000 });
      await cacheImage(cached.id);
      expect(await get(cached.id)).toBe(HIT);
      const path = `/v2/images/${cached.id}/actions/deactivate`;
      answerInPlace(status);
      const change = await ask(path, { method: "POST", token: "admin" });
      expect(change.status).toBe(status);
      await expectCalls(`POST ${path}`);
      expect(await get(cached.id)).toBe("403 glance-edge; fwd=bypass; detail=deactivated");
      await expectCalls(...asks(cached.id), `GET /v2/images/${cached.id}/file`);
    },
  );

  it("is over while a change is on its way, and there again when that is refused", async () => {
    const cached = await createImage({ size: 100_000 });
    await cacheImage(cached.id);
    expect(await get(cached.id)).toBe(HIT);
    const path = `/v2/images/${cached.id}/actions/deactivate`;
    const { arrived, goOn } = hold();
    const change = ask(path, { method: "POST", token: "other" });
    await arrived;
    // A client that hangs up now ends the edge's request, and the origin may carry it out all the same.
    expect(await get(cached.id)).toBe(HIT);
    await expectCalls(...asks(cached.id));
    goOn();
    expect((await change).status).toBe(404);
    await expectCalls(`POST ${path}`);
    expect(await get(cached.id)).toBe(HIT);
    await expectCalls();
  });

  it.each([500, 303])(
    "is over when a deletion is answered %i, but the image stays until somebody says yes",
    async (status) => {
      const cached = await createImage({ size: 100_000 });
      await cacheImage(cached.id);
      const path = `/v2/images/${cached.id}`;
      answerInPlace(status);
      expect((await ask(path, { method: "DELETE", token: "admin" })).status).toBe(status);
      await expectCalls(`DELETE ${path}`);
      expect(await isCommitted(cached.id)).toBe(true);
    },
  );

  it("is over when the origin falls silent over a change: it may have done it", async () => {
    const cached = await createImage({ size: 100_000 });
    await cacheImage(cached.id);
    expect(await get(cached.id)).toBe(HIT);
    const path = `/v2/images/${cached.id}`;
    const response = await ask(path, { method: "PATCH", env: { ORIGIN_URL: "http://127.0.0.1:9" } });
    expect(response.status).toBe(502);
    expect(await get(cached.id)).toBe(HIT);
    await expectCalls(...asks(cached.id));
    // Nor is it evicted.
    await ask(path, { method: "DELETE", env: { ORIGIN_URL: "http://127.0.0.1:9" } });
    expect(await isCommitted(cached.id)).toBe(true);
  });
});
