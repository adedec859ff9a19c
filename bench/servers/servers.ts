/** All that serve images in a run, by name: the edge, its floors and its peers; and what of them can run on this machine. */
import { globSync } from "node:fs";
import { nginxLock, nginxSlice, varnish } from "./caches.ts";
import { cachingGlance, farGlance, plainGlance } from "./glance.ts";
import { origin } from "./origin.ts";
import { relay } from "./relay.ts";
import type { Server, Site } from "./server.ts";
import {
  askingObjectFloor,
  digestProxy,
  edge,
  edgeWithoutStore,
  fillFloor,
  objectFloor,
  rememberingEdge,
  storeFloor,
} from "./workers.ts";

interface Entry {
  /** In tables and charts. */
  readonly title: string;
  readonly start: (site: Site) => Promise<Server>;
  /** What it does not do of what the edge does. */
  readonly lacks?: string;
  /** Debian's packages, each by a file of it. */
  readonly needs?: Readonly<Record<string, string>>;
}

/** How far away the far Glance is. */
export const ROUND_TRIP_MS = 100;

const NGINX = { "nginx-light": "/usr/sbin/nginx" };
const GLANCE = {
  keystone: "/usr/bin/keystone-manage",
  "glance-api": "/usr/bin/glance-api",
  "uwsgi-core": "/usr/bin/uwsgi",
  "uwsgi-plugin-python3": "/usr/lib/uwsgi/plugins/python3*_plugin.so",
};

export const SERVERS = {
  edge: { title: "glance-edge", start: edge },
  "edge-remembering": { title: "glance-edge, right remembered", start: rememberingEdge },
  "edge-without-store": { title: "glance-edge, store for free", start: edgeWithoutStore },
  "r2-object": { title: "bare R2 Worker", lacks: "a floor: asks nothing", start: objectFloor },
  "r2-object-asking": {
    title: "bare R2 Worker that asks one thing",
    lacks: "a floor: asks one thing",
    start: askingObjectFloor,
  },
  fill: { title: "bare fill", lacks: "a floor: no right, no state that outlives it", start: fillFloor },
  store: { title: "bare fill, no digest, no client", lacks: "a floor: no digest, no client", start: storeFloor },
  "digest-proxy": { title: "bare digesting proxy", lacks: "a floor: keeps nothing", start: digestProxy },
  relay: {
    title: "relay before the edge",
    lacks: "first byte before the whole is here, ranges before that",
    start: relay,
    needs: { ...NGINX, haproxy: "/usr/sbin/haproxy" },
  },
  "nginx-slice": {
    title: "nginx, slice",
    lacks: "right, digest, going on after a cut",
    start: nginxSlice,
    needs: NGINX,
  },
  "nginx-lock": {
    title: "nginx, whole",
    lacks: "right, digest, going on after a cut, bytes for the others before the whole is here",
    start: nginxLock,
    needs: NGINX,
  },
  varnish: {
    title: "Varnish",
    lacks: "right, digest, going on after a cut; in memory",
    start: varnish,
    needs: { varnish: "/usr/sbin/varnishd" },
  },
  "glance-cache": {
    title: "Glance's own cache",
    lacks: "sharing a first transfer, going on after a cut; MD5 decides what is kept, not what is sent",
    start: cachingGlance,
    needs: GLANCE,
  },
  glance: { title: "plain Glance", lacks: "a cache", start: plainGlance, needs: GLANCE },
  "glance-far": {
    title: "plain Glance",
    lacks: "a cache",
    start: (site) => farGlance(site, ROUND_TRIP_MS),
    needs: GLANCE,
  },
  origin: { title: "the origin itself", lacks: "a cache", start: origin },
} as const satisfies Readonly<Record<string, Entry>>;

export type ServerName = keyof typeof SERVERS;

export function isServerName(name: string): name is ServerName {
  return Object.hasOwn(SERVERS, name);
}

/** Debian's packages that are not here, of those that this server needs. */
export function missingPackages(name: ServerName): string[] {
  const { needs = {} }: Entry = SERVERS[name];
  return Object.entries(needs).flatMap(([name, file]) => (globSync(file).length > 0 ? [] : [name]));
}

/** For a table: what this server does not do of what the edge does. */
export function lacksOf(name: ServerName): string {
  const { lacks = "" }: Entry = SERVERS[name];
  return lacks;
}
