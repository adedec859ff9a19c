/** A first download by one client, as fast as it goes. */
import { MIB } from "../bench.ts";
import { takeTurns } from "../rounds.ts";
import type { ServerName } from "../servers/servers.ts";
import { type Case, only, verifyFresh } from "./case.ts";

/** Their stores take time, but for the last two's. */
const STORING: readonly ServerName[] = [
  ...(["edge", "fill", "store", "origin", "nginx-slice", "nginx-lock", "varnish"] as const),
  ...(["relay", "glance-cache", "glance"] as const),
];
const FOR_FREE: readonly ServerName[] = ["edge-without-store", "digest-proxy"];

export const cold: Case = {
  servers: [...STORING, ...FOR_FREE],
  async run(site, all) {
    const { short } = site;
    await verifyFresh(site, all, (short ? 3 : 24) * MIB + 1);
    const task = (mib: number) => ({ clients: 1, size: (short ? 9 : mib) * MIB, rate: null });
    const turns = (name: string, names: readonly ServerName[], mib: number) =>
      takeTurns(site, { name, task: task(mib), servers: only(all, names), kept: null });
    return [...(await turns("cold", STORING, 256)), ...(await turns("cold, store for free", FOR_FREE, 512))];
  },
};
