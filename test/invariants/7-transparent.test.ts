/** Invariant 7: what is no image data passes unchanged. */

import { describe, expect, it } from "vitest";
import { bytesOf } from "../support/hostile.ts";
import { keepLines } from "../support/lines.ts";
import { ask, atOrigin, bindings, createImage, expectCalls } from "../support/scenario.ts";
import { originIs, Scripted } from "../support/scripted.ts";

keepLines();

describe("what is no download passes unchanged", () => {
  it.each([
    ["GET", "/v2/schemas/image?limit=1&sort=name%3Aasc"],
    ["GET", "/v2/schemas/image"],
    ["GET", "/v2/no/such/path"],
    ["GET", "/v2/images/%2e%2e/x%2Fy"],
    ["GET", "/v2//schemas/image"],
    ["POST", "/v2/images"],
    ["HEAD", "/v2/images"],
    ["OPTIONS", "/v2/images"],
    ["PATCH", "/v2/images"],
    ["PUT", "/v2/images/x/file"],
  ])("%s %s", async (method, path) => {
    const headers = { accept: "application/json" };
    const mine = await ask(path, { method, headers });
    const theirs = await atOrigin(path, { method, headers });
    expect(mine.status).toBe(theirs.status);
    expect(mine.statusText).toBe(theirs.statusText);
    expect(await mine.text()).toBe(await theirs.text());
    expect(mine.headers.get("content-type")).toBe(theirs.headers.get("content-type"));
    expect(mine.headers.get("allow")).toBe(theirs.headers.get("allow"));
    expect(mine.headers.has("cache-status")).toBe(false);
    const sent = new URL(path, "http://x").pathname + new URL(path, "http://x").search;
    await expectCalls(`${method} ${sent}`);
  });

  it.each([
    ["GET", "/file/"],
    ["HEAD", "/file/"],
    ["HEAD", "/members"],
    ["OPTIONS", "/file"],
    ["POST", "/file"],
    ["GET", "/file/x"],
    ["GET", "/File"],
  ])("%s /v2/images/ID%s, which is not a download", async (method, below) => {
    const image = await createImage({ size: 1000 });
    const path = `/v2/images/${image.id}${below}`;
    const mine = await ask(path, { method });
    const theirs = await atOrigin(path, { method });
    expect(mine.status).toBe(theirs.status);
    expect(await mine.text()).toBe(await theirs.text());
    expect(mine.headers.get("allow")).toBe(theirs.headers.get("allow"));
    expect(mine.headers.has("cache-status")).toBe(false);
    await expectCalls(`${method} ${path}`);
  });

  it.each(["text/html", "application/json", "text/plain"])("an error in the form %s", async (accept) => {
    const path = `/v2/images/${crypto.randomUUID()}`;
    const mine = await ask(path, { headers: { accept } });
    const theirs = await atOrigin(path, { headers: { accept } });
    expect(mine.status).toBe(404);
    expect(mine.headers.get("content-type")).toBe(theirs.headers.get("content-type"));
    expect(await mine.text()).toBe(await theirs.text());
    await expectCalls(`GET ${path}`);
  });

  it("an upload, streamed, and its 204", async () => {
    const created = await ask("/v2/images", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "up", disk_format: "raw", container_format: "bare" }),
    });
    expect(created.status).toBe(201);
    const { id } = await created.json<{ id: string }>();
    expect(created.headers.get("location")).toBe(`https://edge.test/v2/images/${id}`);
    const size = 3 * 2 ** 20;
    const { readable, writable } = new FixedLengthStream(size);
    const writing = (async () => {
      const writer = writable.getWriter();
      for (let n = 0; n < 3; n++) await writer.write(new Uint8Array(2 ** 20).fill(n));
      await writer.close();
    })();
    const uploaded = await ask(`/v2/images/${id}/file`, {
      method: "PUT",
      headers: { "content-type": "application/octet-stream" },
      body: readable,
    });
    await writing;
    expect(uploaded.status).toBe(204);
    expect(await uploaded.text()).toBe("");
    const record = await (await atOrigin(`/v2/images/${id}`)).json<{ size: number; status: string }>();
    expect(record).toMatchObject({ size, status: "active" });
    await expectCalls("POST /v2/images", `PUT /v2/images/${id}/file`);
  });
});

