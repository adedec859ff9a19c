/** The rest of the API as clients use it: life of an image, versions, v1, Keystone. */
import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { virtualBytes } from "../../demo/content/virtual-bytes.ts";
import { ask, bytesOf, controlOf, IMAGE_ID, put, useDemoOrigin } from "./support.ts";

const base = useDemoOrigin();
const PATCH = { "content-type": "application/openstack-images-v2.1-json-patch" };

async function create(namespace: string, json: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const response = await ask(`${namespace}/v2/images`, { method: "POST", json: { name: "x", ...json } });
  expect(response.status).toBe(201);
  await response.text();
  return response.headers.get("location") ?? "";
}

function upload(url: string, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  const headers = { "x-auth-token": "demo", "content-type": "application/octet-stream" };
  return fetch(`${url}/file`, { method: "PUT", headers, body });
}

describe("the life of an image", () => {
  test("created, uploaded, downloaded, changed, deactivated, reactivated, deleted", async () => {
    const namespace = base();
    const url = await create(namespace, { disk_format: "raw", container_format: "bare", os_distro: "x" });
    expect(url.startsWith(`${namespace}/v2/images/`)).toBe(true);
    expect(await (await ask(url)).json()).toMatchObject({
      status: "queued",
      size: null,
      visibility: "shared",
      os_distro: "x",
    });

    const data = new Uint8Array(randomBytes(3_000_001));
    expect((await upload(url, data)).status).toBe(204);
    const record = await (await ask(url)).json();
    expect(record).toMatchObject({
      status: "active",
      size: data.length,
      checksum: createHash("md5").update(data).digest("hex"),
      os_hash_algo: "sha512",
      os_hash_value: createHash("sha512").update(data).digest("hex"),
    });
    expect(Buffer.compare(await bytesOf(await ask(`${url}/file`)), data)).toBe(0);
    const part = await ask(`${url}/file`, { headers: { range: "bytes=100-199" } });
    expect(Buffer.compare(await bytesOf(part), data.subarray(100, 200))).toBe(0);
    expect((await upload(url, data)).status).toBe(409);

    const changed = await ask(url, {
      method: "PATCH",
      headers: PATCH,
      json: [
        { op: "replace", path: "/name", value: "y" },
        { op: "add", path: "/colour", value: "red" },
        { op: "remove", path: "/os_distro" },
      ],
    });
    const after = (await changed.json()) as Record<string, unknown>;
    expect([changed.status, after.name, after.colour, after.os_distro]).toEqual([200, "y", "red", undefined]);

    expect((await ask(`${url}/actions/deactivate`, { method: "POST" })).status).toBe(204);
    expect((await ask(`${url}/file`)).status).toBe(403);
    expect((await ask(`${url}/actions/reactivate`, { method: "POST" })).status).toBe(204);
    expect((await ask(`${url}/file`)).status).toBe(200);
    expect((await ask(url, { method: "DELETE" })).status).toBe(204);
    expect((await ask(`${url}/file`)).status).toBe(404);
  });

  test("an upload that breaks off leaves the image queued, and it can be uploaded again", async () => {
    const url = await create(base());
    const broken = request(`${url}/file`, {
      method: "PUT",
      headers: { "x-auth-token": "demo", "content-type": "application/octet-stream", "content-length": "1000000" },
    });
    broken.on("error", () => undefined);
    await new Promise<void>((resolve) => broken.write(Buffer.alloc(1000), () => resolve()));
    await expect.poll(async () => (await (await ask(url)).json()) as unknown).toMatchObject({ status: "saving" });
    broken.destroy();
    await expect.poll(async () => (await (await ask(url)).json()) as unknown).toMatchObject({ status: "queued" });
    expect((await upload(url, new Uint8Array(5))).status).toBe(204);
  });

  test("a project may not change what it only sees, and a member may not publish", async () => {
    const namespace = base();
    await put(`${controlOf(namespace)}/images/${IMAGE_ID}`, { size: 1, visibility: "public" });
    const url = `${namespace}/v2/images/${IMAGE_ID}`;
    const json = [{ op: "replace", path: "/name", value: "mine" }];
    expect((await ask(url, { method: "PATCH", headers: PATCH, json, token: "other" })).status).toBe(403);
    expect((await ask(url, { method: "DELETE", token: "other" })).status).toBe(403);
    const publish = [{ op: "replace", path: "/visibility", value: "public" }];
    const own = await create(namespace);
    expect((await ask(own, { method: "PATCH", headers: PATCH, json: publish })).status).toBe(403);
    expect((await ask(own, { method: "PATCH", headers: PATCH, json: publish, token: "admin" })).status).toBe(200);
  });

  test("the list shows each project its own and the public ones, page by page", async () => {
    const namespace = base();
    for (const [n, visibility] of ["public", "private", "community", "shared"].entries()) {
      await put(`${controlOf(namespace)}/images/${IMAGE_ID.replace(/^1/, String(n))}`, {
        size: 1,
        visibility,
        name: visibility,
      });
    }
    const names = async (token: string, query = ""): Promise<unknown[]> => {
      const body = (await (await ask(`${namespace}/v2/images${query}`, { token })).json()) as {
        images: { name: string }[];
      };
      return body.images.map((image) => image.name);
    };
    expect(await names("other")).toEqual(["public"]);
    expect(await names("demo")).toEqual(["shared", "community", "private", "public"]);
    expect(await names("demo", "?name=private")).toEqual(["private"]);
    const first = (await (await ask(`${namespace}/v2/images?limit=3`)).json()) as { next: string };
    const next = (await (await ask(namespace + first.next)).json()) as { images: unknown[]; next?: string };
    expect([next.images.length, next.next]).toEqual([1, undefined]);
  });
});

