import { beforeAll, describe, expect, it } from "vitest";
import {
  everything,
  expectJson,
  expectRefusal,
  FORMS,
  type Form,
  MESSAGES,
  manage,
  manageIn,
  operations,
} from "../support/manage.ts";
import { ask, cacheImage, createImage, expectCalls } from "../support/scenario.ts";

const forms = Object.keys(FORMS) as Form[];
let id = "";

beforeAll(async () => {
  id = (await createImage({ size: 100_000 })).id;
  await cacheImage(id);
});

const filled = (line: string) => line.replace("{A}", id);

describe("without KEYSTONE_URL", () => {
  const env = { KEYSTONE_URL: "" };

  it.each(operations("{A}").map(([line]) => line))("%s is not supported, whoever asks", async (line) => {
    const before = await everything();
    for (const token of ["admin", "demo", "forged", null]) {
      for (const form of forms) {
        const response = await manageIn(form, filled(line), { token, env });
        await expectRefusal(response, form, 404, MESSAGES.unsupported);
      }
    }
    expect(await everything()).toEqual(before);
    // Not even of the image is anything said.
    await expectCalls();
  });

  it.each(["both", "queue"])("nor does it matter what is to be cleared: %s", async (target) => {
    const headers = { "x-image-cache-clear-target": target };
    const response = await manageIn("text", "DELETE /v2/cache", { env, headers });
    await expectRefusal(response, "text", 404, MESSAGES.unsupported);
  });

  it("methods and bodies are looked at first, as by a Glance without a cache", async () => {
    const method = await manage("POST /v2/cache", { env });
    expect([method.status, method.headers.get("allow")]).toEqual([405, "GET, DELETE"]);
    await method.arrayBuffer();
    const body = await manageIn("json", "GET /v2/cache", { env, headers: { "content-length": "2" } });
    await expectRefusal(body, "json", 400, MESSAGES.bodyNotExpected);
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
    "GET /v2//cache",
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
