/** The relay as deploy/relay has it, with a site's addresses in place of the examples. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { freePorts } from "../../../scripts/ports.ts";
import { untilAnswers } from "../../openstack/lib/answering.ts";
import type { Processes } from "../../openstack/lib/processes.ts";

export interface RelayOptions {
  readonly port: number;
  /** host:port */
  readonly edge: string;
  /** What HAProxy is told of TLS to the edge. Default: there is none. */
  readonly tls?: string;
  /** host:port */
  readonly glance: string;
  /** Downloads at Glance at a time. */
  readonly places: number;
  /** Whether nginx runs behind HAProxy. */
  readonly cache: boolean;
}

/** The two files with these addresses, in a directory. */
export interface Configuration {
  readonly haproxy: string;
  readonly nginx: string;
  readonly cachePort: number;
}

/** HAProxy's socket for its operator, in the relay's directory. */
const ADMIN = "admin.sock";

const EXAMPLE_EDGE =
  "image.example.com:443 ssl verify required ca-file /etc/ssl/certs/ca-certificates.crt sni str(image.example.com) check-sni image.example.com";

export async function configure(directory: string, options: RelayOptions): Promise<Configuration> {
  const [split = 0, edge = 0, downloads = 0, cachePort = 0] = await freePorts(4);
  mkdirSync(directory, { recursive: true });
  const ports = [9293, 9294, 9295, 9296].map((port) => `127.0.0.1:${port}`);
  const local = new Map([split, edge, downloads, cachePort].map((port, i) => [ports[i] ?? "", `127.0.0.1:${port}`]));
  const haproxy = write(directory, "haproxy.cfg", [
    ...local,
    [EXAMPLE_EDGE, `${options.edge}${options.tls ?? ""}`],
    ["Host image.example.com", `Host ${options.edge}`],
    ["192.0.2.10:9292", options.glance],
    ["maxconn 4\n", `maxconn ${options.places}\n`],
    ["bind :9292", `bind 127.0.0.1:${options.port}`],
  ]);
  const nginx = write(directory, "nginx.conf", [
    ...[...local].filter(([port]) => port !== "127.0.0.1:9295"),
    ["/var/cache/glance-relay", join(directory, "cache")],
    ["/run/nginx.pid", join(directory, "nginx.pid")],
    ["/var/log/nginx", directory],
    ["user www-data;", "user root; daemon off;"],
    // The disk of a test's machine may be small.
    ["min_free=10g ", ""],
  ]);
  return { haproxy, nginx, cachePort };
}

export async function startRelay(processes: Processes, directory: string, options: RelayOptions): Promise<void> {
  const { haproxy, nginx, cachePort } = await configure(directory, options);
  if (options.cache) {
    const cache = processes.start({ name: "nginx", file: "/usr/sbin/nginx", args: ["-c", nginx] });
    await untilAnswers(`http://127.0.0.1:${cachePort}/.relay/right`, cache.died, 20);
  }
  const admin = join(directory, "admin.cfg");
  writeFileSync(admin, `global\n    stats socket ${join(directory, ADMIN)} level admin\n`);
  const args = ["-db", "-f", haproxy, "-f", admin];
  const front = processes.start({ name: "haproxy", file: "/usr/sbin/haproxy", args });
  await untilAnswers(`http://127.0.0.1:${options.port}/`, front.died, 20);
}

/** Tells HAProxy what its operator would, by commands with `;` between them. @throws Error with its words when it refuses */
export async function tellBalancer(directory: string, commands: string): Promise<void> {
  const socket = connect(join(directory, ADMIN));
  socket.end(`${commands}\n`);
  const said = (await text(socket)).trim();
  if (said !== "") throw new Error(`HAProxy says to ${commands}: ${said}`);
}

/** @returns the file's path. @throws Error when the file that is deployed has not what is to be replaced */
function write(directory: string, name: string, changes: readonly (readonly [string, string])[]): string {
  let text = readFileSync(fileURLToPath(new URL(`../../../deploy/relay/${name}`, import.meta.url)), "utf8");
  for (const [example, own] of changes) {
    if (!text.includes(example)) throw new Error(`deploy/relay/${name} has no ${example}`);
    text = text.replaceAll(example, own);
  }
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}
