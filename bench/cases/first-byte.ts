/** How long a kept image takes to its first byte, with the origin 100 ms away. */
import { MIB } from "../bench.ts";
import { FarAway } from "../far.ts";
import { takeTurns } from "../rounds.ts";
import { ROUND_TRIP_MS } from "../servers/servers.ts";
import type { Case } from "./case.ts";

/** Downloads of each, one after the other; the figure is their median. */
const DOWNLOADS = 30;

export const firstByte: Case = {
  servers: [
    ...(["edge", "r2-object-asking", "edge-remembering", "r2-object", "relay", "glance-far"] as const),
    ...(["nginx-slice", "nginx-lock", "varnish"] as const),
  ],
  way: async ({ origin, atEnd }) => {
    const far = await FarAway.start(origin.url, ROUND_TRIP_MS);
    atEnd(() => far.stop());
    return far.url;
  },
  async run(site, servers) {
    const image = await site.origin.makeImage((site.short ? 1 : 8) * MIB);
    for (const server of servers.values()) {
      await server.keep?.(image);
      await site.verify(server, image);
    }
    const task = { clients: 1, size: image.size, rate: null };
    const rounds = site.short ? 3 : DOWNLOADS;
    return takeTurns(site, { name: "first byte", task, servers, kept: image, rounds });
  },
};
