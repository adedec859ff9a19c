/**
 * A real Glance on a file store with Keystone in front, alone and with its own image cache: one worker each, on one database.
 * An image is put there from the demo origin, so that its bytes are those that all others send.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../../scripts/ports.ts";
import { startCachingGlance, startGlance } from "../../test/openstack/lib/glance.ts";
import { issueToken, startKeystone } from "../../test/openstack/lib/keystone.ts";
import { FarAway } from "../far.ts";
import { dataPath, type Image, TOKEN } from "../origin.ts";
import { groupMeter, untilIdle } from "./cpu.ts";
import type { Server, Site } from "./server.ts";

interface Cloud {
  readonly token: string;
  readonly plainUrl: string;
  readonly cachingUrl: string;
  /** Images that are there. */
  readonly images: Set<string>;
}

/** One for both, by site. */
const clouds = new WeakMap<Site, Promise<Cloud>>();

export async function plainGlance(site: Site): Promise<Server> {
  const cloud = await cloudOf(site);
  return serverOf(site, cloud, cloud.plainUrl, "glance-api");
}

/** With its cache on: paste flavor keystone+cachemanagement. */
export async function cachingGlance(site: Site): Promise<Server> {
  const cloud = await cloudOf(site);
  return serverOf(site, cloud, cloud.cachingUrl, "caching-glance-api");
}

/** The plain one, as far away as that. */
export async function farGlance(site: Site, roundTripMs: number): Promise<Server> {
  const cloud = await cloudOf(site);
  const far = await FarAway.start(cloud.plainUrl, roundTripMs);
  site.atEnd(() => far.stop());
  return serverOf(site, cloud, far.url, "glance-api");
}

function cloudOf(site: Site): Promise<Cloud> {
  const cloud = clouds.get(site) ?? startCloud(site);
  clouds.set(site, cloud);
  return cloud;
}

async function startCloud({ processes, directory }: Site): Promise<Cloud> {
  const state = join(directory, "glance");
  mkdirSync(state);
  const [keystonePort = 0, plainPort = 0, cachingPort = 0] = await freePorts(3);
  const [keystoneUrl, plainUrl, cachingUrl] = [keystonePort, plainPort, cachingPort].map(
    (port) => `http://127.0.0.1:${port}`,
  );
  if (keystoneUrl === undefined || plainUrl === undefined || cachingUrl === undefined) throw new Error("no ports");
  const v3 = `${keystoneUrl}/v3`;
  await Promise.all([
    startKeystone(processes, state, keystonePort, plainUrl),
    startGlance(processes, state, plainPort, v3, "random"),
  ]);
  await startCachingGlance(processes, state, cachingPort, v3, "random");
  const token = await issueToken(v3, "demo");
  return { token, plainUrl, cachingUrl, images: new Set() };
}

function serverOf(site: Site, cloud: Cloud, url: string, program: string): Server {
  const meters = [program, "keystone"].map((name) => groupMeter(name, site.processes.groupOf(name)));
  const server: Server = {
    meters,
    directory: join(site.directory, "glance"),
    at: (image) => ({ url: url + dataPath(image), token: cloud.token }),
    keep: async (image) => {
      await upload(site, cloud, image);
      // The first download is the one that fills a cache.
      await site.verify(server, image);
      await untilIdle(meters);
    },
    prepare: (image) => upload(site, cloud, image),
    drop: async (image) => {
      if (cloud.images.delete(image.id)) await call(cloud, "DELETE", `/v2/images/${image.id}`);
      await site.origin.removeImage(image);
      await untilIdle(meters);
    },
  };
  return server;
}

/** Puts the origin's bytes into an image of the same id. */
async function upload({ origin }: Site, cloud: Cloud, image: Image): Promise<void> {
  if (cloud.images.has(image.id)) return;
  cloud.images.add(image.id);
  const record = { id: image.id, name: image.id, disk_format: "raw", container_format: "bare" };
  await call(cloud, "POST", "/v2/images", "application/json", JSON.stringify(record));
  const { body } = await fetch(origin.url + dataPath(image), { headers: { "x-auth-token": TOKEN } });
  await call(cloud, "PUT", dataPath(image), "application/octet-stream", body);
}

async function call(
  { plainUrl, token }: Cloud,
  method: string,
  path: string,
  type?: string,
  body: BodyInit | null = null,
): Promise<void> {
  const headers = { "x-auth-token": token, ...(type === undefined ? {} : { "content-type": type }) };
  // Node wants to be told that the answer comes after the body; its type does not know it.
  const init: RequestInit & { duplex: "half" } = { method, headers, body, duplex: "half" };
  const response = await fetch(plainUrl + path, init);
  if (!response.ok) throw new Error(`Glance: ${method} ${path}: ${response.status} ${await response.text()}`);
  await response.body?.cancel();
}
