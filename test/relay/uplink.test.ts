/** Twenty clients cost the site's uplink one image, and later none. */
import { describe, expect, it } from "vitest";
import { STORES } from "../openstack/lib/glance.ts";
import { curl } from "./support/clients.ts";
import { type Image, MIB, useSite } from "./support/site.ts";

const CLIENTS = 20;
const SIZE = 24 * MIB + 17;
/** What one image may cost, with all the questions. */
const ONE = 1.05 * SIZE;

describe.each(STORES)("with a store of %s access", (store) => {
  const site = useSite({ store });

  const storm = async ({ path, size, sha512 }: Image, user: string) => {
    await site.forget();
    const token = await site.tokenOf(user);
    const got = await Promise.all(Array.from({ length: CLIENTS }, () => curl(site.url + path, token)));
    for (const { exit, status, bytes, sha512: digest } of got) {
      expect([exit, status, bytes, digest]).toEqual([0, 200, size, sha512]);
    }
    const { edge, glance } = await site.uplink();
    return edge + glance;
  };

  it(`${CLIENTS} clients cost the uplink one image when nobody has it yet, and nothing afterwards`, async () => {
    const image = await site.makeImage(SIZE);
    const cold = await storm(image, "demo");
    expect(cold).toBeGreaterThanOrEqual(SIZE);
    expect(cold).toBeLessThanOrEqual(ONE);
    expect(await storm(image, "demo")).toBe(0);
    // Another caller who may have it gets it from here as well.
    expect(await storm(image, "admin")).toBe(0);
    const asked = (await site.exchanges("edge")).filter(({ method }) => method === "HEAD");
    expect(asked).toHaveLength(CLIENTS);
  });

  it("an image that the edge has already costs the uplink one image too", async () => {
    const image = await site.makeImage(SIZE);
    const token = await site.tokenOf("demo");
    // A condition is the edge's to answer: it fetches the image, and the relay does not.
    const own = await curl(site.url + image.path, token, "--header", 'If-None-Match: "x"');
    expect(own.sha512).toBe(image.sha512);
    expect(own.headers.get("cache-status")).toMatch(/^glance-edge; /);
    const warm = await storm(image, "demo");
    expect(warm).toBeGreaterThanOrEqual(SIZE);
    expect(warm).toBeLessThanOrEqual(ONE);
  });

  it("an answer has what Glance's has, a digest as its ETag, and a request id of its own", async () => {
    const image = await site.makeImage(MIB);
    const token = await site.tokenOf("demo");
    const theirs = await curl(site.glanceUrl + image.path, token);
    const first = await curl(site.url + image.path, token);
    const second = await curl(site.url + image.path, token);
    for (const mine of [first, second]) {
      expect(mine.sha512).toBe(image.sha512);
      for (const name of ["content-type", "content-md5"]) expect(mine.headers.get(name)).toBe(theirs.headers.get(name));
      expect(mine.headers.get("content-length")).toBe(String(MIB));
      expect(mine.headers.get("etag")).toBe(`"${image.sha512}"`);
      expect(mine.headers.get("cache-control")).toBe("private, no-cache");
      expect(mine.headers.get("cache-status")).toBe("glance-relay; hit");
    }
    const ids = [first, second].map(({ headers }) => headers.get("x-openstack-request-id"));
    for (const id of ids) expect(id).toMatch(/^req-/);
    expect(new Set(ids).size).toBe(2);
  });

  it("plain ranges come from the relay, and a client that was stopped goes on", async () => {
    const image = await site.makeImage(MIB);
    const token = await site.tokenOf("demo");
    const whole = await curl(site.url + image.path, token);
    await site.forget();
    const part = await curl(site.url + image.path, token, "--range", "1000-1999");
    expect([part.status, part.headers.get("content-range"), part.start.length]).toEqual([
      206,
      `bytes 1000-1999/${MIB}`,
      1000,
    ]);
    expect(part.start).toBe(whole.start.slice(1000, 2000));
    expect(await site.uplink()).toEqual({ edge: 0, glance: 0 });
    // What is no plain range is the edge's to answer.
    for (const range of ["-5", `${MIB}-`, "0-1,4-5", "5-3"]) {
      const odd = await curl(site.url + image.path, token, "--range", range);
      expect(odd.headers.get("cache-status"), range).toMatch(/^glance-edge; /);
    }
  });

  it("an image of no bytes is one", async () => {
    const image = await site.makeImage(0);
    const { exit, status, bytes } = await curl(site.url + image.path, await site.tokenOf("demo"));
    expect([exit, status, bytes]).toEqual([0, 200, 0]);
  });
});
