import { beforeEach, describe, expect, it } from "vitest";
import { KeystoneUnavailable } from "../../../src/keystone/api.ts";
import { ServiceCredentialRefused, ServiceTokenMemory, ServiceTokens } from "../../../src/keystone/service-tokens.ts";
import { validateToken } from "../../../src/keystone/validate-token.ts";
import { type Endpoint, fetchBy } from "../../../src/lib/fetch.ts";
import { askManager, type ManagerAnswer } from "../../../src/manage/rights.ts";
import { bindings, CONTROL_URL } from "../../support/env.ts";
import { ask, expectCalls, loggedName } from "../../support/scenario.ts";

/** An origin of each test's own, whose Keystone others do not see. */
let origin = "";
let controlUrl = "";
let keystone: Endpoint;
let memory = new ServiceTokenMemory();
let clock = 0;

const MINUTE = 60_000;
const MIB = 2 ** 20;
const NOWHERE = "http://127.0.0.1:9/v3";
const ADMIN = { id: "admin-credential", secret: "admin-secret" };
const DEMO = { id: "demo-credential", secret: "demo-secret" };
const MEMBER_ROLES = ["member", "reader"];

beforeEach(() => {
  const prefix = `/t/keystone-${crypto.randomUUID()}`;
  origin = bindings.ORIGIN_URL + prefix;
  controlUrl = CONTROL_URL + prefix;
  keystone = at(`${origin}/v3`);
  memory = new ServiceTokenMemory();
  clock = 0;
});

function at(url: string): Endpoint {
  return { url, fetch: fetchBy(undefined) };
}

const service = (credential = ADMIN, url = keystone) => new ServiceTokens(url, credential, memory, () => clock);

/** A token that Keystone gives the user now. */
async function issue(user: string): Promise<string> {
  const identity = { methods: ["password"], password: { user: { name: user, password: user } } };
  const response = await fetch(`${keystone.url}/auth/tokens`, {
    method: "POST",
    body: JSON.stringify({ auth: { identity } }),
  });
  await response.body?.cancel();
  const token = response.headers.get("x-subject-token");
  if (token === null) throw new Error(`Keystone gives ${user} no token: ${response.status}`);
  return token;
}

async function revoke(token: string): Promise<void> {
  const headers = { "x-auth-token": "admin", "x-subject-token": token };
  expect((await fetch(`${keystone.url}/auth/tokens`, { method: "DELETE", headers })).status).toBe(204);
}

