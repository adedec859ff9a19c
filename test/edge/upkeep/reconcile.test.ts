/** Images that left the origin without passing the edge. */

import { beforeEach, describe, expect, it } from "vitest";
import { OriginUnreachable } from "../../../src/glance/forward.ts";
import { KeystoneUnavailable } from "../../../src/keystone/api.ts";
import { ServiceCredentialRefused } from "../../../src/keystone/service-tokens.ts";
import { reconcile } from "../../../src/upkeep/reconcile.ts";
import { bindings } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";
import { edgeBefore, type OwnOrigin, ownOrigin } from "../../support/own-origin.ts";
import { catalog, emptyStore, imageIds, objectKeys, queue, room } from "../../support/store.ts";
import { clockThatJumps, NEVER, NOW } from "../../support/upkeep.ts";

const lines = keepLines();
let origin: OwnOrigin;

beforeEach(async () => {
  await emptyStore();
  origin = ownOrigin();
});

describe("an image at the origin", () => {
  it("that is there and active is kept", async () => {
    const imageId = await origin.cached();
    expect(await reconcile(edgeBefore(origin), NEVER)).toEqual({ asked: 1, evicted: 0, hidden: 0, unanswered: 0 });
    expect(await imageIds()).toEqual([imageId]);
  });

  it("that was deleted is dropped, row and object", async () => {
    const gone = await origin.cached();
    const there = await origin.cached();
    expect(await origin.send("DELETE", `/v2/images/${gone}`)).toBe(204);
    expect(await reconcile(edgeBefore(origin), NEVER)).toEqual({ asked: 2, evicted: 1, hidden: 0, unanswered: 0 });
    expect(await imageIds()).toEqual([there]);
    expect(await objectKeys()).toEqual([`images/${there}`]);
    expect(await room.sums()).toEqual({ kept: 10, filling: 0 });
    expect(lines("image.evicted")).toMatchObject([{ image_id: gone }]);
  });

  it("that was deactivated is dropped, though an admin still may download it", async () => {
    const imageId = await origin.cached();
    expect(await origin.send("POST", `/v2/images/${imageId}/actions/deactivate`)).toBe(204);
    expect(await reconcile(edgeBefore(origin), NEVER)).toMatchObject({ evicted: 1 });
    expect(await imageIds()).toEqual([]);
  });

  it("that is another one's is kept by an admin's account, which sees it", async () => {
    const imageId = await origin.cached({ owner: "other", visibility: "private" });
    expect(await reconcile(edgeBefore(origin), NEVER)).toMatchObject({ evicted: 0, hidden: 0 });
    expect(await imageIds()).toEqual([imageId]);
  });

  it("that the edge's account can't see is kept, deleted or not", async () => {
    const hidden = await origin.cached({ owner: "other", visibility: "private" });
    const gone = await origin.cached({ owner: "other", visibility: "private" });
    await origin.send("DELETE", `/v2/images/${gone}`);
    const seen = await reconcile(edgeBefore(origin, "demo"), NEVER);
    expect(seen).toEqual({ asked: 2, evicted: 0, hidden: 2, unanswered: 0 });
    expect(await imageIds()).toEqual([hidden, gone].sort());
  });

  it("that was dropped leaves the queue as well", async () => {
    const imageId = await origin.cached();
    await bindings.CATALOG.prepare("INSERT INTO queue (image_id, queued_at) VALUES (?, 0)").bind(imageId).run();
    await origin.send("DELETE", `/v2/images/${imageId}`);
    await reconcile(edgeBefore(origin), NEVER);
    expect(await queue.list()).toEqual([]);
  });
});

