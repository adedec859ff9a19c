import { abortAllDurableObjects } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import { slicesOf, smallEdge } from "../../support/cap.ts";
import {
  advance,
  backgroundCalls,
  backgroundPulls,
  enqueue,
  fetched,
  issue,
  notNow,
  queued,
  revokeLogged,
  serviceAccount,
  tokens,
} from "../../support/prefetching.ts";
import { committed, createImage, loggedName, setFaults } from "../../support/scenario.ts";

const MB = 1_000_000;
const SOON = { timeout: 5_000 };

describe("with an account of the edge's own", () => {
  beforeEach(async () => {
    await smallEdge(100 * MB, serviceAccount("admin"));
  });

  it("images are fetched with its token, whoever queued them", async () => {
    const [one, two] = [await createImage({ size: MB }), await createImage({ size: MB, owner: "other" })];
    const lent = await issue("demo");
    await fetched(one, lent);
    await fetched(two, lent);
    const seen = new Set([...(await tokens(one)), ...(await tokens(two))]);
    expect(seen.size).toBe(1);
    expect(seen.has(await loggedName(lent))).toBe(false);
  });

  it("a token that was revoked is replaced within the same turn", async () => {
    const [one, two] = [await createImage({ size: MB }), await createImage({ size: MB })];
    await fetched(one, null);
    const [old] = await tokens(one);
    await revokeLogged(old);
    await fetched(two, null);
    const calls = await backgroundCalls(two);
    expect(calls.map(({ status }) => status)).toEqual([401, 200, 200]);
    expect(calls[0]?.token).toBe(old);
    expect(new Set(calls.slice(1).map(({ token }) => token)).size).toBe(1);
    expect(calls[1]?.token).not.toBe(old);
  });

  it("a token that was revoked half way is replaced, and the rest is fetched with the new one", async () => {
    const image = await createImage({ size: 2 * MB });
    await setFaults(image.id, { rate: 2 * MB, cutAt: 1.5 * MB, cutTimes: 1 });
    await enqueue([image]);
    await advance();
    await expect.poll(async () => (await slicesOf(image)).length, SOON).toBeGreaterThan(0);
    const [old] = await tokens(image);
    await revokeLogged(old);
    await committed(image.id);
    const pulls = await backgroundPulls(image);
    expect(pulls.map(({ status }) => status)).toEqual([200, 401, 206]);
    expect(pulls[1]?.token).toBe(old);
    expect(pulls[2]?.token).not.toBe(old);
    expect(await queued(image)).toBeNull();
  });

  it("a fetch whose object is killed goes on by the alarm, from where it was", async () => {
    const image = await createImage({ size: 2 * MB });
    await setFaults(image.id, { rate: MB });
    await enqueue([image]);
    await advance();
    await expect.poll(async () => (await slicesOf(image)).length, SOON).toBeGreaterThan(1);
    await abortAllDurableObjects();
    await setFaults(image.id, {});
    await committed(image.id);
    expect(await queued(image)).toBeNull();
    const [, rest, ...more] = await backgroundPulls(image);
    expect(more).toEqual([]);
    expect(rest?.range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(rest?.bytes).toBeLessThan(2 * MB);
  });
});

describe("an account of the edge's own that can't see an image", () => {
  beforeEach(async () => {
    await smallEdge(100 * MB, serviceAccount("demo"));
  });

  it("gives way to who queued it, within the same turn", async () => {
    const image = await createImage({ size: MB, owner: "other", visibility: "private" });
    const lent = await issue("admin");
    await fetched(image, lent);
    const calls = await backgroundCalls(image);
    expect(calls.map(({ status }) => status)).toEqual([404, 200, 200]);
    const name = await loggedName(lent);
    expect(calls.map(({ token }) => token === name)).toEqual([false, true, true]);
  });

  it("with nobody else says so, and does not take the image for gone", async () => {
    const image = await createImage({ size: MB, owner: "other", visibility: "private" });
    await enqueue([image]);
    await advance();
    const entry = await notNow(image);
    expect(entry).toMatchObject({
      attempts: 1,
      lastError: "the service account can't see the image, or it is gone",
    });
    expect(await backgroundCalls(image)).toHaveLength(1);
  });
});

describe("an account that Keystone does not give a token", () => {
  it.each<[string, Record<string, string>]>([
    ["because it is down", { KEYSTONE_URL: "http://127.0.0.1:9/v3" }],
    ["because the secret is wrong", { OS_APPLICATION_CREDENTIAL_SECRET: "wrong" }],
  ])("%s gives way to who queued the image", async (_, changes) => {
    await smallEdge(100 * MB, {
      ...serviceAccount("admin"),
      // A name that the isolate holds no token of.
      OS_APPLICATION_CREDENTIAL_ID: "other-credential",
      ...changes,
    });
    const image = await createImage({ size: MB });
    const lent = await issue("demo");
    await fetched(image, lent);
    expect(new Set(await tokens(image))).toEqual(new Set([await loggedName(lent)]));
  });
});
