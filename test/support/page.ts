/** Requests to the page's API, as whoever the demo origin's Keystone knows. */
import { expect } from "vitest";
import { keystoneUrl } from "./manage.ts";
import { type Ask, ask } from "./scenario.ts";

/** Asks as an admin, or as whoever else has the token. @param line method and path below /edge/api/ */
export async function api(line: string, { env, ...init }: Ask = {}): Promise<Response> {
  const [method = "", path = ""] = line.split(" ");
  return ask(`/edge/api/${path}`, { token: "admin", method, ...init, env: { KEYSTONE_URL: keystoneUrl(), ...env } });
}

/** A D1 that does not answer. */
export const NO_CATALOG = {
  CATALOG: {
    prepare: () => {
      throw new Error("D1 is down");
    },
  } as unknown as D1Database,
};

export function sending(value: unknown): Pick<Ask, "headers" | "body"> {
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}

/** What a request is answered with that succeeds. */
export async function got<T>(line: string, init?: Ask): Promise<T> {
  const response = await api(line, init);
  expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
  return response.json();
}

/** The API's refusal of a request, with words of this kind. */
export async function expectRefused(response: Response, status: number, message: RegExp): Promise<void> {
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(response.headers.get("x-openstack-request-id")).toMatch(/^req-/);
  expect(await response.json()).toEqual({ error: { status, message: expect.stringMatching(message) } });
}
