/**
 * A storm over a link of 100 ms there and back that loses every hundredth packet, with a sender that takes a loss for congestion
 * (cubic, Linux's default) and with one that does not (bbr). The origin's line carries 20 MB/s besides.
 */
import { MIB } from "../bench.ts";
import { layLink, missingForLink } from "../lossy/way.ts";
import { takeTurns } from "../rounds.ts";
import { type Case, only, verifyFresh } from "./case.ts";

const RATE = 20e6;
const CLIENTS = 16;
/** With cubic one connection carries some 0.3 MB/s. */
const SIZES = { cubic: 8 * MIB, bbr: 128 * MIB } as const;

export const lossyCubic = lossy("cubic");
export const lossyBbr = lossy("bbr");

function lossy(control: keyof typeof SIZES): Case {
  return {
    missing: missingForLink,
    way: (way) => layLink(way, control),
    servers: ["edge", "fill", "origin", "nginx-slice", "nginx-lock", "varnish", "relay"],
    async run(site, all) {
      await verifyFresh(site, all, MIB + 1);
      const task = { clients: CLIENTS, size: site.short ? 2 * MIB : SIZES[control], rate: RATE };
      // With bbr the line is the limit, of which each of 16 has its share.
      const names = [...all.keys()].filter((name) => name !== "origin" || control === "cubic");
      return takeTurns(site, { name: `lossy, ${control}`, task, servers: only(all, names), kept: null });
    },
  };
}
