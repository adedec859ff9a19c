/** The page's files: headers that keep it to itself, wherever the edge is mounted. The files here are the test's own. */
import { describe, expect, it } from "vitest";
import type { Env } from "../../../src/settings.ts";
import { type Ask, ask } from "../../support/scenario.ts";

const FILES: Readonly<Record<string, string>> = { "/index.html": "<html>", "/assets/index-abc.js": "js" };

const ASSETS = {
  fetch: async (input: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(input, init as RequestInit<RequestInitCfProperties>);
    const text = FILES[new URL(request.url).pathname];
    if (text === undefined) return new Response("not found", { status: 404 });
    const headers = { "content-type": "text/html", etag: '"e"', "cache-control": "public" };
    if (request.headers.get("if-none-match") === '"e"') return new Response(null, { status: 304, headers });
    return new Response(request.method === "HEAD" ? null : text, { headers });
  },
} as unknown as Fetcher;

const file = (path: string, { env, ...init }: Ask = {}) => ask(path, { token: null, ...init, env: { ASSETS, ...env } });

describe("the page", () => {
  it("is there without a token and without Keystone, for the page's own files only, and in nobody's frame", async () => {
    const response = await file("/edge/", { env: { KEYSTONE_URL: "" } });
    expect([response.status, await response.text()]).toEqual([200, "<html>"]);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy.split("; ")).toEqual(
      expect.arrayContaining(["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]),
    );
    expect(policy).not.toMatch(/unsafe|https?:|data:|\*/);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("referrer-policy")).toBe("no-referrer");
    expect(response.headers.get("cache-control")).toBe("no-cache");
  });

  it("is not sent again to who has it", async () => {
    const response = await file("/edge/", { headers: { "if-none-match": '"e"' } });
    expect([response.status, await response.text()]).toEqual([304, ""]);
  });

  it("keeps its hashed files for a year", async () => {
    const response = await file("/edge/assets/index-abc.js");
    expect([response.status, await response.text()]).toEqual([200, "js"]);
    expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("answers HEAD without a body", async () => {
    const response = await file("/edge/", { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  it.each(["/edge", "/edge?x=1"])("is led to from %s", async (path) => {
    const response = await file(path);
    expect([response.status, response.headers.get("location")]).toEqual([308, "https://edge.test/edge/"]);
  });

  it("is below the path of PUBLIC_URL", async () => {
    const env: Partial<Env> = { PUBLIC_URL: "https://cloud.example/image" };
    expect((await file("/image/edge/", { env })).status).toBe(200);
    const moved = await file("/image/edge", { env });
    expect(moved.headers.get("location")).toBe("https://cloud.example/image/edge/");
  });
});

it.each(["/edge/nothing", "/edge/assets/", "/edge//index.html"])("there is no %s", async (path) => {
  const response = await file(path);
  expect(response.status).toBe(404);
  expect(await response.text()).not.toContain("<html>");
});

it("without its files the edge says what is missing", async () => {
  const response = await ask("/edge/", { token: null, env: { ASSETS: undefined } as object });
  expect(response.status).toBe(503);
  expect(await response.text()).toContain("ASSETS");
});