/** What is wrong or different with this test's Keystone from now on. */
async function setKeystone(faults: Readonly<Record<string, unknown>>): Promise<void> {
  const response = await fetch(`${controlUrl}/_demo/keystone`, { method: "PUT", body: JSON.stringify(faults) });
  expect(response.status, await response.text()).toBe(200);
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly token: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** What this test's Keystone was asked since the last look. */
async function asked(): Promise<Asked[]> {
  const all = await (await fetch(`${controlUrl}/_demo/requests`)).json<Asked[]>();
  await fetch(`${controlUrl}/_demo/requests`, { method: "DELETE" });
  return all;
}

/** Waits until this test's Keystone has got so many requests since the last look. */
async function untilAsked(times: number): Promise<void> {
  const count = async () => (await (await fetch(`${controlUrl}/_demo/requests`)).json<Asked[]>()).length;
  await expect.poll(count, { timeout: 3_000 }).toBe(times);
}

describe("a token", () => {
  it("that Keystone knows is valid, with its user, project and roles", async () => {
    expect(await validateToken(keystone, await issue("demo"), null)).toEqual({
      kind: "valid",
      identity: { userId: "demo", projectId: "demo", roles: MEMBER_ROLES },
    });
  });

  it("is asked about once, with itself, without the catalogue, and without a promise to keep access rules", async () => {
    await validateToken(keystone, "demo", service());
    const [call, ...more] = await asked();
    expect(more).toEqual([]);
    expect(call).toMatchObject({ method: "GET", path: "/v3/auth/tokens?nocatalog", token: "demo" });
    expect(call?.headers).toMatchObject({ "x-subject-token": "demo" });
    expect(call?.headers).not.toHaveProperty("openstack-identity-access-rules");
  });

  it.each(["nobody", "gAAAAABl", "demo, admin"])("%j that Keystone does not know is invalid", async (token) => {
    expect(await validateToken(keystone, token, null)).toEqual({ kind: "invalid" });
    expect(await validateToken(keystone, token, service())).toEqual({ kind: "invalid" });
  });

  it("that was revoked between two calls is refused at once", async () => {
    const token = await issue("demo");
    expect(await validateToken(keystone, token, service())).toMatchObject({ kind: "valid" });
    await revoke(token);
    expect(await validateToken(keystone, token, service())).toEqual({ kind: "invalid" });
  });

  it("that has expired is invalid", async () => {
    await setKeystone({ lifetimeSeconds: 1 });
    const token = await issue("demo");
    await expect.poll(() => validateToken(keystone, token, null), { timeout: 3_000 }).toEqual({ kind: "invalid" });
  });
});

describe("where no token may validate itself", () => {
  beforeEach(() => setKeystone({ noSelfValidation: true }));

  it("the edge's own one does it", async () => {
    expect(await validateToken(keystone, "demo", service())).toEqual({
      kind: "valid",
      identity: { userId: "demo", projectId: "demo", roles: MEMBER_ROLES },
    });
    const { token } = await service().get();
    expect((await asked()).map((call) => [call.method, call.token])).toEqual([
      ["GET", "demo"],
      ["POST", null],
      ["GET", await loggedName(token)],
    ]);
  });

  it("a token that Keystone does not know is still invalid, and so is one that goes meanwhile", async () => {
    expect(await validateToken(keystone, "nobody", service())).toEqual({ kind: "invalid" });
    const token = await issue("demo");
    const own = service();
    // Revoked after Keystone has forbidden its own question, and before the edge asks with its own token.
    own.get = async () => {
      await revoke(token);
      return ServiceTokens.prototype.get.call(own);
    };
    expect(await validateToken(keystone, token, own)).toEqual({ kind: "invalid" });
  });

  it("an own token that was revoked is replaced by a new one, once", async () => {
    const { token } = await service().get();
    await revoke(token);
    await asked();
    expect(await validateToken(keystone, "demo", service())).toMatchObject({ kind: "valid" });
    expect((await asked()).map((call) => call.method)).toEqual(["GET", "GET", "POST", "GET"]);
    expect((await service().get()).token).not.toBe(token);
  });

  it("an own token that is refused as soon as it was given is no reason to ask for ever", async () => {
    const own = service();
    own.get = async () => {
      const given = await ServiceTokens.prototype.get.call(own);
      await revoke(given.token);
      return given;
    };
    await expect(validateToken(keystone, "demo", own)).rejects.toThrow(KeystoneUnavailable);
  });

  it.each([
    ["has none", () => null],
    ["may not validate others", () => service(DEMO)],
    ["has wrong credentials", () => service({ ...ADMIN, secret: "x" })],
    ["finds Keystone gone", () => service(ADMIN, at(NOWHERE))],
  ])("and the edge %s, nobody knows", async (_, own) => {
    await expect(validateToken(keystone, "demo", own())).rejects.toThrow(KeystoneUnavailable);
  });
});

/** A token as Keystone shows it, but for its id, which is in a header. */
const HOUR = { issued_at: "2026-11-23T08:00:00.000000Z", expires_at: "2026-11-23T09:00:00.000000Z" };
const SHOWN = { user: { id: "u" }, project: { id: "p" }, roles: [{ name: "Cloud_Admin" }], ...HOUR };
const ID = { "X-Subject-Token": "t" };
const page = (token: unknown) => JSON.stringify({ token });

/** Ways of Keystone, or of what stands in its place, not to do its work. */
const OUTAGES: [string, Readonly<Record<string, unknown>>][] = [
  ["answers 500", { status: 500 }],
  ["answers 503", { status: 503 }],
  ["answers 429", { status: 429 }],
  ["answers 400", { status: 400 }],
  ["is a web page", { page: "<html>Welcome</html>" }],
  ["is a web page that is not found, as with a wrong KEYSTONE_URL", { status: 404, page: "<html>" }],
  ["is a web page that forbids", { status: 403, page: "<html>" }],
  ["answers other JSON", { page: '{"version": {}}' }],
  ["answers other JSON with 201", { status: 201, page: '{"version": {}}' }],
  ["answers nothing", { page: "" }],
];

async function meaningOf(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
    return "not yet";
  } catch (cause) {
    if (cause instanceof KeystoneUnavailable) return "an outage";
    throw cause;
  }
}

