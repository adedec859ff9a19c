import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { bindings, CONTROL_URL } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";
import {
  catalogThat,
  everything,
  expectRefusal,
  FORMS,
  type Form,
  keystoneUrl,
  MESSAGES,
  manage,
  manageIn,
  operations,
} from "../../support/manage.ts";
import { createImage, expectCalls } from "../../support/scenario.ts";
import { storeImage } from "../../support/store.ts";

keepLines();

const NOWHERE = "http://127.0.0.1:9/v3";
const forms = Object.keys(FORMS) as Form[];
let id = "";

beforeAll(async () => {
  id = (await createImage({ size: 100_000 })).id;
  await storeImage(id);
});
afterEach(() => vi.restoreAllMocks());

/** A token that Keystone, and so the origin, gives the user now. */
async function issue(user: string): Promise<string> {
  const identity = { methods: ["password"], password: { user: { name: user, password: user } } };
  const body = JSON.stringify({ auth: { identity } });
  const response = await fetch(`${keystoneUrl()}/auth/tokens`, { method: "POST", body });
  await response.body?.cancel();
  return response.headers.get("x-subject-token") ?? "";
}

async function revoke(token: string): Promise<void> {
  const headers = { "x-auth-token": "admin", "x-subject-token": token };
  expect((await fetch(`${keystoneUrl()}/auth/tokens`, { method: "DELETE", headers })).status).toBe(204);
}

/** A Keystone of this test's own, for settings, and how it is changed. */
function ownKeystone() {
  const prefix = `/t/manage-${crypto.randomUUID()}`;
  const origin = bindings.ORIGIN_URL + prefix;
  const controlUrl = CONTROL_URL + prefix;
  const become = async (faults: Readonly<Record<string, unknown>>) => {
    const response = await fetch(`${controlUrl}/_demo/keystone`, { method: "PUT", body: JSON.stringify(faults) });
    expect(response.status, await response.text()).toBe(200);
  };
  const giveRoles = (...roles: string[]) => {
    const token = { user: { id: "u" }, project: { id: "p" }, roles: roles.map((name) => ({ name })) };
    return become({ status: 200, page: JSON.stringify({ token }) });
  };
  return { env: { KEYSTONE_URL: `${origin}/v3` }, become, giveRoles };
}

async function statusOf(init: Parameters<typeof manage>[1], line = "GET /v2/cache"): Promise<number> {
  const response = await manage(line, init);
  await response.arrayBuffer();
  return response.status;
}

describe("a role in ADMIN_ROLES", () => {
  it.each([
    [undefined, "admin", 200],
    [undefined, "demo", 403],
    ["admin", "demo", 403],
    ["reader", "demo", 200],
    ["nothing, READER", "demo", 200],
    ["image_admin", "admin", 403],
    ["mem", "demo", 403],
    ["admin,member", "other", 200],
  ])("ADMIN_ROLES=%s, token of %s: %i", async (roles, token, status) => {
    const env = roles === undefined ? {} : { ADMIN_ROLES: roles };
    expect(await statusOf({ token, env })).toBe(status);
  });

  it("is compared without case, as OpenStack's own services do", async () => {
    const { env, giveRoles } = ownKeystone();
    await giveRoles("member", "Cloud_Admin");
    expect(await statusOf({ token: "t", env: { ...env, ADMIN_ROLES: "CLOUD_admin" } })).toBe(200);
    expect(await statusOf({ token: "t", env: { ...env, ADMIN_ROLES: "cloud" } })).toBe(403);
  });

  it("lets a caller do everything", async () => {
    const image = await createImage({ size: 1_000 });
    const env = { ADMIN_ROLES: "member" };
    // Nothing is left when they are through. The one that fetches the image is another test's.
    for (const [line] of operations(image.id).filter(([line]) => !line.startsWith("PUT"))) {
      const status = await statusOf({ token: "demo", env }, line);
      expect([line, status]).toEqual([line, /^DELETE \/v2\/cache(\/|$)/.test(line) ? 204 : 200]);
    }
    await expectCalls(`GET /v2/images/${image.id}`, `GET /v2/images/${image.id}`);
    // For the tests behind this one.
    await storeImage(id);
  });

  it("is what Keystone says of the token, whatever the request says of its caller", async () => {
    const headers = { "x-roles": "admin", "x-user-id": "admin", "x-identity-status": "Confirmed", "x-role": "admin" };
    expect(await statusOf({ token: "demo", headers })).toBe(403);
    expect(await statusOf({ token: null, headers })).toBe(401);
  });
});

describe("a token that the origin would not see", () => {
  it.each([
    [{ x_auth_token: "admin" }],
    [{ "x.auth.token": "admin" }],
    [{ "x-auth-token": "admin", connection: "close, X-Auth-Token" }],
    [{ "x-storage-token": "admin", connection: "x_storage_token" }],
  ] as [Record<string, string>][])("by %j lets nobody in", async (headers) => {
    expect(await statusOf({ token: null, headers })).toBe(401);
  });
});

