/**
 * A real Keystone on loopback: Debian's `keystone` under uwsgi, SQLite and fernet keys in the run's own directory. It
 * is set up the way its installation guide says (docs.openstack.org/keystone/latest/install/), in its cheapest form.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { untilAnswers } from "./answering.ts";
import type { Processes } from "./processes.ts";
import { useWriteAheadLog } from "./sqlite.ts";

const DATABASE = "keystone.sqlite";

/** Every user's password is `secret`. */
export const PASSWORD = "secret";
/** A role to which Glance's policy refuses downloads. */
export const BARRED_ROLE = "barred";

/** Besides `admin`, which the bootstrap made. */
const USERS = [
  { name: "demo", project: "demo", roles: ["member"] },
  { name: "other", project: "other", roles: ["member"] },
  { name: "reader", project: "demo", roles: ["reader"] },
  { name: "barred", project: "demo", roles: ["member", BARRED_ROLE] },
  { name: "edge", project: "edge", roles: ["member"] },
] as const;

/** The project that a user works in: of the same name, but for those that share one. */
export function projectOf(user: string): string {
  return USERS.find(({ name }) => name === user)?.project ?? user;
}
export const REGION = "RegionOne";

/** @param imageUrl what the catalogue names as the image endpoint: for an operator, the edge */
export async function startKeystone(
  processes: Processes,
  state: string,
  port: number,
  imageUrl: string,
): Promise<void> {
  const url = `http://127.0.0.1:${port}/v3`;
  const config = writeConfig(state);
  const env = { OS_KEYSTONE_CONFIG_FILES: config };
  const manage = (...args: string[]) =>
    processes.run({
      name: "keystone-manage",
      file: "/usr/bin/keystone-manage",
      args: ["--config-file", config, "--config-dir", join(state, "empty"), ...args],
    });
  await manage("db_sync");
  useWriteAheadLog(join(state, DATABASE));
  await manage(
    ...["bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", REGION],
    ...["--bootstrap-public-url", url, "--bootstrap-internal-url", url, "--bootstrap-admin-url", url],
  );
  const server = processes.start({
    name: "keystone",
    file: "/usr/bin/uwsgi",
    args: [
      ...["--plugin", "python3", "--http-socket", `127.0.0.1:${port}`, "--master", "--die-on-term"],
      ...["--processes", "1", "--threads", "4", "--buffer-size", "65535", "--need-app", "--lazy-apps"],
      ...["--add-header", "Connection: close", "--wsgi-file", "/usr/bin/keystone-wsgi-public"],
    ],
    env,
  });
  await untilAnswers(url, server.died, 60);
  await addUsersAndCatalogue(url, imageUrl);
}

function writeConfig(state: string): string {
  for (const repository of ["fernet", "credential"]) writeFernetKeys(join(state, repository));
  mkdirSync(join(state, "empty"), { recursive: true });
  const config = join(state, "keystone.conf");
  writeFileSync(
    config,
    `[DEFAULT]
use_stderr = true
[database]
connection = sqlite:///${join(state, DATABASE)}
[token]
provider = fernet
[fernet_tokens]
key_repository = ${join(state, "fernet")}
[fernet_receipts]
key_repository = ${join(state, "fernet")}
[credential]
key_repository = ${join(state, "credential")}
[identity]
# The cheapest bcrypt there is: a log-in is not what is tested.
password_hash_rounds = 4
[oslo_policy]
policy_dirs = ${join(state, "empty")}
`,
  );
  return config;
}

/**
 * A fernet key repository: 0 is the staged key, the highest number the primary one. `keystone-manage fernet_setup` and
 * `credential_setup` write the same, at two seconds each.
 */
function writeFernetKeys(directory: string): void {
  mkdirSync(directory, { mode: 0o700 });
  for (const name of ["0", "1"]) {
    const key = randomBytes(32).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
    writeFileSync(join(directory, name), key, { mode: 0o600 });
  }
}