describe("no word of Keystone is no word about the token", () => {
  it.each(OUTAGES)("when Keystone %s", async (_, faults) => {
    await setKeystone(faults);
    await expect(service().get()).rejects.toThrow(KeystoneUnavailable);
    await asked();
    await expect(validateToken(keystone, "demo", service())).rejects.toThrow(KeystoneUnavailable);
    expect((await asked()).map((call) => call.method)).toEqual(["GET"]);
    await setKeystone({});
    expect(await validateToken(keystone, "demo", null)).toMatchObject({ kind: "valid" });
  });

  it("when it answers a validation as it answers a log-in, or the other way round", async () => {
    await setKeystone({ status: 201, page: page(SHOWN), headers: ID });
    expect((await service().get()).token).toBe("t");
    await expect(validateToken(keystone, "demo", null)).rejects.toThrow(KeystoneUnavailable);
    memory = new ServiceTokenMemory();
    await setKeystone({ page: page(SHOWN), headers: ID });
    expect((await validateToken(keystone, "demo", null)).kind).toBe("valid");
    await expect(service().get()).rejects.toThrow(KeystoneUnavailable);
  });

  it.each([
    ["its id", page(SHOWN), {}],
    ["its expiry", page({ ...SHOWN, expires_at: null }), ID],
  ])("when it gives the edge a token without %s", async (_, text, headers) => {
    await setKeystone({ status: 201, page: text, headers });
    await expect(service().get()).rejects.toThrow(KeystoneUnavailable);
  });

  it("when it sends the edge elsewhere: no token goes there", async () => {
    const prefix = `/t/keystone-${crypto.randomUUID()}`;
    const elsewhere = bindings.ORIGIN_URL + prefix;
    await setKeystone({ status: 307, page: "", headers: { location: `${elsewhere}/v3/auth/tokens` } });
    await expect(validateToken(keystone, "demo", null)).rejects.toThrow(KeystoneUnavailable);
    await expect(service().get()).rejects.toThrow(KeystoneUnavailable);
    expect(await (await fetch(`${CONTROL_URL}${prefix}/_demo/requests`)).json()).toEqual([]);
  });

  it.each([401, 403, 404])(
    "when a %i is not Keystone's own: a token asked about itself is not bad for it",
    async (status) => {
      for (const text of ["<html>no</html>", "", "{}", "[]"]) {
        await setKeystone({ status, page: text });
        await expect(validateToken(keystone, "demo", null), text).rejects.toThrow(KeystoneUnavailable);
      }
    },
  );

  it("when Keystone can't be reached", async () => {
    await expect(validateToken(at(NOWHERE), "demo", null)).rejects.toThrow(KeystoneUnavailable);
    await expect(service(ADMIN, at(NOWHERE)).get()).rejects.toThrow(KeystoneUnavailable);
  });

  it("when the connection is cut", async () => {
    await fetch(`${controlUrl}/_demo/link`, { method: "PUT", body: '{"down": true}' });
    await expect(validateToken(keystone, "demo", null)).rejects.toThrow(KeystoneUnavailable);
    await expect(service().get()).rejects.toThrow(KeystoneUnavailable);
  });

  it.each([
    [MIB, "not yet"],
    [MIB + 1, "an outage"],
    [64 * MIB, "an outage"],
  ])("when its answer is larger than 1 MiB: of %i bytes it is %s", async (bytes, meaning) => {
    const sized = { page: page(SHOWN), padding: bytes - page(SHOWN).length, headers: ID };
    await setKeystone({ status: 201, ...sized });
    expect(await meaningOf(service().get())).toBe(meaning);
    await setKeystone(sized);
    expect(await meaningOf(validateToken(keystone, "demo", null))).toBe(meaning);
  });

  it("when it does not answer within five seconds, or begins to and does not end", async () => {
    const began = Date.now();
    await setKeystone({ hangAt: "headers" });
    const first = [validateToken(keystone, "demo", null), service().get()];
    const request = new Request("https://edge.test/", { headers: { "x-auth-token": "admin" } });
    const manager = askManager(request, { keystone, adminRoles: ["admin"] }, null);
    await untilAsked(3);
    await setKeystone({ hangAt: "body" });
    const all = [...first, validateToken(keystone, "demo", null), service().get()];
    const ends = await Promise.allSettled(all);
    expect(ends.map((end) => end.status === "rejected" && end.reason instanceof KeystoneUnavailable)).toEqual(
      all.map(() => true),
    );
    expect((await manager).kind).toBe("unavailable");
    expect(Date.now() - began).toBeGreaterThan(4_900);
    expect(Date.now() - began).toBeLessThan(9_000);
  });

  it("and an error says nothing of the token or the secret", async () => {
    await setKeystone({ page: "<html>" });
    const errors = [
      await validateToken(keystone, "demo-token", null).catch((error: unknown) => error),
      await service()
        .get()
        .catch((error: unknown) => error),
      await validateToken(at(NOWHERE), "demo-token", null).catch((error: unknown) => error),
    ];
    for (const error of errors) {
      if (!(error instanceof Error)) throw new Error("not refused");
      expect(`${error.message} ${String(error.cause)}`).not.toMatch(/demo-token|admin-secret|admin-credential/);
    }
  });
});

