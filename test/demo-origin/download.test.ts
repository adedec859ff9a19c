/** Downloads as Glance 25.1 answers them: statuses, headers, bodies, ranges. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { seedOf, virtualBytes } from "../../demo/content/virtual-bytes.ts";
import { ask, bytesOf, controlOf, IMAGE_ID, put, useDemoOrigin } from "./support.ts";

const base = useDemoOrigin();
const SIZE = 200_001;
const SEED = 7;
const expected = virtualBytes(SEED, 0, SIZE);

async function imageIn(namespace: string, fields: Readonly<Record<string, unknown>> = {}): Promise<string> {
  await put(`${controlOf(namespace)}/images/${IMAGE_ID}`, { size: SIZE, seed: SEED, ...fields });
  return `${namespace}/v2/images/${IMAGE_ID}/file`;
}

describe("a whole download", () => {
  test("is chunked, carries the MD5 and has the bytes that the generator tells", async () => {
    const response = await ask(await imageIn(base()));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBeNull();
    expect(response.headers.get("transfer-encoding")).toBe("chunked");
    expect(response.headers.get("content-type")).toBe("application/octet-stream");
    expect(response.headers.get("content-md5")).toBe(createHash("md5").update(expected).digest("hex"));
    for (const name of ["etag", "last-modified", "accept-ranges", "cache-control"]) {
      expect(response.headers.get(name)).toBeNull();
    }
    expect(Buffer.compare(await bytesOf(response), expected)).toBe(0);
  });

  test("of an image of 0 bytes is an empty 200", async () => {
    const response = await ask(await imageIn(base(), { size: 0 }));
    expect([response.status, (await bytesOf(response)).length]).toEqual([200, 0]);
  });

  test("of an image without data is 204 without a type", async () => {
    const response = await ask(await imageIn(base(), { status: "queued" }));
    expect(response.status).toBe(204);
    expect(response.headers.get("content-type")).toBeNull();
  });

  test("has no Content-Md5 when the image has no checksum", async () => {
    const response = await ask(await imageIn(base(), { hash: "none" }));
    expect(response.headers.get("content-md5")).toBeNull();
    await response.body?.cancel();
  });

  test("of a deactivated image is refused to its owner but not to an admin", async () => {
    const url = await imageIn(base(), { status: "deactivated" });
    const refused = await ask(url);
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain(
      "The requested image has been deactivated. Image data download is forbidden.",
    );
    const allowed = await ask(url, { token: "admin" });
    expect([allowed.status, (await bytesOf(allowed)).length]).toEqual([200, SIZE]);
  });
});

describe("a range", () => {
  const PARTS: [Record<string, string>, number, number][] = [
    [{ range: "bytes=3-5" }, 3, 5],
    [{ range: "bytes=-4" }, SIZE - 4, SIZE - 1],
    [{ range: "bytes=65530-131080" }, 65_530, 131_080],
    [{ range: "bytes=200000-" }, 200_000, SIZE - 1],
    [{ range: "bytes=20-99999999" }, 20, SIZE - 1],
    [{ range: "bytes=-0" }, 0, SIZE - 1],
    [{ range: "bytes=-99999999" }, 0, SIZE - 1],
    [{ range: "bytes = 1 - 2" }, 1, 2],
    [{ "content-range": "bytes 3-5/*" }, 3, 5],
    [{ "content-range": `bytes 3-5/${SIZE}` }, 3, 5],
  ];
  test.each(PARTS)("%j is answered 206 with its bytes and the whole image's MD5", async (headers, first, last) => {
    const response = await ask(await imageIn(base()), { headers });
    expect(response.status).toBe(206);
    expect(response.headers.get("content-range")).toBe(`bytes ${first}-${last}/${SIZE}`);
    expect(response.headers.get("content-length")).toBe(String(last - first + 1));
    expect(response.headers.get("content-md5")).toBe(createHash("md5").update(expected).digest("hex"));
    expect(Buffer.compare(await bytesOf(response), expected.subarray(first, last + 1))).toBe(0);
  });

  const REFUSED: [Record<string, string>, number, string][] = [
    [
      { range: `bytes=${SIZE}-` },
      416,
      `Invalid start position in Range header. Start position MUST be in the inclusive range [0, ${SIZE - 1}].`,
    ],
    [{ range: "bytes=5-3" }, 416, "The Range requested is not available.<br /><br />\nInvalid Range header."],
    [{ range: "items=0-1" }, 416, "Invalid Range header."],
    [{ range: "bytes=0-1,3-4" }, 400, "Requests with multiple ranges are not supported in Glance."],
    [{ "content-range": `bytes 3-${SIZE}/*` }, 416, "Invalid stop position in Content-Range header."],
    [{ "content-range": "junk" }, 416, "Invalid Content-Range header."],
  ];
  test.each(REFUSED)("%j is refused with %i in Glance's words", async (headers, status, words) => {
    const response = await ask(await imageIn(base()), { headers });
    expect(response.status).toBe(status);
    expect(response.headers.get("content-range")).toBeNull();
    expect(await response.text()).toContain(words);
  });

  test("of an image of 0 bytes is refused with 416, of an image without data with 500", async () => {
    const headers = { range: "bytes=0-0" };
    expect((await ask(await imageIn(base(), { size: 0 }), { headers })).status).toBe(416);
    expect((await ask(await imageIn(base(), { status: "queued" }), { headers })).status).toBe(500);
  });
});

describe("rights", () => {
  test("a request without a good token gets 401 and the way to Keystone", async () => {
    const namespace = base();
    const response = await ask(await imageIn(namespace), { token: "nobody" });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(`Keystone uri="${namespace}/v3"`);
  });

  const SEEN: [string, number][] = [
    ["private", 404],
    ["shared", 404],
    ["public", 200],
    ["community", 200],
  ];
  test.each(SEEN)("another project's %s image is answered %i", async (visibility, status) => {
    const url = await imageIn(base(), { visibility });
    const response = await ask(url, { token: "other" });
    expect(response.status).toBe(status);
    if (status === 404) expect(await response.text()).toContain(`No image found with ID ${IMAGE_ID}`);
    else expect(Buffer.compare(await bytesOf(response), expected)).toBe(0);
    expect((await ask(url, { token: "admin" })).status).toBe(200);
  });

  test("a member downloads a shared image before it has accepted it", async () => {
    const namespace = base();
    const url = await imageIn(namespace, { visibility: "shared" });
    const members = `${namespace}/v2/images/${IMAGE_ID}/members`;
    const added = await ask(members, { method: "POST", json: { member: "other" } });
    expect(await added.json()).toMatchObject({ member_id: "other", status: "pending" });
    expect((await ask(url, { token: "other" })).status).toBe(200);
    expect((await ask(`${members}/other`, { method: "DELETE" })).status).toBe(204);
    expect((await ask(url, { token: "other" })).status).toBe(404);
  });
});

describe("errors", () => {
  // The texts are WebOb 1.8.7's own.
  const BODIES: [string, string, string][] = [
    [
      "*/*",
      "text/html; charset=UTF-8",
      "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n  The resource could not be found.<br /><br />\n\n\n\n </body>\n</html>",
    ],
    [
      "application/json",
      "application/json",
      '{"message": "The resource could not be found.<br /><br />\\n\\n\\n", "code": "404 Not Found", "title": "Not Found"}',
    ],
    ["text/plain", "text/plain; charset=UTF-8", "404 Not Found\n\nThe resource could not be found.\n\n   "],
  ];
  test.each(BODIES)("for Accept %s come as %s", async (accept, type, body) => {
    const response = await ask(`${await imageIn(base())}/`, { headers: { accept } });
    expect([response.status, response.headers.get("content-type")]).toEqual([404, type]);
    expect(await response.text()).toBe(body);
  });

  test("a method that a path does not have gets 405 with Allow, and HEAD no body", async () => {
    const url = await imageIn(base());
    const posted = await ask(url, { method: "POST", headers: { accept: "text/html" } });
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, PUT"]);
    expect(await posted.text()).toBe(
      "<html>\n <head>\n  <title>405 Method Not Allowed</title>\n </head>\n <body>\n  <h1>405 Method Not Allowed</h1>\n  The method POST is not allowed for this resource. <br /><br />\n\n </body>\n</html>",
    );
    const head = await ask(url.replace("/file", ""), { method: "HEAD" });
    expect([head.status, head.headers.get("allow")]).toEqual([405, "GET, PATCH, DELETE"]);
  });
});

test("two images made without a seed differ, and each is what its id says", async () => {
  const namespace = base();
  const ids = [IMAGE_ID, IMAGE_ID.replace("1", "2")];
  for (const id of ids) {
    await put(`${controlOf(namespace)}/images/${id}`, { size: 100_000 });
    const body = await bytesOf(await ask(`${namespace}/v2/images/${id}/file`));
    expect(Buffer.compare(body, virtualBytes(seedOf(id), 0, 100_000))).toBe(0);
  }
  expect(seedOf(ids[0] ?? "")).not.toBe(seedOf(ids[1] ?? ""));
});
