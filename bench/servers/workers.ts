/** The edge and the floors: Workers, each in a workerd of its own. */
import { dropImage, untilKept } from "../bench.ts";
import { dataPath, type Image, TOKEN } from "../origin.ts";
import { startAround, startBare, startEdge, type Workerd } from "../workerd.ts";
import type { Server, Site } from "./server.ts";

export async function edge(site: Site, vars: Readonly<Record<string, string>> = {}): Promise<Server> {
  return edgeOn(site, await startEdge({ ORIGIN_URL: site.originUrl, ...vars }));
}

/** The right is asked once for all downloads of a token. */
export function rememberingEdge(site: Site): Promise<Server> {
  return edge(site, { AUTHORIZATION_TTL: "3600" });
}

/** With a store that takes no time (../floors/edge-without-store.ts): what comes from there are other bytes, as many. */
export async function edgeWithoutStore(site: Site): Promise<Server> {
  const vars = { ORIGIN_URL: site.originUrl };
  return { ...edgeOn(site, await startAround("bench/floors/edge-without-store.ts", vars)), otherBytes: true };
}

function edgeOn(site: Site, workerd: Workerd): Server {
  const server: Server = {
    ...bare(workerd),
    at: (image) => ({ url: workerd.url + dataPath(image), token: TOKEN }),
    says: { kept: /; hit$/, fresh: /; (stored|collapsed)$/ },
    keep: async (image) => {
      await site.verify(server, image);
      await untilKept(workerd, image);
    },
    drop: (image) => dropImage(workerd, image),
  };
  return server;
}

/** The floor of a hit. */
export async function objectFloor({ origin }: Site): Promise<Server> {
  const workerd = await startBare("bench/floors/r2-object.ts");
  return {
    ...bare(workerd),
    at: () => ({ url: `${workerd.url}/`, token: TOKEN }),
    keep: (image) => call("PUT", `${workerd.url}/?from=${encodeURIComponent(origin.url + dataPath(image))}`, 201),
    drop: (image) => origin.removeImage(image),
  };
}

/** The same, and asks the origin one question beside its get. */
export async function askingObjectFloor(site: Site): Promise<Server> {
  const floor = await objectFloor(site);
  const ask = (image: Image) => `?ask=${encodeURIComponent(`${site.originUrl}/v2/images/${image.id}`)}`;
  return { ...floor, at: (image) => ({ url: floor.at(image).url + ask(image), token: TOKEN }) };
}

/** The floor of a download through a fill: it digests, and is read while it fills. */
export async function fillFloor({ origin, originUrl }: Site): Promise<Server> {
  const workerd = await startBare("bench/floors/fill.ts", "with-fill");
  const urlOf = (image: Image) => {
    const from = encodeURIComponent(originUrl + dataPath(image));
    return `${workerd.url}/?name=${image.id}&from=${from}&size=${image.size}`;
  };
  return {
    ...bare(workerd),
    at: (image) => ({ url: urlOf(image), token: TOKEN }),
    drop: async (image) => {
      await call("DELETE", urlOf(image), 204);
      await origin.removeImage(image);
      await workerd.idle();
    },
  };
}

/** The same without a digest and without a reader. */
export async function storeFloor(site: Site): Promise<Server> {
  const floor = await fillFloor(site);
  return { ...floor, work: (image) => call("PUT", floor.at(image).url, 201) };
}

/** The floor of a first download that keeps nothing. */
export async function digestProxy(site: Site): Promise<Server> {
  const workerd = await startBare("bench/floors/digest-proxy.ts");
  return {
    ...bare(workerd),
    at: (image) => {
      const from = encodeURIComponent(site.originUrl + dataPath(image));
      return { url: `${workerd.url}/?from=${from}&size=${image.size}&sha512=${image.sha512}`, token: TOKEN };
    },
    drop: async (image) => {
      await site.origin.removeImage(image);
      await workerd.idle();
    },
  };
}

async function call(method: string, url: string, expected: number): Promise<void> {
  const response = await fetch(url, { method, headers: { "x-auth-token": TOKEN } });
  await response.body?.cancel();
  if (response.status !== expected) throw new Error(`a floor answers ${response.status} to ${method}`);
}

function bare({ cpuSeconds, directory }: Workerd): Pick<Server, "meters" | "directory"> {
  return { meters: [{ name: "workerd", cpuSeconds }], directory };
}
