/** GET /edge/health and /edge/ready: what each says of what the edge needs, and how little asking costs. */
import { createExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import worker from "../../../src/index.ts";
import { Recent } from "../../../src/lib/recent.ts";
import { health } from "../../../src/observe/health.ts";
import { ready } from "../../../src/observe/ready.ts";
import type { Env } from "../../../src/settings.ts";
import { bucketBut, reachedFills } from "../../support/bindings.ts";
import { CONTROL_URL } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";
import { edgeBefore, ownOrigin } from "../../support/own-origin.ts";
import { ask, bindings, takeCalls } from "../../support/scenario.ts";

const NOWHERE = "http://127.0.0.1:9";
const logged = keepLines();
afterEach(async () => void (await takeCalls()));

interface Health {
  status: string;
  failing: string[];
  checked_at: string;
  checks: Record<string, { ok: boolean; ms: number; why: string | null }>;
}

const away = () => {
  throw new Error("away");
};
const NO_R2 = { BUCKET: bucketBut({ head: away, get: away }) };
const NO_D1 = { CATALOG: { prepare: away, batch: away } as unknown as D1Database };
const NO_FILL = { FILL: reachedFills(() => false).fills };

async function healthOf(env: Partial<Env> = {}, user: "admin" | null = "admin"): Promise<[number, Health]> {
  const response = await health(edgeBefore(ownOrigin(), user, { env }), new Recent());
  return [response.status, await response.json()];
}

async function readiness(env: Partial<Env> = {}): Promise<[number, string]> {
  const response = await ready(edgeBefore(ownOrigin(), null, { env }), new Recent());
  return [response.status, await response.text()];
}

// The first of this file: nothing is remembered yet.
it("many who ask cost the origin two questions, one for each path", async () => {
  const { url } = ownOrigin();
  const env = { ...bindings, ORIGIN_URL: url };
  await Promise.all(
    Array.from({ length: 40 }, async (_, at) => {
      const path = at % 2 === 0 ? "/edge/health" : "/edge/ready";
      const request = new Request(`https://edge.test${path}`) as Parameters<typeof worker.fetch>[0];
      const response = await worker.fetch(request, env, createExecutionContext());
      expect(response.status).toBe(200);
      await response.arrayBuffer();
    }),
  );
  const control = `${CONTROL_URL}${new URL(url).pathname}/_demo/requests`;
  const asked: { path: string }[] = await (await fetch(control)).json();
  expect(asked.map(({ path }) => path)).toEqual(["/versions", "/versions"]);
});

describe("the health of an edge", () => {
  it("that has all it needs is 200, with how long each took", async () => {
    const [status, said] = await healthOf();
    expect([status, said.status, said.failing]).toEqual([200, "ok", []]);
    expect(Object.keys(said.checks).sort()).toEqual(
      ["d1", "durable_object", "keystone", "origin", "r2", "service_account", "settings"].sort(),
    );
    for (const { ok, ms, why } of Object.values(said.checks)) {
      expect([ok, why]).toEqual([true, null]);
      expect(ms).toBeGreaterThanOrEqual(0);
    }
    expect(Math.abs(Date.parse(said.checked_at) - Date.now())).toBeLessThan(10_000);
  });

  it("says what is not set, which is no failure", async () => {
    const [status, said] = await healthOf({ KEYSTONE_URL: "" }, null);
    expect(status).toBe(200);
    expect(said.checks.keystone).toMatchObject({ ok: true, why: expect.stringContaining("KEYSTONE_URL is not set") });
    expect(said.checks.service_account).toMatchObject({ ok: true, why: "there are no service credentials" });
  });

  it.each<[string, Partial<Env>, string, RegExp]>([
    ["R2", NO_R2, "r2", /bucket/],
    ["D1", NO_D1, "d1", /migrations/],
    ["the Durable Object", NO_FILL, "durable_object", /no Durable Object answers/],
    ["the origin", { ORIGIN_URL: NOWHERE }, "origin", /^can't be reached$/],
  ])("without %s is 503, and says so", async (_, env, name, why) => {
    const [status, said] = await healthOf(env);
    expect([status, said.status, said.failing]).toEqual([503, "failing", [name]]);
    expect(said.checks[name]?.why).toMatch(why);
    expect(logged("health.failed")).toMatchObject([{ check: name }]);
  });

  it("without Keystone is 503 for it and the edge's own account", async () => {
    const [status, said] = await healthOf({ KEYSTONE_URL: NOWHERE });
    expect([status, said.failing]).toEqual([503, ["keystone", "service_account"]]);
  });

  it("with a refused credential says that", async () => {
    const [, said] = await healthOf({ OS_APPLICATION_CREDENTIAL_ID: "x", OS_APPLICATION_CREDENTIAL_SECRET: "hush" });
    expect(said.failing).toEqual(["service_account"]);
    expect(said.checks.service_account?.why).toContain("refuses the application credential");
    expect(JSON.stringify(said)).not.toContain("hush");
  });

  it("with a wrong address says what answers there", async () => {
    const [, said] = await healthOf({ ORIGIN_URL: `${ownOrigin().url}/v3/nothing` });
    expect(said.failing).toContain("origin");
    expect(JSON.stringify(said)).not.toContain("http");
  });

  it("with a wrong setting is 503 and names it", async () => {
    for (const path of ["/edge/health", "/image/edge/health", "/edge/ready"]) {
      const response = await ask(path, { token: null, env: { ALONE_MAX: "many" } });
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({
        status: "failing",
        failing: ["settings"],
        checks: { settings: { ok: false, why: expect.stringContaining("ALONE_MAX") } },
      });
    }
  });

  it("needs no token, and names no address", async () => {
    const response = await ask("/edge/health", { token: null });
    expect(response.headers.get("cache-control")).toBe("no-store");
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ status: "ok" });
    expect(text).not.toContain("http");
    expect((await ask("/edge/health", { token: null, method: "HEAD" })).status).toBe(200);
    expect((await ask("/edge/health", { token: null, method: "DELETE" })).status).toBe(405);
  });
});

describe("an edge is ready", () => {
  it.each<[string, Partial<Env>]>([
    ["with all it needs", {}],
    ["without R2", NO_R2],
    ["without D1", NO_D1],
    ["without a Durable Object", NO_FILL],
    ["without Keystone", { KEYSTONE_URL: NOWHERE }],
  ])("%s", async (_, env) => {
    expect(await readiness(env)).toEqual([200, "ready\n"]);
  });

  it("but not without the origin", async () => {
    expect(await readiness({ ORIGIN_URL: NOWHERE })).toEqual([503, "not ready: the origin can't be reached\n"]);
  });

  it("needs no token", async () => {
    expect((await ask("/edge/ready", { token: null })).status).toBe(200);
  });
});
