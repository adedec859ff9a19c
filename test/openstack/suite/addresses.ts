/** What main.ts tells the suite of the cloud that it brought up: addresses, files, and the kind of store. */
import type { StoreKind } from "../lib/glance.ts";

function fromMain(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set: run test/openstack/run.sh`);
  return value;
}

export const EDGE = fromMain("EDGE_URL");
/** Glance itself, for its own answers; not what the edge knows as its origin. */
export const GLANCE = fromMain("GLANCE_URL");
/** A second Glance on the same images and Keystone, with its own cache on: the edge's peer, which the edge never asks. */
export const CACHING_GLANCE = fromMain("CACHING_GLANCE_URL");
/** What the edge knows as its origin: the counting proxy before Glance. */
export const PROXY = fromMain("PROXY_URL");
export const KEYSTONE = fromMain("KEYSTONE_URL");
/** The same Glance under uWSGI; the edge of main.ts never asks it. */
export const UWSGI_GLANCE_URL = fromMain("UWSGI_GLANCE_URL");
export const WORK_DIR = fromMain("WORK_DIR");
/** Where each program of this run writes NAME.log. */
export const LOGS_DIR = fromMain("LOGS_DIR");
/** Glance's own log; not that of the one with a cache. */
export const GLANCE_LOG = fromMain("GLANCE_LOG");
/** Where the counting proxy tells what it passed on. */
export const COUNTS = fromMain("COUNTS_URL");

/** Whether Glance's store can read from the middle. Where it can't, Glance answers 400 to any range that it accepts. */
export const readsAtRandom = (fromMain("STORE") as StoreKind) === "random";
/** The range that the edge asks for to learn whether a caller may download: Glance refuses it to who may. */
export const PROBE = "bytes=9223372036854775806-";

/** For `{ skip }`: a reason when this run has no edge (EDGE_URL=none), false otherwise. */
export const withoutEdge = process.env.NO_EDGE === "1" ? "needs the edge" : false;
