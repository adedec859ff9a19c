/** The receiver of notifications that the tests' origin has beside it. */
import { expect, test } from "vitest";
import { ask, controlOf, put, useDemoOrigin } from "./support.ts";

const base = useDemoOrigin();
const inbox = () => `${controlOf(base())}/notifications`;

async function statuses(url: string): Promise<unknown[]> {
  const deliveries = (await (await ask(url)).json()) as { status: number }[];
  return deliveries.map(({ status }) => status);
}

async function post(url: string, json: unknown): Promise<number> {
  return (await ask(url, { method: "POST", json, headers: { "content-type": "application/json" } })).status;
}

test("takes JSON and shows what came, in order", async () => {
  const url = inbox();
  expect(await post(url, [1])).toBe(204);
  expect((await ask(url, { method: "POST", json: { a: 2 }, headers: { authorization: "Basic x" } })).status).toBe(204);
  expect(await (await ask(url)).json()).toEqual([
    { status: 204, contentType: "application/json", authorization: null, body: [1], at: expect.any(Number) },
    {
      status: 204,
      contentType: expect.stringContaining("text/plain"),
      authorization: "Basic x",
      body: { a: 2 },
      at: expect.any(Number),
    },
  ]);
});

test("answers a status so many times, and shows what it refused", async () => {
  const url = inbox();
  await put(url, { status: 500, times: 2 });
  expect([await post(url, [1]), await post(url, [1]), await post(url, [1])]).toEqual([500, 500, 204]);
  expect(await statuses(url)).toEqual([500, 500, 204]);
});

test("answers a status until it is told otherwise", async () => {
  const url = inbox();
  await put(url, { status: 403 });
  expect([await post(url, [1]), await post(url, [1]), await post(url, [1])]).toEqual([403, 403, 403]);
  await put(url, {});
  expect(await post(url, [1])).toBe(204);
});

test("answers a status, with fields of its own, to what has a text in it, and takes the rest", async () => {
  const url = inbox();
  await put(url, { status: 400, containing: "bad", headers: { "Retry-After": "7" } });
  const refused = await ask(url, { method: "POST", json: ["good", { a: "too bad" }] });
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([400, "7"]);
  const taken = await ask(url, { method: "POST", json: ["good"] });
  expect([taken.status, taken.headers.get("retry-after")]).toEqual([204, null]);
});

test("a redirect leads somewhere", async () => {
  const url = inbox();
  await put(url, { status: 302 });
  const response = await fetch(url, { method: "POST", body: "[]", redirect: "manual" });
  expect([response.status, response.headers.get("location")]).toEqual([302, url.replace("notifications", "requests")]);
});

test("answers late", async () => {
  const url = inbox();
  await put(url, { delayMs: 200 });
  const began = performance.now();
  expect(await post(url, [1])).toBe(204);
  expect(performance.now() - began).toBeGreaterThan(195);
});

test("is emptied, and is that of one namespace", async () => {
  const url = inbox();
  const other = inbox();
  await post(url, [1]);
  await post(other, [2]);
  expect((await ask(url, { method: "DELETE" })).status).toBe(204);
  expect([await statuses(url), await statuses(other)]).toEqual([[], [204]]);
});

test("is in no log of requests", async () => {
  const url = inbox();
  await post(url, [1]);
  expect(await (await ask(url.replace("notifications", "requests"))).json()).toEqual([]);
});

test.each([
  ["POST", "text", 400],
  ["PUT", { state: 500 }, 400],
  ["PUT", { status: 99 }, 400],
  ["PUT", { times: -1 }, 400],
  ["PATCH", {}, 405],
])("refuses %s %j with %i", async (method, json, status) => {
  const url = inbox();
  expect((await ask(url, { method, json })).status).toBe(status);
  expect(await statuses(url)).toEqual([]);
});
