/** The edge goes away, at any time: downloads finish, and Glance's link gets a few at a time. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { STORES } from "../openstack/lib/glance.ts";
import { curl, type Download } from "./support/clients.ts";
import { type Image, MIB, places, type Site, until, useSite } from "./support/site.ts";

const CLIENTS = 20;
const SIZE = 32 * MIB;

describe.each(STORES)("with a store of %s access", (store) => {
  const site = useSite({ store });
  let up = true;
  const kill = async () => {
    up = false;
    await site.killEdge();
  };
  beforeEach(() => site.forget());
  afterEach(async () => {
    if (!up) await site.startEdge();
    up = true;
    await site.untilEdgeServes();
  });

  it(`killed in the middle of ${CLIENTS} first downloads: all finish, from Glance`, async () => {
    const image = await site.makeImage(SIZE);
    up = false;
    const killed = site.killEdgeAfter(SIZE / 4);
    const release = site.holdGlance();
    const downloads = storm(site, image);
    await killed;
    await expectPlacesTaken(site, downloads, release).finally(release);
    expectWhole(await downloads, image);
    expect((await site.uplink()).edge).toBeLessThan(SIZE);
    // What came from Glance was checked by nobody, and is not kept.
    await site.startEdge();
    up = true;
    await site.untilEdgeServes();
    await site.forget();
    expectWhole(await storm(site, image), image);
    expect((await site.uplink()).edge).toBeGreaterThanOrEqual(SIZE);
    expect((await site.uplink()).glance).toBe(0);
  });

  it(`killed in the middle of ${CLIENTS} downloads from the relay's disk: they do not notice`, async () => {
    const image = await site.makeImage(8 * MIB);
    expectWhole([await curl(site.url + image.path, await site.tokenOf("demo"))], image);
    await site.forget();
    const downloads = storm(site, image, "--limit-rate", "4M");
    const asked = async () => (await site.exchanges("edge")).filter(({ method, ended }) => method === "HEAD" && ended);
    await until("the rights of all", 30, async () => (await asked()).length === CLIENTS);
    await sleep(200);
    await kill();
    expectWhole(await downloads, image);
    expect((await site.exchanges("glance")).filter(({ path }) => path === image.path)).toEqual([]);
  });

  it("away from the beginning: downloads go to Glance, a few at a time, and the rest wait", async () => {
    const image = await site.makeImage(8 * MIB);
    await kill();
    const release = site.holdGlance();
    const downloads = storm(site, image);
    await expectPlacesTaken(site, downloads, release).finally(release);
    expectWhole(await downloads, image);
    expect((await site.uplink()).glance).toBe(CLIENTS * image.size);
  });

  it("away: who may not is refused by Glance, at once", async () => {
    const image = await site.makeImage(MIB);
    await kill();
    expect((await curl(site.url + image.path, await site.tokenOf("other"))).status).toBe(404);
    expect((await curl(site.url + image.path, null)).status).toBe(401);
  });

  it("has the wrong data: no download ends well, and none of it is kept", async () => {
    const image = await site.makeImage(MIB);
    site.damage(image);
    const token = await site.tokenOf("demo");
    for (const { exit, status, bytes } of await Promise.all([1, 2, 3].map(() => curl(site.url + image.path, token)))) {
      expect(exit !== 0 || status === 502, `${exit} ${status} ${bytes}`).toBe(true);
    }
    expect((await site.uplink()).glance).toBe(0);
  });
});

function storm(site: Site, { path }: Image, ...args: string[]): Promise<Download[]> {
  const one = async () => curl(site.url + path, await site.tokenOf("demo"), ...args);
  return Promise.all(Array.from({ length: CLIENTS }, one));
}

function expectWhole(downloads: readonly Download[], { size, sha512 }: Image): void {
  for (const got of downloads) expect([got.exit, got.status, got.bytes, got.sha512]).toEqual([0, 200, size, sha512]);
}

/** Glance has as many downloads as there are places, before and after it is released, and never more. */
async function expectPlacesTaken(site: Site, downloads: Promise<unknown>, release: () => void): Promise<void> {
  await until("all places taken", 60, async () => (await site.downloadsAtGlance()) >= places);
  await sleep(300);
  expect(await site.downloadsAtGlance()).toBe(places);
  release();
  let ended = false;
  void downloads.finally(() => {
    ended = true;
  });
  for (; !ended; await sleep(20)) expect(await site.downloadsAtGlance()).toBeLessThanOrEqual(places);
}
