/** A kept image, for 1, 8 and 64 clients at a time. */
import { execFileSync } from "node:child_process";
import { GIB, MIB } from "../bench.ts";
import type { Image } from "../origin.ts";
import type { Series } from "../results.ts";
import { takeTurns } from "../rounds.ts";
import { type Case, isWanted } from "./case.ts";

export const hit: Case = {
  servers: ["edge", "r2-object", "nginx-slice", "nginx-lock", "varnish", "glance-cache", "glance", "relay"],
  async run(site, servers, wanted) {
    const series: Series[] = [];
    let image: Image | null = null;
    for (const { clients, size } of tasks(site.short)) {
      const task = { clients, size, rate: null };
      if (!isWanted(wanted, task)) continue;
      if (image?.size !== size) {
        image = await site.origin.makeImage(size);
        for (const [name, server] of servers) {
          site.note(`hit: ${name} stores ${size / MIB} MiB`);
          await server.keep?.(image);
        }
        for (const { directory } of servers.values()) if (directory !== undefined) leaveMemory(directory);
      }
      for (const server of servers.values()) await site.verify(server, image, Math.min(clients, 2));
      series.push(...(await takeTurns(site, { name: `hit, ${clients} clients`, task, servers, kept: image })));
    }
    return series;
  },
};

function tasks(short: boolean): { readonly clients: number; readonly size: number }[] {
  if (short) return [1, 8].map((clients) => ({ clients, size: 9 * MIB }));
  return [
    { clients: 1, size: GIB },
    { clients: 8, size: GIB },
    // 64 GiB a turn would be minutes, and the memory holds what all keep anyhow.
    { clients: 64, size: 256 * MIB },
  ];
}

/**
 * Has files read from the disk by whoever sends them next. In memory they lie as they were written, in large pages or in small
 * ones, and that alone makes a tenth of a hit's time.
 */
function leaveMemory(directory: string): void {
  const drop = ["dd", "if={}", "iflag=nocache", "count=0", "status=none"];
  execFileSync("find", [directory, "-type", "f", "-size", "+1M", "-exec", "sync", "{}", ";", "-exec", ...drop, ";"]);
}
