/** The balancer takes the edge out of service in the middle of a storm: who is served already notices nothing. */
import { afterEach, expect, it } from "vitest";
import { curl, type Download } from "./support/clients.ts";
import { type Image, MIB, useSite } from "./support/site.ts";

const CLIENTS = 40;
const LATER = 6;
const SIZE = 24 * MIB;

const site = useSite({ store: "random", cache: false });

afterEach(async () => {
  await site.tellBalancer("enable health edge/edge; set server edge/edge state ready");
  await site.untilEdgeServes();
});

it.each([
  ["for maintenance", "set server edge/edge state maint"],
  ["to drain it", "set server edge/edge state drain"],
  ["for its health", "disable health edge/edge; set server edge/edge health down"],
])(
  `an edge that is taken out of service %s serves ${CLIENTS} downloads to their end, and new ones are Glance's`,
  async (_, command) => {
    const image = await site.makeImage(SIZE);
    await site.forget();
    const out = site.afterFromEdge(SIZE / 4, () => site.tellBalancer(command));
    const running = storm(image, CLIENTS, "--limit-rate", "4M");
    await out;
    const later = await storm(image, LATER);
    expectWhole(later, image);
    expect(later.map(({ headers }) => headers.has("cache-status"))).not.toContain(true);
    expect((await site.uplink()).glance).toBe(LATER * SIZE);
    expectWhole(await running, image);
    expect(await site.uplink()).toEqual({ edge: CLIENTS * SIZE, glance: LATER * SIZE });
  },
);

function storm({ path }: Image, clients: number, ...args: string[]): Promise<Download[]> {
  const one = async () => curl(site.url + path, await site.tokenOf("demo"), ...args);
  return Promise.all(Array.from({ length: clients }, one));
}

function expectWhole(downloads: readonly Download[], { size, sha512 }: Image): void {
  for (const got of downloads) expect([got.exit, got.status, got.bytes, got.sha512]).toEqual([0, 200, size, sha512]);
}
