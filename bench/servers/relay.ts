/** The relay of a site as deploy/relay has it, HAProxy and nginx, in front of an edge of its own. */
import { join } from "node:path";
import { freePorts } from "../../scripts/ports.ts";
import { startRelay } from "../../test/relay/support/relay.ts";
import { dropImage, untilKept } from "../bench.ts";
import { dataPath, TOKEN } from "../origin.ts";
import { startEdge } from "../workerd.ts";
import { groupMeter, untilIdle } from "./cpu.ts";
import type { Server, Site } from "./server.ts";

export async function relay(site: Site): Promise<Server> {
  const edge = await startEdge({ ORIGIN_URL: site.originUrl });
  const [port = 0] = await freePorts(1);
  const glance = new URL(site.originUrl).host;
  await startRelay(site.processes, join(site.directory, "relay"), {
    ...{ port, edge: new URL(edge.url).host, glance, places: 4, cache: true },
  });
  const own = ["haproxy", "nginx"].map((name) => groupMeter(name, site.processes.groupOf(name)));
  const meters = [...own, { name: "workerd", cpuSeconds: edge.cpuSeconds }];
  const server: Server = {
    meters,
    directory: join(site.directory, "relay"),
    at: (image) => ({ url: `http://127.0.0.1:${port}${dataPath(image)}`, token: TOKEN }),
    says: { kept: /; hit$/, fresh: /^/ },
    keep: async (image) => {
      // The edge first, by itself: in this runtime a fill at full speed leaves HAProxy's checks without an answer.
      await site.verify({ ...server, at: () => ({ url: edge.url + dataPath(image), token: TOKEN }) }, image);
      await untilKept(edge, image);
      await site.verify(server, image);
      await untilIdle(meters);
    },
    // What the relay keeps of it nobody asks for again.
    drop: (image) => dropImage(edge, image),
  };
  return server;
}
