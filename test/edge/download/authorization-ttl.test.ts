/** AUTHORIZATION_TTL: a yes of the origin is remembered for one caller and its time. */
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { keptImage } from "../../support/kept.ts";
import { ask, asks, calls, download, expectCalls, type Image, settled } from "../../support/scenario.ts";

let image: Image;

beforeAll(async () => {
  image = await keptImage({ size: 300_000 });
});

describe("AUTHORIZATION_TTL", () => {
  afterEach(() => vi.useRealTimers());
  const env = { AUTHORIZATION_TTL: "60" };
  const get = async (id: string, token = "demo") => {
    const response = await download(id, { token, env });
    await response.arrayBuffer();
    return `${response.status} ${response.headers.get("cache-status")}`;
  };
  const HIT = "200 glance-edge; hit";
  /** A kept image that demo was allowed a moment ago. */
  const allowed = async (options = {}) => {
    const image = await keptImage({ size: 100_000, ...options });
    expect(await get(image.id)).toBe(HIT);
    await expectCalls(...asks(image.id));
    return image;
  };

  it("believes a positive answer for its time, and asks again after it", async () => {
    const cached = await allowed();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 1000 });
    expect(await get(cached.id)).toBe(HIT);
    vi.setSystemTime(Date.now() + 50_000);
    expect(await get(cached.id)).toBe(HIT);
    await expectCalls();
    vi.setSystemTime(Date.now() + 11_000);
    expect(await get(cached.id)).toBe(HIT);
    await expectCalls(...asks(cached.id));
  });

  it("is for one token: another one is asked for, and refused", async () => {
    const cached = await allowed();
    expect(await get(cached.id, "other")).toBe("404 glance-edge; fwd=bypass; detail=record-refused");
    expect(await get(cached.id, "other")).toBe("404 glance-edge; fwd=bypass; detail=record-refused");
    const calls = [...asks(cached.id), `GET /v2/images/${cached.id}/file`];
    await expectCalls(...calls, ...calls);
  });

  it.each(["X-Storage-Token", "X-Service-Token", "Authorization", "Cookie"])(
    "is for one %s: who sends another one, or none, beside the same token is another caller",
    async (name) => {
      const cached = await allowed();
      const as = async (token: string | null, other: string | null) => {
        const headers: Record<string, string> = other === null ? {} : { [name]: other };
        const response = await download(cached.id, { token, headers, env });
        await response.arrayBuffer();
        return (await calls()).length;
      };
      expect(await as("demo", null)).toBe(0);
      // What the origin makes of it is its affair; that it is asked counts.
      const first = await as("demo", "one");
      expect(first).toBeGreaterThan(0);
      const second = await as("demo", "two");
      expect(second).toBeGreaterThan(first);
      const third = await as(null, "one");
      expect(third).toBeGreaterThan(second);
      expect(await as("other", "one")).toBeGreaterThan(third);
      await expectCalls(`*${asks(cached.id)[0]}`, `*${asks(cached.id)[1]}`, `*GET /v2/images/${cached.id}/file`);
    },
  );

  it.each(["X_Auth_Token", "x_auth-token", "X_Storage_Token", "X_Service_Token", "X.Auth.Token"])(
    "knows nobody by %s, and neither does the origin",
    async (name) => {
      const cached = await keptImage({ size: 100_000 });
      const as = async (token: string | null) => {
        const response = await download(cached.id, { token, headers: { [name]: "demo" }, env });
        await response.arrayBuffer();
        return response.status;
      };
      expect(await as("demo")).toBe(200);
      await expectCalls(...asks(cached.id));
      expect(await as(null)).toBe(401);
      const asked = await expectCalls(...asks(cached.id), `GET /v2/images/${cached.id}/file`);
      for (const { headers } of asked) expect(headers).not.toHaveProperty([name.toLowerCase()]);
    },
  );

  it("is for the token that the origin is shown: who takes it from the request takes it from the key", async () => {
    const cached = await keptImage({ size: 100_000 });
    const response = await download(cached.id, { headers: { connection: "close, X-Auth-Token" }, env });
    await response.arrayBuffer();
    expect(response.status).toBe(401);
    const asked = await expectCalls(...asks(cached.id), `GET /v2/images/${cached.id}/file`);
    expect(asked.map(({ token }) => token)).toEqual([null, null, null]);
  });

  it.each([
    ["POST", "/actions/deactivate", "admin"],
    ["POST", "/members", "demo"],
    ["PATCH", "", "demo"],
  ])("is over at once when %s %s through the edge succeeds", async (method, below, token) => {
    const cached = await allowed({ visibility: "shared" });
    const body = below === "/members" ? { member: "other" } : [{ op: "replace", path: "/name", value: "n" }];
    const change = await ask(`/v2/images/${cached.id}${below}`, {
      method,
      token,
      headers: {
        "content-type": method === "PATCH" ? "application/openstack-images-v2.1-json-patch" : "application/json",
      },
      body: JSON.stringify(body),
    });
    expect(change.ok).toBe(true);
    await change.body?.cancel();
    await settled();
    await expectCalls(`${method} /v2/images/${cached.id}${below}`);
    await get(cached.id);
    await expectCalls(...asks(cached.id), `*GET /v2/images/${cached.id}/file`);
  });

  it("of 0 asks every time", async () => {
    for (const _ of [1, 2]) await (await download(image.id)).arrayBuffer();
    await expectCalls(...asks(image.id), ...asks(image.id));
  });
});
