import { beforeAll, describe, expect, it } from "vitest";
import { fillClient } from "../../support/bindings.ts";
import { everything, expectJson, expectRefusal, MESSAGES, manage, manageIn, operations } from "../../support/manage.ts";
import { ask, atOrigin, cacheImage, createImage, expectCalls } from "../../support/scenario.ts";

let id = "";

beforeAll(async () => {
  id = (await createImage({ size: 100_000 })).id;
  await cacheImage(id);
  // Its slices' room is given back a while later, which is not what a request has done.
  while ((await fillClient(id).progress()).fill !== "none") await scheduler.wait(50);
});

const filled = (line: string) => line.replace("{A}", id);

describe("without KEYSTONE_URL the cache API is the origin's, which may have a cache of its own", () => {
  const env = { KEYSTONE_URL: "" };

  it.each([
    ...operations("{A}").map(([line]) => line),
    "POST /v2/cache",
    "GET /v2/cache/{A}",
    "PATCH /v2/cache/clean",
    "GET /v2/cache/",
  ])("%s is forwarded, whoever asks, and does nothing here", async (line) => {
    const before = await everything();
    for (const token of ["admin", "demo", "forged", null]) {
      for (const headers of [{}, { "x-image-cache-clear-target": "queue" }]) {
        const mine = await manage(filled(line), { token, env, headers });
        const [method = "", path = ""] = filled(line).split(" ");
        const theirs = await atOrigin(path, { method, token, headers });
        expect(mine.status).toBe(theirs.status);
        expect(await mine.text()).toBe(await theirs.text());
        await expectCalls(filled(line));
      }
    }
    expect(await everything()).toEqual(before);
  });

  it("so the origin's versions are listed as they are, but for their links", async () => {
    const mine = await ask("/versions", { env });
    const theirs = await atOrigin("/versions");
    const text = (await theirs.text()).replaceAll(new URL(theirs.url).origin, "https://edge.test");
    expect(await mine.json()).toEqual(JSON.parse(text));
    await expectCalls("GET /versions");
  });
});

describe("what is no operation is the origin's to answer, and says so", () => {
  it.each([
    "GET /v2/cache/",
    "DELETE /v2/cache/",
    "PUT /v2/cache/{A}/",
    "DELETE /v2/cache/{A}/",
    "DELETE /v2/cache/{A}/more",
    "PUT /v2/cache/a%2Fb",
    "POST /v2/cache/clean/",
    "GET /v2/cache/nodes/{A}/",
    "GET /v2/cached_images/",
    "DELETE /v2/cached_images/{A}/",
    "PUT /v2/cached_images/{A}",
    "GET /v2/cached_images/{A}",
    "POST /v2/queued_images",
    "PATCH /v2/queued_images/{A}",
    "GET /v2/caches",
  ])("%s: a bare 404 for those whom the origin knows, 401 for others", async (line) => {
    const before = await everything();
    for (const token of ["admin", "demo"]) {
      const response = await manageIn("text", filled(line), { token });
      expect(response.status).toBe(404);
      expect(await response.text()).toBe("404 Not Found\n\nThe resource could not be found.\n\n   ");
    }
    const unknown = await manageIn("text", filled(line), { token: null });
    expect(unknown.status).toBe(401);
    await unknown.arrayBuffer();
    expect(await everything()).toEqual(before);
    await expectCalls(filled(line), filled(line), filled(line));
  });

  it("GET /v2//cache, which Glance takes for its own cache", async () => {
    for (const [token, status, words] of [
      ["admin", 404, "Caching via API is not supported at this site."],
      ["demo", 403, "You are not authorized to complete cache_list action."],
    ] as const) {
      const response = await manageIn("text", "GET /v2//cache", { token });
      expect([response.status, await response.text()]).toEqual([status, expect.stringContaining(words)]);
      await expectCalls("GET /v2//cache");
    }
  });

  it.each(["/v2/cache", "/v2/cache/{A}", "/v2/cache/clean", "/v2/queued_images"])(
    "OPTIONS %s needs no token",
    async (path) => {
      const response = await manage(`OPTIONS ${filled(path)}`, { token: null });
      expect([response.status, await response.text()]).toEqual([200, ""]);
      await expectCalls(`OPTIONS ${filled(path)}`);
    },
  );

  it("HEAD of the legacy lists", async () => {
    for (const kind of ["cached_images", "queued_images"]) {
      const response = await manage(`HEAD /v2/${kind}`);
      expect([response.status, await response.text()]).toEqual([404, ""]);
    }
    await expectCalls("HEAD /v2/cached_images", "HEAD /v2/queued_images");
  });
});

describe("below the path of PUBLIC_URL", () => {
  const env = { PUBLIC_URL: "https://edge.test/image/glance" };

  it("every operation works, and is asked of the right image", async () => {
    expect(await expectJson(await manage("GET /image/glance/v2/cache", { env }))).toMatchObject({
      cached_images: [{ image_id: id }],
    });
    expect(await expectJson(await manage(`GET /image/glance/v2/cache/nodes/${id}`, { env }))).toEqual([env.PUBLIC_URL]);
    const refused = await manageIn("text", `PUT /image/glance/v2/cache/${id}`, { env, token: "demo" });
    await expectRefusal(refused, "text", 403, MESSAGES.forbidden("cache_image"));
    const method = await manage(`GET /image/glance/v2/cache/${id}`, { env });
    expect([method.status, method.headers.get("allow")]).toEqual([405, "DELETE, PUT"]);
    await method.arrayBuffer();
    await expectCalls(`GET /v2/images/${id}`, `GET /v2/images/${id}`);
  });

  it("and below no other path", async () => {
    // The origin has the choice of versions for what names none.
    for (const path of ["/image/v2/cache", "/other/image/glance/v2/cache"]) {
      const response = await ask(path, { token: "admin", env });
      expect(response.status).toBe(300);
      await response.arrayBuffer();
    }
    await expectCalls("GET /image/v2/cache", "GET /other/image/glance/v2/cache");
  });
});
