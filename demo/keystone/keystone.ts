/**
 * As much of Keystone's v3 API as a client needs for a token and a service to check one
 * (https://docs.openstack.org/api-ref/identity/v3/): versions, log in by password or application credential, validate, revoke.
 */
import { STATUS_CODES } from "node:http";
import { begin, type Exchange, headerOf, readJson, reply, replyJson } from "../http/exchange.ts";
import { HttpError } from "../http/webob-error.ts";
import { type Identity, USERS } from "./tokens.ts";

export async function keystone(exchange: Exchange): Promise<void> {
  const { method, path } = exchange;
  const { status, page, padding, headers, hangAt, noSelfValidation } = exchange.namespace.keystoneFaults;
  if (hangAt !== undefined) return hang(exchange, hangAt);
  if (page !== undefined) {
    const fields = { "Content-Type": "text/html", ...headers };
    if (padding === undefined) return reply(exchange, status ?? 200, fields, page);
    begin(exchange, status ?? 200, fields);
    return void exchange.response.end(page + " ".repeat(padding));
  }
  if (status !== undefined) return refuse(exchange, status, "An unexpected error prevented the server from answering.");
  if (path === "/v3" || path === "/v3/") return replyJson(exchange, 200, { version: versionOf(exchange) });
  if (path !== "/v3/auth/tokens") return refuse(exchange, 404, "The requested URL was not found.");
  if (method === "POST") return logIn(exchange);
  if (method !== "GET" && method !== "HEAD" && method !== "DELETE") {
    return refuse(exchange, 405, "The method is not allowed for the requested URL.");
  }
  const caller = exchange.namespace.tokens.find(exchange.token ?? "");
  if (caller === null) return refuse(exchange, 401, AUTHENTICATION);
  const subject = headerOf(exchange.request, "x-subject-token") ?? "";
  const identity = exchange.namespace.tokens.find(subject);
  if (identity === null) return refuse(exchange, 404, "Could not recognize Fernet token");
  if (!caller.isAdmin && (subject !== exchange.token || noSelfValidation === true)) {
    return refuse(exchange, 403, "You are not authorized to perform the requested action: identity:validate_token.");
  }
  if (method === "DELETE") {
    exchange.namespace.tokens.revoke(subject);
    begin(exchange, 204, {});
    exchange.response.end();
    return;
  }
  replyToken(exchange, 200, subject, identity);
}

const AUTHENTICATION = "The request you have made requires authentication.";

async function logIn(exchange: Exchange): Promise<void> {
  let body: unknown;
  try {
    body = await readJson(exchange);
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    return refuse(exchange, 400, error.message);
  }
  const identity = dig(body, "auth", "identity");
  const methods = dig(identity, "methods");
  if (!Array.isArray(methods)) return refuse(exchange, 400, "'identity' is a required property");
  const by = methods.includes("application_credential") ? "application_credential" : "password";
  if (by === "application_credential" && ownerOfCredential(identity) === null) {
    return refuse(exchange, 404, "Could not find Application Credential."); // 404, as Keystone 22 says it.
  }
  const user = by === "password" ? userByPassword(identity) : userByCredential(identity);
  if (user === null) return refuse(exchange, 401, AUTHENTICATION);
  const { lifetimeSeconds } = exchange.namespace.keystoneFaults;
  const lifetimeMs = lifetimeSeconds === undefined ? undefined : lifetimeSeconds * 1000;
  const issued = exchange.namespace.tokens.issue(user, [by], lifetimeMs);
  replyToken(exchange, 201, issued.token, issued.identity);
}

function userByPassword(identity: unknown): string | null {
  const user = dig(identity, "password", "user");
  const name = dig(user, "name") ?? dig(user, "id");
  return typeof name === "string" && Object.hasOwn(USERS, name) && dig(user, "password") === name ? name : null;
}

/** Each user has one application credential, `{user}-credential`, whose secret is `{user}-secret`. */
function userByCredential(identity: unknown): string | null {
  const user = ownerOfCredential(identity);
  return user !== null && dig(identity, "application_credential", "secret") === `${user}-secret` ? user : null;
}

function ownerOfCredential(identity: unknown): string | null {
  const given = dig(identity, "application_credential");
  const user = /^(.+)-credential$/.exec(String(dig(given, "id") ?? dig(given, "name")))?.[1];
  return user !== undefined && Object.hasOwn(USERS, user) ? user : null;
}

function replyToken(exchange: Exchange, status: number, token: string, identity: Identity): void {
  const domain = { id: "default", name: "Default" };
  replyJson(
    exchange,
    status,
    {
      token: {
        methods: identity.methods,
        user: { id: identity.userId, name: identity.userId, domain, password_expires_at: null },
        audit_ids: [identity.userId],
        expires_at: isoMicroseconds(identity.expiresAt),
        issued_at: isoMicroseconds(identity.issuedAt),
        project: { id: identity.projectId, name: identity.projectId, domain },
        is_domain: false,
        roles: identity.roles.map((name) => ({ id: name, name })),
        catalog: [
          service("identity", "keystone", `${exchange.base}/v3`),
          service("image", "glance", exchange.namespace.shared.imageEndpoint ?? exchange.base),
        ],
      },
    },
    { "X-Subject-Token": token, Vary: "X-Auth-Token" },
  );
}

function service(type: string, name: string, url: string): unknown {
  const endpoints = ["public", "internal", "admin"].map((kind) => ({
    id: `${name}-${kind}`,
    interface: kind,
    region: "RegionOne",
    region_id: "RegionOne",
    url,
  }));
  return { id: name, type, name, endpoints };
}

function versionOf(exchange: Exchange): unknown {
  return {
    id: "v3.14",
    status: "stable",
    updated: "2020-04-07T00:00:00Z",
    links: [{ rel: "self", href: `${exchange.base}/v3/` }],
    "media-types": [{ base: "application/json", type: "application/vnd.openstack.identity-v3+json" }],
  };
}

function refuse(exchange: Exchange, code: number, message: string): void {
  const challenge = code === 401 ? { "WWW-Authenticate": `Keystone uri="${exchange.base}/v3"` } : {};
  const body = JSON.stringify({ error: { code, message, title: STATUS_CODES[code] } });
  reply(exchange, code, { "Content-Type": "application/json", Vary: "X-Auth-Token", ...challenge }, body);
}

/** Leaves the client waiting: for the answer, or for the body that the headers have promised. */
function hang(exchange: Exchange, at: "headers" | "body"): void {
  if (at === "headers") return;
  begin(exchange, exchange.method === "POST" ? 201 : 200, {
    "Content-Type": "application/json",
    "Content-Length": "9",
  });
  exchange.response.flushHeaders();
}

/** The value below these keys, or undefined. */
function dig(value: unknown, ...keys: readonly string[]): unknown {
  let found = value;
  for (const key of keys) {
    if (typeof found !== "object" || found === null || !(key in found)) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[key];
  }
  return found;
}

function isoMicroseconds(date: Date): string {
  return date.toISOString().replace("Z", "000Z");
}