test("the versions name the origin as the client knows it, 300 unasked and 200 asked", async () => {
  const namespace = base();
  for (const [path, status] of [["/", 300] as const, ["/versions", 200] as const]) {
    const response = await fetch(namespace + path);
    expect(response.status).toBe(status);
    const { versions } = (await response.json()) as { versions: { id: string; status: string; links: unknown }[] };
    expect(versions[0]).toEqual({
      id: "v2.15",
      status: "CURRENT",
      links: [{ rel: "self", href: `${namespace}/v2/` }],
    });
  }
});

describe("a path is taken in the spellings that Glance takes", () => {
  const byType = (version: string) => ({ accept: `application/vnd.openstack.images-${version}` });

  test.each([
    ["/v2/images/ID", {}, 200],
    ["/v2.7/images/ID", {}, 200],
    ["/v2.15/images/ID", {}, 200],
    ["//v2///images//ID", {}, 200],
    ["/v2%2Fimages/%49D", {}, 200],
    ["/images/ID", byType("v2"), 200],
    ["/images/ID", byType("v2.7"), 200],
    ["//versions/x", {}, 200],
    ["/%76ersions", {}, 200],
    ["/v2.99/images/ID", {}, 300],
    ["/V2/images/ID", {}, 300],
    ["/images/ID", {}, 300],
    ["/images/ID", byType("v9"), 300],
    ["/versionsx", {}, 300],
    ["/v2/images/ID/", {}, 404],
    ["/v2/Images/ID", {}, 404],
    ["/v2/images/ID;a", {}, 404],
    ["/v2/images/ID", byType("v2"), 404],
  ])("%s with %j: %i", async (path, headers, status) => {
    const namespace = base();
    await put(`${controlOf(namespace)}/images/${IMAGE_ID}`, { size: 1 });
    const encoded = `%${IMAGE_ID.charCodeAt(0).toString(16)}${IMAGE_ID.slice(1)}`;
    const response = await ask(namespace + path.replace("%49D", encoded).replace("ID", IMAGE_ID), { headers });
    expect(response.status).toBe(status);
    await response.text();
  });
});

