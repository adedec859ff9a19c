/**
 * Real Glances on loopback: Debian's `glance-api` program with one worker, SQLite, a file store and Keystone in front.
 * The first, the edge's origin, has its own image cache off (paste flavor `keystone`). The second, on the same database
 * and store, has it on with the API that manages it: what the edge's own management API is compared with. One worker
 * each: SQLite has one writer at a time anyhow. Both have a store that can read from the middle, or both have one that can't.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { untilAnswers } from "./answering.ts";
import { BARRED_ROLE, PASSWORD } from "./keystone.ts";
import type { Command, Processes } from "./processes.ts";
import { useWriteAheadLog } from "./sqlite.ts";

const DATABASE = "glance.sqlite";

/** Whether the store can read from the middle: a file store can, those of Ceph, S3, Swift, VMware and HTTP can't. */
export const STORES = ["random", "sequential"] as const;
export type StoreKind = (typeof STORES)[number];

const SEQUENTIAL_GLANCE = join(import.meta.dirname, "sequential-glance.py");

export const PASTE = "/usr/share/glance-common/glance-api-paste.ini";

/** Needs no Keystone until the first request comes, so both can be brought up at once. */
export async function startGlance(
  processes: Processes,
  state: string,
  port: number,
  keystoneUrl: string,
  store: StoreKind,
): Promise<void> {
  const config = writeConfig(state, { name: "glance-api", port, keystoneUrl, flavor: "keystone" });
  await processes.run(command("glance-manage", state, config, "db_sync"));
  useWriteAheadLog(join(state, DATABASE));
  await start(processes, state, config, "glance-api", port, store);
}

/** The second Glance, with a cache of its own. {@link startGlance} must have made the database. */
export async function startCachingGlance(
  processes: Processes,
  state: string,
  port: number,
  keystoneUrl: string,
  store: StoreKind,
): Promise<void> {
  const name = "caching-glance-api";
  const config = writeConfig(state, { name, port, keystoneUrl, flavor: "keystone+cachemanagement" });
  await start(processes, state, config, name, port, store);
}

async function start(
  processes: Processes,
  state: string,
  config: string,
  name: string,
  port: number,
  store: StoreKind,
): Promise<void> {
  const program = command("glance-api", state, config);
  const file = store === "random" ? program.file : SEQUENTIAL_GLANCE;
  const server = processes.start({ ...program, file, name });
  await untilAnswers(`http://127.0.0.1:${port}`, server.died, 60);
}

function command(program: string, state: string, config: string, ...args: string[]): Command {
  const options = ["--config-file", config, "--config-dir", join(state, "empty")];
  return { name: program, file: `/usr/bin/${program}`, args: [...options, ...args] };
}

interface Config {
  readonly name: string;
  readonly port: number;
  readonly keystoneUrl: string;
  readonly flavor: "keystone" | "keystone+cachemanagement";
}

/** @returns the file's path */
export function writeConfig(state: string, { name, port, keystoneUrl, flavor }: Config): string {
  const at = (name: string) => join(state, name);
  const locks = at(`${name}-locks`);
  const cache = at(`${name}-cache`);
  for (const directory of [at("images"), at("staging"), at("tasks"), at("empty"), locks, cache]) {
    mkdirSync(directory, { recursive: true });
  }
  const policy = at("policy.yaml");
  // Who has the role may see an image and not download it.
  writeFileSync(policy, `"download_image": "not role:${BARRED_ROLE}"\n`);
  const config = at(`${name}.conf`);
  writeFileSync(
    config,
    `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${port}
workers = 1
use_stderr = true
enabled_backends = local:file
${flavor === "keystone" ? "" : `image_cache_dir = ${cache}`}
[glance_store]
default_backend = local
[local]
filesystem_store_datadir = ${at("images")}
[os_glance_staging_store]
filesystem_store_datadir = ${at("staging")}
[os_glance_tasks_store]
filesystem_store_datadir = ${at("tasks")}
[database]
connection = sqlite:///${at(DATABASE)}
[keystone_authtoken]
www_authenticate_uri = ${keystoneUrl}
auth_url = ${keystoneUrl}
auth_type = password
username = admin
password = ${PASSWORD}
project_name = admin
user_domain_id = default
project_domain_id = default
# Without it every token of an application credential with access rules is refused.
service_type = image
[paste_deploy]
config_file = ${PASTE}
flavor = ${flavor}
[oslo_policy]
policy_file = ${policy}
policy_dirs = ${at("empty")}
[oslo_concurrency]
lock_path = ${locks}
`,
  );
  return config;
}
