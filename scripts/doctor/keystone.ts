/** A token of Keystone's and the catalogue that comes with it. */
import { parseJson } from "../../src/lib/json.ts";
import { ask, NoAnswer, type Reply } from "./ask.ts";
import { type Endpoint, imageEndpoints } from "./catalog.ts";
import { type Finding, no, unknown, yes } from "./finding.ts";
import type { Account } from "./options.ts";

export interface Session {
  readonly finding: Finding;
  /** Null: none was given. */
  readonly token: string | null;
  /** Null: no catalogue. */
  readonly endpoints: readonly Endpoint[] | null;
}

const WHAT = "Keystone knows who asks";

export async function logIn({ keystone, token, logIn: auth, region }: Account): Promise<Session> {
  const none = (finding: Finding): Session => ({ finding, token, endpoints: null });
  if (token === null && (keystone === null || auth === null)) {
    return none(
      unknown(
        WHAT,
        "no OS_* variables say who",
        "Load your openrc file: OS_AUTH_URL and a password, an application credential, or OS_TOKEN.",
      ),
    );
  }
  if (keystone === null)
    return none(unknown(WHAT, "a token, but no OS_AUTH_URL", "Give OS_AUTH_URL for the catalogue."));
  try {
    const reply =
      token === null
        ? await ask(`${keystone}/auth/tokens`, { method: "POST", json: { auth } })
        : await ask(`${keystone}/auth/tokens`, { headers: { "x-auth-token": token, "x-subject-token": token } });
    const given = token ?? reply.headers.get("x-subject-token");
    if ((reply.status !== 200 && reply.status !== 201) || given === null) return none(refused(keystone, reply));
    const endpoints = imageEndpoints(parseJson(reply.text), region);
    return { finding: yes(WHAT, `${keystone}, status ${reply.status}`), token: given, endpoints };
  } catch (cause) {
    if (!(cause instanceof NoAnswer)) throw cause;
    return none(no(WHAT, `${keystone}: ${cause.message}`, "Is OS_AUTH_URL right, and reachable from here?"));
  }
}

function refused(keystone: string, { status }: Reply): Finding {
  const seen = `${keystone} says ${status}`;
  if (status !== 401 && status !== 403 && status !== 404) {
    return no(WHAT, seen, "What answers at OS_AUTH_URL is no working Keystone v3.");
  }
  return no(WHAT, seen, "Check user, password, project and domains, or the application credential: has it expired?");
}