describe("the edge's own token", () => {
  it("is got by the application credential, and is good", async () => {
    const own = await service().get();
    expect(own.identity).toEqual({ userId: "admin", projectId: "admin", roles: ["admin", ...MEMBER_ROLES] });
    expect(await validateToken(keystone, own.token, null)).toEqual({ kind: "valid", identity: own.identity });
    const [logIn] = await asked();
    expect(logIn).toMatchObject({ method: "POST", path: "/v3/auth/tokens?nocatalog", token: null });
  });

  it("is asked for once, and once more when its hour is nearly over", async () => {
    const first = await service().get();
    clock = 55 * MINUTE - 1;
    expect(await service().get()).toEqual(first);
    clock = 55 * MINUTE;
    const second = await service().get();
    expect(second.token).not.toBe(first.token);
    clock = 109 * MINUTE;
    expect(await service().get()).toEqual(second);
    expect((await asked()).map((call) => call.method)).toEqual(["POST", "POST"]);
  });

  it("is asked for again half-way, when Keystone gives short ones", async () => {
    await setKeystone({ lifetimeSeconds: 120 });
    const first = await service().get();
    clock = MINUTE - 1;
    expect(await service().get()).toEqual(first);
    clock = MINUTE;
    expect((await service().get()).token).not.toBe(first.token);
  });

  it("is asked for again when it was refused", async () => {
    const own = service();
    const first = await own.get();
    own.forget("another");
    expect(await own.get()).toEqual(first);
    own.forget(first.token);
    expect((await own.get()).token).not.toBe(first.token);
  });

  it("is not that of another credential or of another Keystone", async () => {
    const admin = await service().get();
    await expect(service(ADMIN, at(NOWHERE)).get()).rejects.toThrow(KeystoneUnavailable);
    expect((await service(DEMO).get()).identity.userId).toBe("demo");
    expect((await service().get()).token).not.toBe(admin.token);
  });

  it.each([
    ["a wrong secret", { ...ADMIN, secret: "x" }, 401],
    ["an unknown id", { id: "no-credential", secret: "x" }, 404],
  ])("is refused to %s, and nothing of that is kept", async (_, credential, status) => {
    const refused = service(credential).get();
    await expect(refused).rejects.toThrow(ServiceCredentialRefused);
    await expect(refused).rejects.toThrow(String(status));
    await expect(service(credential).get()).rejects.toThrow(ServiceCredentialRefused);
    expect((await asked()).map((call) => call.method)).toEqual(["POST", "POST"]);
    expect((await service().get()).identity.userId).toBe("admin");
  });

  it("is got by each of several that need it at the same time", async () => {
    const own = service();
    const got = await Promise.all([own.get(), own.get(), own.get()]);
    for (const { token } of got) expect(await validateToken(keystone, token, null)).toMatchObject({ kind: "valid" });
    expect(got).toContainEqual(await own.get());
  });
});

