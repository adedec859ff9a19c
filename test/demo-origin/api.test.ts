/** What the contract (test/contract) does not say of the API: large and broken uploads, long lists, v1, Keystone. */
import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { virtualBytes } from "../../demo/content/virtual-bytes.ts";
import { ask, bytesOf, controlOf, IMAGE_ID, put, useDemoOrigin } from "./support.ts";

const base = useDemoOrigin();

async function create(namespace: string): Promise<string> {
  const response = await ask(`${namespace}/v2/images`, { method: "POST", json: { name: "x" } });
  expect(response.status).toBe(201);
  await response.text();
  return response.headers.get("location") ?? "";
}

function upload(url: string, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  const headers = { "x-auth-token": "demo", "content-type": "application/octet-stream" };
  return fetch(`${url}/file`, { method: "PUT", headers, body });
}

describe("the life of an image", () => {
  test("what was uploaded is downloaded, whole and in part", async () => {
    const url = await create(base());
    const data = new Uint8Array(randomBytes(3_000_001));
    expect((await upload(url, data)).status).toBe(204);
    expect(await (await ask(url)).json()).toMatchObject({
      size: data.length,
      checksum: createHash("md5").update(data).digest("hex"),
      os_hash_value: createHash("sha512").update(data).digest("hex"),
    });
    expect(Buffer.compare(await bytesOf(await ask(`${url}/file`)), data)).toBe(0);
    const part = await ask(`${url}/file`, { headers: { range: "bytes=2000000-2999999" } });
    expect(Buffer.compare(await bytesOf(part), data.subarray(2_000_000, 3_000_000))).toBe(0);
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

  test("the list has the newest first, filters, and comes page by page", async () => {
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
    expect(await names("demo")).toEqual(["shared", "community", "private", "public"]);
    expect(await names("demo", "?name=private")).toEqual(["private"]);
    const first = (await (await ask(`${namespace}/v2/images?limit=3`)).json()) as { next: string };
    const next = (await (await ask(namespace + first.next)).json()) as { images: unknown[]; next?: string };
    expect([next.images.length, next.next]).toEqual([1, undefined]);
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
