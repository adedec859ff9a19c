/**
 * Many clients ask at the same moment for an image that nobody asked for before, over an origin whose line carries 20 or 40
 * MB/s for all together: what the origin sent, and when the first and the last byte came.
 */
import { MIB } from "../bench.ts";
import type { Series } from "../results.ts";
import { takeTurns } from "../rounds.ts";
import type { ServerName } from "../servers/servers.ts";
import { type Case, isWanted, only, verifyFresh } from "./case.ts";

const RATES = [20e6, 40e6];
const COUNTS = [1, 4, 16, 64];
/** Without a cache each client has its share of the line: more of them take as many times as long. */
const ORIGIN_COUNTS = 4;

export const storm: Case = {
  servers: ["edge", "fill", "origin", "nginx-slice", "nginx-lock", "varnish", "relay"],
  async run(site, all, wanted) {
    const series: Series[] = [];
    await verifyFresh(site, all, (site.short ? 3 : 24) * MIB + 1);
    for (const rate of RATES) {
      for (const clients of site.short ? [1, 4] : COUNTS) {
        const task = { clients, size: (site.short ? 9 : 128) * MIB, rate };
        if (!isWanted(wanted, task)) continue;
        const names = [...all.keys()].filter((name: ServerName) => name !== "origin" || clients <= ORIGIN_COUNTS);
        const name = `storm, ${clients} clients, ${rate / 1e6} MB/s`;
        series.push(...(await takeTurns(site, { name, task, servers: only(all, names), kept: null })));
      }
    }
    return series;
  },
};