describe("a token that is too long to be one", () => {
  it.each([
    ["x-auth-token", 8_001, 401],
    ["x-storage-token", 8_001, 401],
    // Keystone would have to be asked about this one.
    ["x-auth-token", 8_000, 503],
  ])("in %s, of %i characters, is answered with %i without Keystone", async (name, length, status) => {
    const env = { KEYSTONE_URL: NOWHERE };
    const response = await manage("GET /v2/cache", { token: null, headers: { [name]: "x".repeat(length) }, env });
    expect(response.status).toBe(status);
    await response.arrayBuffer();
  });
});

describe("nothing is remembered of Keystone's word", () => {
  it("a token that gets the role is let in at the next request, and kept out when it loses it", async () => {
    const { env, giveRoles } = ownKeystone();
    await giveRoles("member");
    expect(await statusOf({ token: "demo", env })).toBe(403);
    await giveRoles("member", "admin");
    expect(await statusOf({ token: "demo", env })).toBe(200);
    await giveRoles("member");
    expect(await statusOf({ token: "demo", env })).toBe(403);
    await giveRoles();
    expect(await statusOf({ token: "demo", env })).toBe(403);
  });

  it("a revoked token is refused at the next request, and a token that was refused is good once it is", async () => {
    const token = await issue("admin");
    expect(await statusOf({ token })).toBe(200);
    await revoke(token);
    const response = await manageIn("text", "GET /v2/cache", { token });
    await expectRefusal(response, "text", 401, MESSAGES.unauthorized);

    const { env, become, giveRoles } = ownKeystone();
    expect(await statusOf({ token: "t", env })).toBe(401);
    await giveRoles("admin");
    expect(await statusOf({ token: "t", env })).toBe(200);
    await become({});
    expect(await statusOf({ token: "t", env })).toBe(401);
  });

  it("an outage is over with the next request", async () => {
    const { env, become } = ownKeystone();
    await become({ status: 503 });
    expect(await statusOf({ env })).toBe(503);
    await become({});
    expect(await statusOf({ env })).toBe(200);
  });
});

describe("without a word of Keystone nobody may do anything", () => {
  it.each(["admin", "demo"])("%s is told so in each form when Keystone is down, and nothing changes", async (token) => {
    const before = await everything();
    vi.spyOn(console, "error").mockReturnValue();
    for (const [line] of operations(id)) {
      for (const form of forms) {
        const response = await manageIn(form, line, { token, env: { KEYSTONE_URL: NOWHERE } });
        const message = "Keystone can't be asked whether this request is allowed. Try again later.";
        await expectRefusal(response, form, 503, message);
      }
    }
    expect(await everything()).toEqual(before);
    await expectCalls();
  });

  it.each([
    ["answers 500", { status: 500 }],
    ["is a web page", { page: "<html>" }],
    ["answers with no token", { page: "{}" }],
    ["breaks off", { hangAt: "body" }],
    ["lets no token validate itself", { noSelfValidation: true }],
  ])("when Keystone %s", async (_, faults) => {
    const { env, become } = ownKeystone();
    await become(faults);
    vi.spyOn(console, "error").mockReturnValue();
    expect(await statusOf({ token: "demo", env })).toBe(503);
  });

  it("but who has no token is told that, without a question", async () => {
    expect(await statusOf({ token: null, env: { KEYSTONE_URL: NOWHERE } })).toBe(401);
  });

  it("the log has the reason, and no token", async () => {
    const lines: unknown[] = [];
    vi.spyOn(console, "error").mockImplementation((line) => lines.push(line));
    expect(await statusOf({ token: "secret-token", env: { KEYSTONE_URL: NOWHERE } })).toBe(503);
    expect(lines.join("\n")).toContain('"event":"keystone.unavailable"');
    expect(lines.join("\n")).not.toContain("secret-token");
  });
});

it("what goes wrong behind a yes is the edge's failure, not a matter of rights", async () => {
  vi.spyOn(console, "error").mockReturnValue();
  const env = catalogThat(async () => {
    throw new Error("D1 is down");
  });
  const response = await manageIn("json", "GET /v2/cache", { env });
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain("D1");
});

it("a token in X-Storage-Token counts as one in X-Auth-Token, unless there is that one", async () => {
  const headers = { "x-storage-token": "admin" };
  expect(await statusOf({ token: null, headers })).toBe(200);
  expect(await statusOf({ token: "demo", headers })).toBe(403);
  expect(await statusOf({ token: "", headers })).toBe(401);
});

it("the origin is asked about the image with the caller's token", async () => {
  // The edge does not have it.
  const image = await createImage({ size: 1_000 });
  const response = await manage(`DELETE /v2/cache/${image.id}`, { token: "other" });
  await response.arrayBuffer();
  const seen = await expectCalls(`GET /v2/images/${image.id}`);
  expect(seen.map(({ token, status }) => [token, status])).toEqual([["other", 404]]);
});