describe("who may manage the cache", () => {
  async function manager(
    token: string | null,
    adminRoles: readonly string[] = ["admin"],
    url = keystone,
  ): Promise<ManagerAnswer> {
    const request = new Request("https://edge.test/v2/cache", {
      headers: token === null ? {} : { "x-auth-token": token },
    });
    return askManager(request, { keystone: url, adminRoles }, null);
  }

  it.each<[string, readonly string[], string]>([
    ["admin", ["admin"], "manager"],
    ["demo", ["admin"], "member"],
    ["admin", ["ADMIN"], "manager"],
    ["admin", ["cloud_admin", "admin"], "manager"],
    ["demo", ["cloud_admin", "Reader"], "manager"],
    ["admin", ["cloud_admin"], "member"],
    ["demo", ["mem", "members", "*", ""], "member"],
  ])("%s, when that takes one of %j: %s", async (user, roles, kind) => {
    const identity = { userId: user, projectId: user, roles: expect.arrayContaining(["reader"]) };
    expect(await manager(await issue(user), roles)).toEqual({ kind, identity });
  });

  it("whatever the case of a role's name in Keystone", async () => {
    await setKeystone({ page: page(SHOWN) });
    expect((await manager("t", ["cloud_admin"])).kind).toBe("manager");
    expect((await manager("t", ["admin"])).kind).toBe("member");
  });

  it.each([null, "", " "])("nobody without a token (%j), and Keystone is not asked", async (token) => {
    expect(await manager(token)).toEqual({ kind: "unauthenticated" });
    expect(await asked()).toEqual([]);
  });

  it("nobody with a token that Keystone does not know, or no longer", async () => {
    expect(await manager("nobody")).toEqual({ kind: "unauthenticated" });
    const token = await issue("admin");
    expect((await manager(token)).kind).toBe("manager");
    await revoke(token);
    expect(await manager(token)).toEqual({ kind: "unauthenticated" });
  });

  it("nobody while Keystone is away, and again when it is back", async () => {
    const token = await issue("admin");
    expect(await manager(token, ["admin"], at(NOWHERE))).toEqual({
      kind: "unavailable",
      cause: expect.any(KeystoneUnavailable),
    });
    await setKeystone({ status: 500 });
    expect((await manager(token)).kind).toBe("unavailable");
    await setKeystone({});
    expect((await manager(token)).kind).toBe("manager");
  });

  it("is asked with the edge's own account where Keystone wants that", async () => {
    await setKeystone({ noSelfValidation: true });
    const request = new Request("https://edge.test/", { headers: { "x-auth-token": "demo" } });
    expect((await askManager(request, { keystone, adminRoles: ["member"] }, service())).kind).toBe("manager");
    expect((await askManager(request, { keystone, adminRoles: ["member"] }, null)).kind).toBe("unavailable");
  });
});

describe("the versions document", () => {
  const listed = async (path: string, KEYSTONE_URL: string) => {
    const response = await ask(path, { env: { KEYSTONE_URL }, headers: { accept: "application/json" } });
    const { versions } = await response.json<{ versions: { id: string; status: string; links: unknown }[] }>();
    await expectCalls(`GET ${path}`);
    return versions;
  };

  it.each(["/", "/versions"])("at %s lists the cache API that the origin does not have", async (path) => {
    const versions = await listed(path, keystone.url);
    expect(versions.slice(0, 5).map(({ id, status }) => `${id} ${status}`)).toEqual([
      "v2.18 CURRENT",
      "v2.16 SUPPORTED",
      "v2.15 SUPPORTED",
      "v2.14 SUPPORTED",
      "v2.13 SUPPORTED",
    ]);
    expect(versions[0]?.links).toEqual([{ rel: "self", href: "https://edge.test/v2/" }]);
  });

  it.each(["/", "/versions"])(
    "at %s is asked for as it is, whatever the client takes: it is rewritten",
    async (path) => {
      const headers = { accept: "application/json", "accept-encoding": "gzip, br" };
      const response = await ask(path, { env: { KEYSTONE_URL: keystone.url }, headers });
      expect(await response.text()).toContain("https://edge.test/v2/");
      const [call] = await expectCalls(`GET ${path}`);
      expect(call?.headers["accept-encoding"]).toBe("identity");
    },
  );

  it.each([
    [0, true],
    // It has some KB. One of an unknown length is looked at up to 256 KiB.
    [256 * 1024, false],
    [8 * MIB, false],
  ])("with %i bytes behind it comes whole, its links rewritten: %s", async (padding, rewritten) => {
    // What answers at this path is the demo origin's Keystone.
    const ORIGIN_URL = `${keystone.url}/glance`;
    const document = (base: string) => `{"versions":[{"id":"v9","links":[{"rel":"self","href":"${base}/v2/"}]}]}`;
    const theirs = document(ORIGIN_URL);
    await setKeystone({ page: theirs, padding, headers: { "Content-Type": "application/json" } });
    const response = await ask("/versions", { env: { ORIGIN_URL } });
    expect(await response.text()).toBe(rewritten ? document("https://edge.test") : theirs + " ".repeat(padding));
  });

  it("does not without KEYSTONE_URL, since there is none then", async () => {
    expect((await listed("/versions", ""))[0]).toMatchObject({ id: "v2.15", status: "CURRENT" });
  });
});
