/** The relay without its cache: HAProxy alone makes the same split, and goes on when nginx does not. */
import { describe, expect, it } from "vitest";
import { curl } from "./support/clients.ts";
import { MIB, useSite } from "./support/site.ts";

const SIZE = 48 * MIB;

describe("HAProxy alone", () => {
  const site = useSite({ store: "random", cache: false });

  it("sends downloads to the edge and all else to Glance", async () => {
    const image = await site.makeImage(MIB);
    const token = await site.tokenOf("demo");
    const got = await curl(site.url + image.path, token);
    expect([got.sha512, got.headers.get("cache-status")]).toEqual([image.sha512, "glance-edge; fwd=uri-miss; stored"]);
    expect((await curl(`${site.url}/v2/images/${image.id}`, token)).status).toBe(200);
    const asked = (await site.exchanges("edge")).map(({ path }) => path).filter((path) => path !== "/edge/ready");
    expect(asked).toEqual([image.path]);
  });

  it("cuts who downloads when the edge is killed; who resumes finishes, and who begins anew does", async () => {
    const image = await site.makeImage(SIZE);
    const token = await site.tokenOf("demo");
    const killed = site.killEdgeAfter(SIZE / 4);
    const cut = curl(site.url + image.path, token, "--limit-rate", "8M");
    await killed;
    expect((await cut).exit).toBe(18);
    expect((await curl(site.url + image.path, token)).sha512).toBe(image.sha512);
    const rest = await curl(site.url + image.path, token, "--range", `${SIZE - 5}-`);
    expect([rest.status, rest.bytes]).toEqual([206, 5]);
  });
});

describe("when nginx is ended", () => {
  const site = useSite({ store: "random" });

  it("downloads go on without a cache", async () => {
    const image = await site.makeImage(MIB);
    const token = await site.tokenOf("demo");
    expect((await curl(site.url + image.path, token)).headers.get("cache-status")).toBe("glance-relay; hit");
    site.killCache();
    for (let times = 0; times < 3; times++) {
      const { exit, status, sha512, headers } = await curl(site.url + image.path, token);
      expect([exit, status, sha512]).toEqual([0, 200, image.sha512]);
      expect(headers.get("cache-status")).toMatch(/^glance-edge; /);
    }
  });
});

describe("when the cache's disk takes nothing more", () => {
  const site = useSite({ store: "sequential" });

  it("downloads go on without a cache", async () => {
    site.loseDisk();
    const image = await site.makeImage(24 * MIB);
    const token = await site.tokenOf("demo");
    for (const got of await Promise.all([1, 2, 3].map(() => curl(site.url + image.path, token)))) {
      expect([got.exit, got.status, got.sha512]).toEqual([0, 200, image.sha512]);
      expect(got.headers.get("cache-status")).toMatch(/^glance-edge; /);
    }
  });
});
