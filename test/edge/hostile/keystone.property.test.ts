/** Whatever answers in Keystone's place, nobody is let in whom it has not vouched for, and nothing of it is a failure of the edge's. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decent } from "../../support/decency.ts";
import { bytesOf, fieldValue, hostile, text } from "../../support/hostile.ts";
import { keepLines } from "../../support/lines.ts";
import { holds } from "../../support/property.ts";
import { ask } from "../../support/scenario.ts";
import { originIs, type Question, Scripted } from "../../support/scripted.ts";

const lines = keepLines();

const TOKEN = {
  token: {
    user: { id: "u", name: "demo" },
    project: { id: "p", name: "demo" },
    roles: [{ name: "member" }, { name: "admin" }],
    issued_at: "2026-11-23T08:05:42.000000Z",
    expires_at: "2026-11-23T09:05:42.000000Z",
  },
};
const REFUSAL = { error: { code: 401, message: "no" } };

/** A token's document, with something else somewhere in it. */
const document = fc.oneof(
  hostile(TOKEN),
  hostile(TOKEN.token).map((token) => `{"token":${token}}`),
  hostile({ name: "admin" }).map((role) => `{"token":{"roles":[${role}]}}`),
  hostile(REFUSAL),
);
const status = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(200, 201) },
  { weight: 1, arbitrary: fc.constantFrom(204, 301, 401, 403, 404, 500, 503) },
);
const routes = fc.constantFrom(
  ...["GET /v2/cache", "DELETE /v2/cache", "GET /v2/cache/fills", "POST /v2/cache/prune", "GET /v2/queued_images"],
  ...["GET /edge/metrics", "GET /edge/api/state", "GET /edge/api/images", "GET /edge/api/traffic"],
);

/** A Glance that knows nothing. */
const nothing = new Scripted(() => new Response("{}", { status: 404 }));

const unlimited: RateLimit = { limit: async () => ({ success: true }) };

function cloud(keystone: (question: Question) => Response) {
  const asked = new Scripted(keystone);
  const bound = { KEYSTONE_URL: "http://keystone.test/v3", KEYSTONE: asked.binding, LOGIN_LIMIT: unlimited };
  return { ...originIs(nothing), ...bound };
}

function answer(status: number, text: string, headers: HeadersInit = {}): Response {
  return new Response(status === 204 ? null : bytesOf(text), { status, headers });
}

/** The names of roles that a document tells of. */
function rolesOf(text: string): unknown[] {
  try {
    const { token } = JSON.parse(new TextDecoder().decode(bytesOf(text))) as { token: { roles: unknown[] } };
    return token.roles.map((role) => (Object.hasOwn(Object(role), "name") ? (role as { name: unknown }).name : null));
  } catch {
    return [];
  }
}

describe("whatever Keystone says of a token", () => {
  it("only an administrator's gets in, and others are refused", async () => {
    let in_ = 0;
    await holds(
      fc.asyncProperty(routes, status, document, async (route, status, text) => {
        const [method = "", path = ""] = route.split(" ");
        const response = await ask(path, { method, token: "t", env: cloud(() => answer(status, text)) });
        await decent(response);
        if (response.status < 300) {
          in_++;
          expect(rolesOf(text).map((role) => String(role).toLowerCase())).toContain("admin");
          expect(status).toBe(200);
        } else expect([401, 403, 503]).toContain(response.status);
      }),
      50,
      ["GET /v2/cache", 200, JSON.stringify(TOKEN)],
    );
    expect(in_).toBeGreaterThan(0);
  });

  it("a log-in gives a token to an administrator alone, and the log has no secret", async () => {
    await holds(
      fc.asyncProperty(status, document, fieldValue, document, async (status, text, token, vouched) => {
        const env = cloud(({ method }) =>
          method === "POST" ? answer(status, text, { "x-subject-token": token }) : answer(200, vouched),
        );
        const response = await ask("/edge/api/login", {
          method: "POST",
          token: null,
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ id: "the-id", secret: "the-secret" }),
          env,
        });
        await decent(response);
        expect([200, 401, 403, 503]).toContain(response.status);
        if (response.status === 200) expect(rolesOf(vouched).map(String)).toContain("admin");
        expect(JSON.stringify([...lines("login.refused"), ...lines("keystone.unavailable")])).not.toMatch(
          /the-id|the-secret/,
        );
      }),
      35,
    );
  });
});

describe("whatever is sent to log in with", () => {
  it("is taken, or a refusal", async () => {
    const types = fc.constantFrom("application/json", "application/json; charset=utf-16", "text/plain", "");
    await holds(
      fc.asyncProperty(hostile({ id: "the-id", secret: "the-secret" }), types, async (body, type) => {
        const headers = { "content-type": type };
        const env = cloud(() => Response.json(REFUSAL, { status: 401 }));
        const init = { method: "POST", token: null, headers, body: bytesOf(body), env };
        const response = await ask("/edge/api/login", init);
        await decent(response);
        expect([400, 401]).toContain(response.status);
      }),
      35,
    );
  });
});

describe("whatever an administrator asks for", () => {
  it("is done, or a refusal that says what is wrong", async () => {
    const segment = fc.oneof(
      text.map((value) => encodeURIComponent(value.toWellFormed()).slice(0, 3_000)),
      fc.constantFrom(
        "%",
        "%ff",
        "%2f",
        "%00",
        "..",
        ".",
        "clean",
        "prune",
        "nodes",
        "fills",
        "{id}",
        "'%20OR%201=1--",
      ),
      fc.constant("11111111-2222-4333-8444-555555555555"),
    );
    const collection = fc.constantFrom(
      ...[
        "/v2/cache",
        "/v2/cache/nodes",
        "/v2/cached_images",
        "/v2/queued_images",
        "/edge/api/pins",
        "/edge/api/queue",
      ],
      ...["/edge/api/images", "/edge/api"],
    );
    const name = fc.constantFrom("limit", "marker", "sort", "order", "filter", "offset", "hours", "__proto__");
    const number = fc.constantFrom(
      "-1",
      "-0",
      "1e9",
      "9".repeat(400),
      "0x10",
      "queued-1-",
      "filling-999999999999999-\0",
    );
    const query = fc
      .array(fc.tuple(name, fc.oneof(number, text)), { maxLength: 3 })
      .map((pairs) =>
        new URLSearchParams(pairs.map(([key, value]) => [key, value.toWellFormed().slice(0, 3_000)])).toString(),
      );
    const path = fc.oneof(
      fc.tuple(collection, segment).map((parts) => parts.join("/")),
      fc.constantFrom("/v2/cache/fills", "/edge/api/images", "/edge/api/traffic", "/v2/cache"),
    );
    const method = fc.constantFrom("GET", "PUT", "DELETE", "POST", "HEAD", "PATCH");
    const vouched = JSON.stringify(TOKEN);
    await holds(
      fc.asyncProperty(method, path, query, async (method, path, query) => {
        const env = cloud(() => answer(200, vouched));
        const response = await ask(`${path}?${query}`, { method, token: "t", env });
        await decent(response);
        expect([200, 202, 204, 400, 404, 405, 503]).toContain(response.status);
        if (response.status === 503) expect(path.length).toBeGreaterThan(1_000);
      }),
      40,
    );
  });
});