describe("an origin that does not say", () => {
  it.each([403, 500, 503])("but answers %i: the image is kept, and the others get their turn", async (status) => {
    const silent = await origin.cached();
    const gone = await origin.cached();
    await origin.control("PUT", `/images/${silent}/faults`, { recordStatus: status });
    await origin.send("DELETE", `/v2/images/${gone}`);
    const seen = await reconcile(edgeBefore(origin), NEVER);
    expect(seen).toEqual({ asked: 2, evicted: 1, hidden: 0, unanswered: 1 });
    expect(await imageIds()).toEqual([silent]);
  });

  it("but sends something that is not the image's record: the image is kept", async () => {
    const imageId = await origin.cached({ overrides: { id: "another" } });
    expect(await reconcile(edgeBefore(origin), NEVER)).toMatchObject({ asked: 1, evicted: 0, unanswered: 1 });
    expect(await imageIds()).toEqual([imageId]);
    expect(lines("reconcile.unreadable")).toMatchObject([{ image_id: imageId }]);
  });

  it("because it is down: everything is kept, and nothing counts as asked", async () => {
    const imageId = await origin.cached();
    const edge = edgeBefore(origin, "admin", { env: { ORIGIN_URL: "http://127.0.0.1:9" } });
    await expect(reconcile(edge, NEVER)).rejects.toThrow(OriginUnreachable);
    expect(await imageIds()).toEqual([imageId]);
    const { results } = await bindings.CATALOG.prepare("SELECT reconciled_at FROM images").all();
    expect(results).toEqual([{ reconciled_at: 0 }]);
  });

  it.each(["v1", "v3"])("because something else is in its place, at /%s: all is kept", async (place) => {
    const ids = [await origin.cached(), await origin.cached()].sort();
    await bindings.CATALOG.prepare("INSERT INTO queue (image_id, queued_at) SELECT image_id, 0 FROM images").run();
    const elsewhere = `${origin.url}/${place}`;
    // It is there, and has none of the images, as a web server that does not know Glance's paths.
    const statuses = [...ids.map((id) => `/v2/images/${id}`), "/v2/images?limit=1"].map(async (path) => {
      const response = await fetch(elsewhere + path, { headers: { "x-auth-token": "admin" } });
      await response.body?.cancel();
      return response.status;
    });
    expect(await Promise.all(statuses)).toEqual([404, 404, 404]);
    const edge = edgeBefore(origin, "admin", { settings: { origin: elsewhere } });
    await expect(reconcile(edge, NEVER)).rejects.toThrow("is not Glance");
    expect(await imageIds()).toEqual(ids);
    expect(await objectKeys()).toHaveLength(2);
    expect(await queue.list()).toHaveLength(2);
    // Nothing counts as asked: they have their turn when Glance is back.
    const { results } = await bindings.CATALOG.prepare("SELECT DISTINCT reconciled_at FROM images").all();
    expect(results).toEqual([{ reconciled_at: 0 }]);
    for (const imageId of ids) await origin.send("DELETE", `/v2/images/${imageId}`);
    expect(await reconcile(edgeBefore(origin), NEVER)).toMatchObject({ asked: 2, evicted: 2 });
  });

  it("because its token was revoked: everything is kept, and a new token goes on", async () => {
    const edge = edgeBefore(origin);
    await origin.cached();
    await reconcile(edge, NEVER);
    await origin.revokeSeen();
    await emptyStore();
    const ids = [];
    for (let image = 0; image < 5; image++) ids.push(await origin.cached());
    for (const imageId of ids) await origin.send("DELETE", `/v2/images/${imageId}`);
    // Four at a time: the fifth is asked about with the new one.
    expect(await reconcile(edge, NEVER)).toEqual({ asked: 5, evicted: 1, hidden: 0, unanswered: 4 });
    expect(await reconcile(edge, NEVER)).toEqual({ asked: 4, evicted: 4, hidden: 0, unanswered: 0 });
  });
});

describe("a Keystone that gives no token", () => {
  it("because the credential is wrong: everything is kept", async () => {
    const imageId = await origin.cached();
    const edge = edgeBefore(origin, "admin", { env: { OS_APPLICATION_CREDENTIAL_SECRET: "wrong" } });
    await expect(reconcile(edge, NEVER)).rejects.toThrow(ServiceCredentialRefused);
    expect(await origin.asked(imageId)).toBe(0);
    expect(await imageIds()).toEqual([imageId]);
  });

  it("because it is down: everything is kept", async () => {
    const imageId = await origin.cached();
    await origin.control("PUT", "/keystone", { status: 503 });
    await expect(reconcile(edgeBefore(origin), NEVER)).rejects.toThrow(KeystoneUnavailable);
    expect(await imageIds()).toEqual([imageId]);
  });

  it("is not asked when there is nothing to ask about", async () => {
    await origin.control("PUT", "/keystone", { status: 503 });
    expect(await reconcile(edgeBefore(origin), NEVER)).toMatchObject({ asked: 0 });
  });
});

describe("a run", () => {
  it("asks once whether it is Glance that says that images are gone, and not as long as none is", async () => {
    const ids: string[] = [];
    for (let image = 0; image < 6; image++) ids.push(await origin.cached());
    expect(await reconcile(edgeBefore(origin), NEVER)).toMatchObject({ asked: 6, evicted: 0 });
    expect(await origin.listed()).toBe(0);
    for (const imageId of ids) await origin.send("DELETE", `/v2/images/${imageId}`);
    expect(await reconcile(edgeBefore(origin), NEVER)).toMatchObject({ asked: 6, evicted: 6 });
    expect(await origin.listed()).toBe(1);
  });

  it("without service credentials asks nobody", async () => {
    const imageId = await origin.cached();
    await origin.send("DELETE", `/v2/images/${imageId}`);
    expect(await reconcile(edgeBefore(origin, null), NEVER)).toBeNull();
    expect(await imageIds()).toEqual([imageId]);
  });

  it("begins with those that were not asked about for the longest time, and ends in time", async () => {
    for (let image = 0; image < 6; image++) await origin.cached();
    const ids = await catalog.leastReconciled(9);
    const edge = (now: () => number) => ({ ...edgeBefore(origin), now });
    // A look before the first four, one when they are done.
    expect(await reconcile(edge(clockThatJumps(2)), NOW + 1)).toMatchObject({ asked: 4 });
    expect(await catalog.leastReconciled(9)).toEqual([...ids.slice(4), ...ids.slice(0, 4)]);
    expect(await reconcile(edge(clockThatJumps(2)), NOW + 1)).toMatchObject({ asked: 4 });
    expect(await Promise.all(ids.map((imageId) => origin.asked(imageId)))).toEqual([2, 2, 1, 1, 1, 1]);
  });

  it("whose time is over asks nobody", async () => {
    const imageId = await origin.cached();
    expect(await reconcile({ ...edgeBefore(origin), now: () => NOW }, NOW)).toMatchObject({ asked: 0 });
    expect(await origin.asked(imageId)).toBe(0);
  });
});