describe("the origin's own URL becomes the edge's", () => {
  it.each(["/", "/versions"])("in the links of GET %s", async (path) => {
    const mine = await ask(path, { headers: { accept: "application/json" } });
    const theirs = await atOrigin(path, { headers: { accept: "application/json" } });
    expect(mine.status).toBe(theirs.status);
    const text = await mine.text();
    const origin = new URL(theirs.url).origin;
    expect(text).not.toContain(origin);
    expect(JSON.parse(text)).toEqual(JSON.parse((await theirs.text()).replaceAll(origin, "https://edge.test")));
    await expectCalls(`GET ${path}`);
  });

  it.each([
    ["bytes that are no UTF-8", "\xff\xfe{}"],
    ["a byte order mark", '\xef\xbb\xbf{"versions":5}'],
    [
      "a document nested deeper than can be written",
      `{"versions":[{"links":[{"rel":"self","href":"/v2/"}]}],"deep":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
    ],
  ])("but what is none of Glance's documents stays byte for byte: %s", async (_, characters) => {
    const bytes = bytesOf(characters);
    const origin = new Scripted(() => new Response(bytes, { headers: { "content-type": "application/json" } }));
    const response = await ask("/versions", { env: originIs(origin) });
    expect(response.status).toBe(200);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
  });

  it("and PUBLIC_URL is what clients are told, with its path", async () => {
    const env = { PUBLIC_URL: "https://cloud.example/image/" };
    const response = await ask("/image/versions", { env });
    const { versions } = await response.json<{ versions: { links: { href: string }[] }[] }>();
    expect(versions[0]?.links[0]?.href).toBe("https://cloud.example/image/v2/");
    await expectCalls("GET /versions");
  });

  it("an origin with a path gets its path in front", async () => {
    const env = { ORIGIN_URL: `${bindings.ORIGIN_URL}/t/prefixed` };
    const created = await ask("/v2/images", {
      env,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "p", disk_format: "raw", container_format: "bare" }),
    });
    expect(created.status).toBe(201);
    expect(created.headers.get("location")).toMatch(/^https:\/\/edge\.test\/v2\/images\/[0-9a-f-]{36}$/);
    await created.body?.cancel();
  });
});

describe("an origin that can't be reached", () => {
  const env = { ORIGIN_URL: "http://127.0.0.1:9" };

  it.each([
    ["GET", "/v2/images"],
    ["GET", `/v2/images/${crypto.randomUUID()}/file`],
    ["DELETE", `/v2/images/${crypto.randomUUID()}`],
  ])("is a Glance-shaped 502 to %s %s", async (method, path) => {
    const response = await ask(path, { method, env, headers: { accept: "application/json" } });
    expect(response.status).toBe(502);
    expect(response.headers.get("x-openstack-request-id")).toMatch(/^req-/);
    expect(await response.json()).toEqual({
      message: "The image service behind this edge can't be reached.<br /><br />\n\n\n",
      code: "502 Bad Gateway",
      title: "Bad Gateway",
    });
  });
});

describe("a setting as operators write it", () => {
  it("may be a number, and ORIGIN_URL may end in the version that clients add", async () => {
    for (const end of ["/v2", "/v2/", "/v1", "/v2.0"]) {
      const env = { ORIGIN_URL: `${bindings.ORIGIN_URL}${end}`, AUTHORIZATION_TTL: 60, STALL_SECONDS: 3 };
      const response = await ask("/v2/schemas/image", { env });
      expect(response.status).toBe(200);
      await response.arrayBuffer();
      await expectCalls("GET /v2/schemas/image");
    }
  });
});

describe("a wrong setting is named, with status 500 and no stack", () => {
  it.each([
    ["ORIGIN_URL", { ORIGIN_URL: "" }],
    ["ORIGIN_URL", { ORIGIN_URL: "not a url" }],
    ["ORIGIN_URL", { ORIGIN_URL: "ftp://x" }],
    ["ORIGIN_URL", { ORIGIN_URL: "https://edge.example/v2", PUBLIC_URL: "https://edge.example/" }],
    ["PUBLIC_URL", { PUBLIC_URL: "edge" }],
    ["AUTHORIZATION_TTL", { AUTHORIZATION_TTL: ["60"] as never }],
    ["STALL_SECONDS", { STALL_SECONDS: true as never }],
    ["ADMIN_ROLES", { ADMIN_ROLES: 5 as never }],
    ["AUTHORIZATION_TTL", { AUTHORIZATION_TTL: "-1" }],
    ["IMAGE_MAX_BYTES", { IMAGE_MAX_BYTES: "10GB" }],
    ["SLICE_BYTES", { SLICE_BYTES: "7" }],
    ["BUCKET", { BUCKET: undefined as never }],
  ])("%s %o", async (setting, env) => {
    const response = await ask("/v2/images", { env });
    expect(response.status).toBe(500);
    const body = await response.text();
    expect(JSON.parse(body)).toMatchObject({ error: { setting } });
    expect(body).not.toMatch(/\bat \w|\.ts/);
  });
});