/** {@link USERS} with their projects and roles, and the image endpoint. */
async function addUsersAndCatalogue(url: string, imageUrl: string): Promise<void> {
  const token = await issueToken(url, "admin");
  const call = (method: string, path: string, body?: unknown) => keystoneCall(url, token, method, path, body);

  await call("POST", "/roles", { role: { name: BARRED_ROLE } });
  const projects = new Map<string, string>();
  for (const { name, project, roles } of USERS) {
    const made = { project: { name: project, domain_id: "default" } };
    const projectId = projects.get(project) ?? idOf((await call("POST", "/projects", made)).project);
    projects.set(project, projectId);
    const user = { name, password: PASSWORD, domain_id: "default", default_project_id: projectId };
    const userId = idOf((await call("POST", "/users", { user })).user);
    for (const role of roles) {
      const roleId = idOf((await call("GET", `/roles?name=${role}`)).roles);
      await call("PUT", `/projects/${projectId}/users/${userId}/roles/${roleId}`);
    }
  }
  const service = idOf((await call("POST", "/services", { service: { name: "glance", type: "image" } })).service);
  const endpoint = { service_id: service, region_id: REGION, interface: "public", url: imageUrl };
  await call("POST", "/endpoints", { endpoint });
}

/** A token of the user for its project. */
export async function issueToken(keystoneUrl: string, user: string): Promise<string> {
  const domain = { id: "default" };
  const response = await fetch(`${keystoneUrl}/auth/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      auth: {
        identity: { methods: ["password"], password: { user: { name: user, password: PASSWORD, domain } } },
        scope: { project: { name: projectOf(user), domain } },
      },
    }),
  });
  const token = response.headers.get("x-subject-token");
  if (response.status !== 201 || token === null) {
    throw new Error(`Keystone gives ${user} no token: ${response.status} ${await response.text()}`);
  }
  await response.body?.cancel();
  return token;
}

/** Ends a token before its time. */
export async function revokeToken(keystoneUrl: string, token: string): Promise<void> {
  const headers = { "x-auth-token": await issueToken(keystoneUrl, "admin"), "x-subject-token": token };
  const response = await fetch(`${keystoneUrl}/auth/tokens`, { method: "DELETE", headers });
  if (response.status !== 204) throw new Error(`Keystone does not revoke a token: ${response.status}`);
}

export interface ApplicationCredential {
  readonly id: string;
  readonly secret: string;
}

export interface AccessRule {
  readonly service: string;
  readonly method: string;
  readonly path: string;
}

/**
 * A credential that stands for the user, with the roles that the user has in its project.
 * @param accessRules the only requests that it is good for; null: all
 */
export async function createApplicationCredential(
  keystoneUrl: string,
  user: string,
  accessRules: readonly AccessRule[] | null = null,
): Promise<ApplicationCredential> {
  const token = await issueToken(keystoneUrl, user);
  const about = await fetch(`${keystoneUrl}/auth/tokens`, {
    headers: { "x-auth-token": token, "x-subject-token": token },
  });
  const userId = idOf(((await about.json()) as { token: { user: unknown } }).token.user);
  const path = `/users/${userId}/application_credentials`;
  const rules = accessRules === null ? {} : { access_rules: accessRules };
  const made = await keystoneCall(keystoneUrl, token, "POST", path, {
    application_credential: { name: "glance-edge", ...rules },
  });
  const credential = made.application_credential as { readonly secret: string };
  return { id: idOf(credential), secret: credential.secret };
}

async function keystoneCall(
  url: string,
  token: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const response = await fetch(url + path, {
    method,
    headers: { "x-auth-token": token, "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`Keystone: ${method} ${path}: ${response.status} ${text}`);
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}

/** The id in `{id}`, or of the first of `[{id}]`. */
function idOf(value: unknown): string {
  const one: unknown = Array.isArray(value) ? value[0] : value;
  if (typeof one !== "object" || one === null || !("id" in one) || typeof one.id !== "string") {
    throw new Error(`no id in Keystone's answer: ${JSON.stringify(value)}`);
  }
  return one.id;
}
