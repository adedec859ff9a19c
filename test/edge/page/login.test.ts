/** POST /edge/api/login: an application credential for a token. */
import { describe, expect, it, vi } from "vitest";
import { bindings, CONTROL_URL } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";
import { api, expectRefused, got, sending } from "../../support/page.ts";
import type { Ask } from "../../support/scenario.ts";

const lines = keepLines();
const ADMIN = { id: "admin-credential", secret: "admin-secret" };

const logIn = (body: unknown, init: Ask = {}) => api("POST login", { token: null, ...sending(body), ...init });

it("gives an administrator a token that the API takes, until when, and whose it is", async () => {
  const before = Date.now();
  const response = await logIn(ADMIN);
  expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
  const said = await response.json<{ token: string; expires_at: number }>();
  expect(said).toEqual({
    token: expect.stringMatching(/^gAAAAA/),
    expires_at: expect.any(Number),
    user: "admin",
    project: "admin",
  });
  expect(Math.abs(said.expires_at - before - 3_600_000)).toBeLessThan(60_000);
  expect(response.headers.get("set-cookie")).toBeNull();
  await got("GET state", { token: said.token });
});

it.each([
  ["a wrong secret", { ...ADMIN, secret: "wrong" }, 401, /id and secret/],
  ["an unknown id", { ...ADMIN, id: "nobody-credential" }, 401, /id and secret/],
  ["who is no administrator", { id: "demo-credential", secret: "demo-secret" }, 403, /ADMIN_ROLES/],
] as const)("refuses %s, and notes it without id and secret", async (_, body, status, message) => {
  await expectRefused(await logIn(body), status, message);
  expect(lines("login.refused")).toMatchObject([{ status }]);
  expect(JSON.stringify(lines("login.refused"))).not.toMatch(/credential|secret|gAAAAA/);
});

it.each([
  [{ ...ADMIN, secret: "" }],
  [{ id: 1, secret: "x" }],
  [{ id: "x".repeat(256), secret: "x" }],
  [{ ...ADMIN, padding: "x".repeat(5_000) }],
  ["no object"],
])("takes nothing but an id and a secret: %j", async (body) => {
  await expectRefused(await logIn(body), 400, /id and the secret/);
});

it("does not take what a form of another site can send unasked", async () => {
  const init = { headers: { "content-type": "text/plain" } };
  await expectRefused(await logIn(ADMIN, init), 400, /id and the secret/);
});

describe("while Keystone", () => {
  it.each([
    ["answers 500", { status: 500 }],
    ["is a web page", { page: "<html>" }],
    ["gives no token", { page: "{}" }],
  ])("%s is 503, and the log has the reason without the secret", async (_, faults) => {
    const prefix = `/t/login-${crypto.randomUUID()}`;
    const path = `${CONTROL_URL}${prefix}/_demo/keystone`;
    const response = await fetch(path, { method: "PUT", body: JSON.stringify(faults) });
    expect(response.status, await response.text()).toBe(200);
    const env = { KEYSTONE_URL: `${bindings.ORIGIN_URL}${prefix}/v3` };
    await expectRefused(await logIn(ADMIN, { env }), 503, /Keystone does not answer/);
    expect(lines("keystone.unavailable")).toHaveLength(1);
    expect(JSON.stringify(lines("keystone.unavailable"))).not.toContain("admin-secret");
  });

  it("does not answer", async () => {
    await expectRefused(await logIn(ADMIN, { env: { KEYSTONE_URL: "http://127.0.0.1:9" } }), 503, /Keystone/);
  });
});

describe("LOGIN_LIMIT", () => {
  it("bounds attempts by the client's address, before Keystone is asked", async () => {
    const limit = vi.fn(async ({ key }: { key: string }) => ({ success: key !== "192.0.2.1" }));
    const env = { LOGIN_LIMIT: { limit }, KEYSTONE_URL: "http://127.0.0.1:9" };
    const from = (address: string) => ({ env, headers: { ...sending({}).headers, "cf-connecting-ip": address } });
    const refused = await logIn(ADMIN, from("192.0.2.1"));
    expect(refused.headers.get("retry-after")).toBe("60");
    await expectRefused(refused, 429, /Too many attempts/);
    await expectRefused(await logIn(ADMIN, from("192.0.2.2")), 503, /Keystone/);
    expect(lines("login.limited")).toHaveLength(1);
  });

  it("of wrangler.toml ends attempts that go on", async () => {
    const headers = { ...sending({}).headers, "cf-connecting-ip": "192.0.2.77" };
    const statuses: number[] = [];
    for (let at = 0; at < 25; at++) statuses.push((await logIn({}, { headers })).status);
    expect([statuses[0], statuses.at(-1)]).toEqual([400, 429]);
  });

  it("may be left out", async () => {
    const env = { LOGIN_LIMIT: undefined } as object;
    expect((await logIn(ADMIN, { env })).status).toBe(200);
  });
});
