import { describe, expect, it } from "vitest";
import { edgeName, hasPassed, markPassed } from "../../../src/http/loop.ts";

const named = (origin: string, publicUrl: string | null = null) => edgeName({ origin, publicUrl });
const NAME = named("https://cloud.example/image");

describe("the name of an edge", () => {
  it("is a token of HTTP, the same for the same origin", () => {
    expect(NAME).toMatch(/^glance-edge-[0-9a-f]{16}$/);
    expect(named("https://cloud.example/image")).toBe(NAME);
  });

  it("is another one for another origin, so that edges may stand in a chain", () => {
    const origins = ["https://cloud.example", "http://cloud.example/image", "https://cloud.example/image2", ""];
    expect(new Set([NAME, ...origins.map((origin) => named(origin))]).size).toBe(5);
  });
});

it("another name is that of an edge at another PUBLIC_URL with the same ORIGIN_URL, which each may find elsewhere", () => {
  const edges = [null, "https://one.example", "https://two.example"].map((url) => named("https://glance.example", url));
  expect(new Set(edges).size).toBe(3);
  expect(named("https://glance.example", "https://one.example")).toBe(edges[1]);
});

describe("a request", () => {
  it("has passed the edge that marked it, and no other one", () => {
    const headers = new Headers();
    expect(hasPassed(headers, NAME)).toBe(false);
    markPassed(headers, NAME);
    expect(hasPassed(headers, NAME)).toBe(true);
    expect(hasPassed(headers, named("https://cloud.example"))).toBe(false);
    expect([...headers]).toEqual([
      ["cdn-loop", NAME],
      ["via", `1.1 ${NAME}`],
    ]);
  });

  it("keeps the entries that it came with, in their order", () => {
    const headers = new Headers({ via: "2 proxy.example (a, b)", "cdn-loop": "cloudflare; loops=1" });
    markPassed(headers, NAME);
    markPassed(headers, "glance-edge-other");
    expect(headers.get("via")).toBe(`2 proxy.example (a, b), 1.1 ${NAME}, 1.1 glance-edge-other`);
    expect(headers.get("cdn-loop")).toBe(`cloudflare; loops=1, ${NAME}, glance-edge-other`);
    for (const name of [NAME, "glance-edge-other"]) expect(hasPassed(headers, name)).toBe(true);
  });

  it.each([
    ["via", `1.1 ${NAME}`],
    ["via", `HTTP/1.1 ${NAME.toUpperCase()} (comment, with comma)`],
    ["via", `2 a, 1.1\t${NAME} , 3 b`],
    ["via", `1.1 a (1.1 b, c),1.1 ${NAME}`],
    ["cdn-loop", NAME],
    ["cdn-loop", `cloudflare; loops=2 ,${NAME}; seen=1`],
    ["cdn-loop", `Fastly,\t${NAME.toUpperCase()}`],
  ])("has passed with %s: %s", (field, value) => {
    expect(hasPassed(new Headers({ [field]: value }), NAME)).toBe(true);
  });

  it.each([
    ["via", NAME],
    ["via", `1.1 ${NAME}0`],
    ["via", `1.1 a (1.1 b, 1.1 ${NAME})`],
    ["via", "1.1"],
    ["via", ","],
    ["cdn-loop", `${NAME}0`],
    ["cdn-loop", `cloudflare; x=${NAME}`],
    ["cdn-loop", `1.1 ${NAME}`],
    ["x-via", `1.1 ${NAME}`],
  ])("has not passed with %s: %s", (field, value) => {
    expect(hasPassed(new Headers({ [field]: value }), NAME)).toBe(false);
  });
});
