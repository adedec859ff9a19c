/**
 * Logging in with an application credential, whose id and secret go to Keystone and nowhere else. No passwords: the edge is
 * on the internet where a Keystone often is not, and federated users have none.
 */
import * as v from "valibot";
import type { Edge } from "../context.ts";
import { readText } from "../http/read-text.ts";
import { logIn, ServiceCredentialRefused } from "../keystone/service-tokens.ts";
import type { Endpoint } from "../lib/fetch.ts";
import { parseJson } from "../lib/json.ts";
import { askManager } from "../manage/rights.ts";
import { apiError, json, KEYSTONE_AWAY, notAdministrator } from "./answers.ts";
import { LoginBody } from "./schemas.ts";

const MAX_BODY = 4_096;
const BODY_MS = 5_000;
/** The limit's period, see LOGIN_LIMIT in wrangler.toml. */
const LIMIT_SECONDS = 60;

export async function answerLogin(edge: Edge, request: Request, keystone: Endpoint): Promise<Response> {
  const { loginLimit, now, log } = edge;
  // Before anything is read of it, and the address as the platform says it.
  const key = request.headers.get("cf-connecting-ip") ?? "unknown";
  if (loginLimit !== null && !(await loginLimit.limit({ key })).success) {
    log.info("login.limited");
    return apiError(edge, 429, "Too many attempts to log in from this address. Wait a minute, then try again.", {
      "retry-after": String(LIMIT_SECONDS),
    });
  }
  const body = await readBody(request);
  if (body === null) return apiError(edge, 400, "Logging in takes the id and the secret of an application credential.");
  try {
    const asked = now();
    const { token, document } = await logIn(keystone, body);
    const { adminRoles } = edge.settings;
    // Keystone vouches for no token of a credential with access rules: better said now than at the first request.
    const headers = { "x-auth-token": token };
    const answer = await askManager(new Request(request.url, { headers }), { keystone, adminRoles }, edge.service);
    switch (answer.kind) {
      case "unavailable":
        throw answer.cause;
      case "unauthenticated":
        return refuse(
          edge,
          403,
          "This application credential has access rules, so that Keystone does not vouch for it here. Make one without.",
        );
      case "member":
        return refuse(edge, 403, notAdministrator(adminRoles));
      case "manager": {
        const { lifetimeMs, userName, projectName } = document;
        // From the lifetime: Keystone's clock may be another.
        return json(edge, { token, expires_at: asked + lifetimeMs, user: userName, project: projectName });
      }
    }
  } catch (cause) {
    if (cause instanceof ServiceCredentialRefused) {
      return refuse(
        edge,
        401,
        "Keystone does not take this id and secret: one of them is wrong, or the credential has expired or was deleted.",
      );
    }
    log.error("keystone.unavailable", cause);
    return apiError(edge, 503, KEYSTONE_AWAY);
  }
}

/** Never with the id: what is typed into the wrong field may be a secret. */
function refuse(edge: Edge, status: number, message: string): Response {
  edge.log.info("login.refused", { status });
  return apiError(edge, status, message);
}

async function readBody(request: Request): Promise<v.InferOutput<typeof LoginBody> | null> {
  // A form of another site can't send this type without asking.
  if (!(request.headers.get("content-type") ?? "").startsWith("application/json")) return null;
  const text = await readText(new Response(request.body), "the log-in", MAX_BODY, BODY_MS).catch(() => "");
  const read = v.safeParse(LoginBody, parseJson(text));
  return read.success ? read.output : null;
}
