/**
 * A real Glance on loopback: Debian's `glance-api` program with one worker, SQLite, a file store and Keystone in front
 * (paste flavor `keystone`), its own image cache off. One worker: SQLite has one writer at a time anyhow.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { untilAnswers } from "./answering.ts";
import { PASSWORD } from "./keystone.ts";
import type { Command, Processes } from "./processes.ts";
import { useWriteAheadLog } from "./sqlite.ts";

const DATABASE = "glance.sqlite";

const PASTE = "/usr/share/glance-common/glance-api-paste.ini";

/** Needs no Keystone until the first request comes, so both can be brought up at once. */
export async function startGlance(
  processes: Processes,
  state: string,
  port: number,
  keystoneUrl: string,
): Promise<void> {
  writeConfig(state, port, keystoneUrl);
  await processes.run(command(state, "glance-manage", "db_sync"));
  useWriteAheadLog(join(state, DATABASE));
  const server = processes.start(command(state, "glance-api"));
  await untilAnswers(`http://127.0.0.1:${port}`, server.died, 60);
}

function command(state: string, program: string, ...args: string[]): Command {
  const options = ["--config-file", join(state, "glance-api.conf"), "--config-dir", join(state, "empty")];
  return { name: program, file: `/usr/bin/${program}`, args: [...options, ...args] };
}

function writeConfig(state: string, port: number, keystoneUrl: string): void {
  for (const name of ["images", "staging", "tasks", "locks", "empty"]) {
    mkdirSync(join(state, name), { recursive: true });
  }
  const at = (name: string) => join(state, name);
  writeFileSync(
    at("glance-api.conf"),
    `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${port}
workers = 1
use_stderr = true
enabled_backends = local:file
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
[paste_deploy]
config_file = ${PASTE}
flavor = keystone
[oslo_policy]
policy_dirs = ${at("empty")}
[oslo_concurrency]
lock_path = ${at("locks")}
`,
  );
}
