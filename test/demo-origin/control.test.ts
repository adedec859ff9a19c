/** The control and its log: not for whoever reaches the demo origin through an edge, and without anybody's token. */
import { once } from "node:events";
import { get } from "node:http";
import { describe, expect, test } from "vitest";
import { nameOfToken } from "../../demo/keystone/tokens.ts";
import { startDemoOrigin } from "../../demo/origin.ts";
import { ask, controlOf, requestsOf, useDemoOrigin } from "./support.ts";

const base = useDemoOrigin();

describe("the control", () => {
  const PATHS = ["/_demo/requests", "/_demo/link", "/_demo", "/_demo/", "/%5Fdemo/requests", "//_demo/requests"];
  test.each(PATHS)("%s is on its own port only, where the edge does not forward to", async (path) => {
    const namespace = base();
    for (const method of ["GET", "PUT", "DELETE"]) {
      // Glance's own answer to a path that names no version.
      const response = await ask(namespace + path, { method, ...(method === "PUT" ? { json: {} } : {}) });
      expect([method, response.status]).toEqual([method, 300]);
    }
  });

  test("has nothing of Glance or Keystone", async () => {
    const control = controlOf(base()).replace("/_demo", "");
    for (const path of ["/v2/images", "/v3", "/", "/versions"]) expect((await ask(control + path)).status).toBe(404);
  });

  test.each(["evil.example", "evil.example:80", "127.0.0.1.evil.example"])("refuses the Host %s", async (host) => {
    const control = `${controlOf(base())}/requests`;
    const [response] = await once(get(control, { headers: { host } }), "response");
    response.resume();
    expect(response.statusCode).toBe(403);
  });

  test("and the origin listen on loopback and on no other address", async () => {
    const origin = await startDemoOrigin();
    for (const url of [origin.url, origin.controlUrl]) {
      expect(new URL(url).hostname).toBe("127.0.0.1");
      await expect(fetch(url.replace("127.0.0.1", "127.0.0.2"))).rejects.toThrow();
    }
    await origin.close();
  });
});

describe("the log", () => {
  test("has no secret, but a name for each", async () => {
    const namespace = base();
    const secrets = ["gAAAAA-a-token", "Bearer a-token", "session=a-token"] as const;
    await ask(`${namespace}/v2/images`, {
      token: secrets[0],
      headers: {
        "x-subject-token": secrets[0],
        "x-service-token": secrets[0],
        authorization: secrets[1],
        "proxy-authorization": secrets[1],
        cookie: secrets[2],
      },
    });
    const [logged] = await requestsOf(namespace);
    expect(JSON.stringify(logged)).not.toContain("a-token");
    expect(logged?.token).toMatch(/^sha256:[0-9a-f]{16}$/);
    expect(logged?.token).toBe(nameOfToken(secrets[0]));
    expect(logged?.headers).toMatchObject({ "x-service-token": logged?.token, cookie: nameOfToken(secrets[2]) });
  });

  test("names a token by which its holder can be found and refused", async () => {
    const namespace = base();
    const identity = { methods: ["password"], password: { user: { name: "demo", password: "demo" } } };
    const given = await ask(`${namespace}/v3/auth/tokens`, { method: "POST", json: { auth: { identity } } });
    const token = given.headers.get("x-subject-token") ?? "";
    expect((await ask(`${namespace}/v2/images`, { token })).status).toBe(200);
    const name = (await requestsOf(namespace)).at(-1)?.token;
    const revoke = () => ask(`${controlOf(namespace)}/tokens/${name}`, { method: "DELETE" });
    expect((await revoke()).status).toBe(204);
    expect((await ask(`${namespace}/v2/images`, { token })).status).toBe(401);
    expect((await revoke()).status).toBe(404);
  });

  test("forgets the oldest requests", async () => {
    const origin = await startDemoOrigin();
    const flood = async (): Promise<void> => {
      for (let n = 0; n < 1000; n++) await (await fetch(`${origin.url}/healthcheck?${n}`)).arrayBuffer();
    };
    await (await fetch(`${origin.url}/healthcheck?first`)).arrayBuffer();
    await Promise.all(Array.from({ length: 11 }, flood));
    const log = (await (await fetch(`${origin.controlUrl}/_demo/requests`)).json()) as { path: string }[];
    expect(log).toHaveLength(10_000);
    expect(log.filter(({ path }) => path.endsWith("?first"))).toEqual([]);
    await origin.close();
  });
});