describe("v1", () => {
  test("gives the record in headers, the data with its length, and no ranges", async () => {
    const namespace = base();
    const record = await put(`${controlOf(namespace)}/images/${IMAGE_ID}`, { size: 99, seed: 3, name: "n" });
    const url = `${namespace}/v1/images/${IMAGE_ID}`;
    const response = await ask(url, { headers: { range: "bytes=0-1" } });
    const { headers } = response;
    expect([response.status, headers.get("content-length"), headers.get("etag")]).toEqual([200, "99", record.checksum]);
    expect(headers.get("x-image-meta-is_public")).toBe("False");
    expect(headers.get("x-image-meta-size")).toBe("99");
    expect(headers.get("x-image-meta-location")).toBeNull();
    expect(Buffer.compare(await bytesOf(response), virtualBytes(3, 0, 99))).toBe(0);
    const head = await ask(url, { method: "HEAD", token: "admin" });
    expect([head.status, head.headers.get("x-image-meta-checksum")]).toEqual([200, record.checksum]);
    expect(head.headers.get("x-image-meta-location")).toContain(IMAGE_ID);
    const list = (await (await ask(`${namespace}/v1/images/detail`)).json()) as { images: unknown[] };
    expect(list.images).toHaveLength(1);
    expect((await ask(url, { method: "DELETE" })).status).toBe(200);
    expect((await ask(url)).status).toBe(404);
  });

  test("refuses a deactivated image to admins too", async () => {
    const namespace = base();
    await put(`${controlOf(namespace)}/images/${IMAGE_ID}`, { size: 9, status: "deactivated" });
    expect((await ask(`${namespace}/v1/images/${IMAGE_ID}`, { token: "admin" })).status).toBe(403);
  });
});

describe("Keystone", () => {
  const password = (name: string, secret: string) => ({
    auth: {
      identity: { methods: ["password"], password: { user: { name, domain: { id: "default" }, password: secret } } },
    },
  });
  const credential = (id: string, secret: string) => ({
    auth: { identity: { methods: ["application_credential"], application_credential: { id, secret } } },
  });

  test("gives a token for a password or an application credential, good for Glance and for validation", async () => {
    const namespace = base();
    for (const json of [password("demo", "demo"), credential("demo-credential", "demo-secret")]) {
      const given = await ask(`${namespace}/v3/auth/tokens`, { method: "POST", json });
      expect(given.status).toBe(201);
      const token = given.headers.get("x-subject-token") ?? "";
      expect((await ask(`${namespace}/v2/images`, { token })).status).toBe(200);
      const checked = await ask(`${namespace}/v3/auth/tokens`, { token, headers: { "x-subject-token": token } });
      expect([checked.status, await checked.json()]).toMatchObject([
        200,
        { token: { user: { name: "demo" }, project: { id: "demo" }, roles: [{ name: "member" }, { name: "reader" }] } },
      ]);
      await ask(`${namespace}/v3/auth/tokens`, { method: "DELETE", token, headers: { "x-subject-token": token } });
      expect((await ask(`${namespace}/v2/images`, { token })).status).toBe(401);
    }
  });

  test("refuses wrong secrets, unknown callers, unknown subjects and other people's tokens", async () => {
    const url = `${base()}/v3/auth/tokens`;
    for (const json of [
      password("demo", "x"),
      password("constructor", "constructor"),
      credential("demo-credential", "x"),
    ]) {
      expect((await ask(url, { method: "POST", json })).status).toBe(401);
    }
    expect((await ask(url, { method: "POST", json: credential("no-credential", "x") })).status).toBe(404);
    const check = async (token: string, subject: string) =>
      (await ask(url, { token, headers: { "x-subject-token": subject } })).status;
    expect(await check("nobody", "demo")).toBe(401);
    expect(await check("admin", "nobody")).toBe(404);
    expect(await check("other", "demo")).toBe(403);
    expect(await check("admin", "demo")).toBe(200);
    expect(await check("demo", "demo")).toBe(200);
  });
});
