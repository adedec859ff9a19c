/** What a case is, and how its servers are brought up and ended. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Processes } from "../../test/openstack/lib/processes.ts";
import type { Bench } from "../bench.ts";
import type { Series, Task } from "../results.ts";
import type { Server, Site, Way } from "../servers/server.ts";
import { missingPackages, SERVERS, type ServerName } from "../servers/servers.ts";
import { stopAll } from "../workerd.ts";

/** What of a case is wanted. */
export interface Wanted {
  server(name: ServerName): boolean;
  clients(count: number): boolean;
  rate(rate: number | null): boolean;
}

export interface Case {
  readonly servers: readonly ServerName[];
  run(site: Site, servers: ReadonlyMap<ServerName, Server>, wanted: Wanted): Promise<Series[]>;
  /** Why it can't run here; null: it can. */
  readonly missing?: () => string | null;
  /** The origin's address for servers, where it is not its own. */
  readonly way?: (way: Way) => Promise<string>;
}

/** Brings up those servers of a case that are wanted and can run here, runs it, and ends them. */
export async function runCase(bench: Bench, one: Case, wanted: Wanted): Promise<Series[]> {
  const directory = await mkdtemp(join(tmpdir(), "glance-edge-bench-"));
  const processes = new Processes(directory);
  const ends: (() => void | Promise<void>)[] = [];
  const way: Way = {
    ...bench,
    directory,
    processes,
    verify: async (server, image, clients = 1) => {
      const { url, token } = server.at(image);
      await bench.clients.download(url, image, clients, server.otherBytes !== true, token);
    },
    atEnd: (end) => ends.push(end),
  };
  try {
    const site: Site = { ...way, originUrl: (await one.way?.(way)) ?? bench.origin.url };
    const servers = new Map<ServerName, Server>();
    for (const name of one.servers) {
      if (!wanted.server(name)) continue;
      const missing = missingPackages(name);
      if (missing.length > 0) bench.note(`skipped: ${SERVERS[name].title}, which needs ${missing.join(", ")}`);
      else servers.set(name, await SERVERS[name].start(site));
    }
    return await one.run(site, servers, wanted);
  } catch (cause) {
    bench.note(processes.tails());
    throw cause;
  } finally {
    await stopAll();
    await processes.endAll();
    for (const end of ends) await end();
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Nobody asked for this image before: digests of all that several clients get. */
export async function verifyFresh(site: Site, servers: ReadonlyMap<ServerName, Server>, size: number): Promise<void> {
  for (const [name, server] of servers) {
    site.note(`comparing digests: ${name}`);
    const image = await site.origin.makeImage(size);
    await server.prepare?.(image);
    if (server.work === undefined) await site.verify(server, image, 4);
    await server.drop(image);
  }
}

export function only(servers: ReadonlyMap<ServerName, Server>, names: readonly ServerName[]): Map<ServerName, Server> {
  return new Map([...servers].filter(([name]) => names.includes(name)));
}

export function isWanted(wanted: Wanted, { clients, rate }: Task): boolean {
  return wanted.clients(clients) && wanted.rate(rate);
}
