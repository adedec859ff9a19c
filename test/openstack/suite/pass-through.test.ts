/** Whatever is no download passes byte for byte: status line, headers and body are those of Glance itself. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { field } from "./clients.ts";
import { filePath, type Image, makeImage, tokenOf } from "./cloud.ts";
import { askBoth, assertSameAnswer } from "./compare.ts";

const UNKNOWN = "00000000-0000-4000-8000-000000000000";
const JSON_TYPE = "Content-Type: application/json";

/** Name, method, path ({id} stands for an existing image's), status, and what else the request has. */
interface Row {
  readonly ask: string;
  readonly status: number;
  readonly headers?: readonly string[];
  readonly body?: string;
}

const TABLE: readonly Row[] = [
  { ask: "GET /v2/images?limit=1&sort=created_at:asc", status: 200 },
  { ask: "GET /v2/images?name=none&visibility=private&tag=a%2Cb", status: 200 },
  { ask: "GET /v2/images?limit=-1", status: 400 },
  { ask: "GET /v2/images/{id}", status: 200 },
  { ask: `GET /v2/images/${UNKNOWN}`, status: 404 },
  { ask: "GET /v2/images/{id}/members", status: 200 },
  { ask: "GET /v2/schemas/image", status: 200 },
  { ask: "GET /v2/info/stores", status: 200 },
  { ask: "GET /v2/nothing", status: 404 },
  { ask: "GET /v2/images/{id}/nothing", status: 404 },
  { ask: "HEAD /v2/images/{id}", status: 405 },
  { ask: "HEAD /v2/schemas/image", status: 405 },
  { ask: "POST /v2/images/{id}/file", status: 405 },
  { ask: "PATCH /v2/images/{id}/file", status: 405 },
  { ask: "OPTIONS /v2/images/{id}/file", status: 200 },
  { ask: "OPTIONS /v2/images", status: 200 },
  { ask: "GET /v2/images/{id}/file/", status: 404 },
  { ask: "GET //v2/images/{id}/file", status: 200 },
  { ask: "GET /v2/images//file", status: 404 },
  { ask: `GET /v2/images/${UNKNOWN}/file`, status: 404 },
  { ask: `GET /v2/images/${UNKNOWN}/file`, status: 404, headers: ["Accept: application/json"] },
  { ask: `GET /v2/images/${UNKNOWN}/file`, status: 404, headers: ["Accept: text/html"] },
  { ask: `GET /v2/images/${UNKNOWN}/file`, status: 404, headers: ["Accept: text/plain"] },
  { ask: `GET /v2/images/${UNKNOWN}/file`, status: 404, headers: ["Accept-Language: de"] },
  { ask: "GET /v2/images/no%20such%2Fimage/file", status: 404 },
  { ask: "GET /v2/images/%7Bid%7D", status: 404 },
  { ask: "GET /v2/images/%C3%A4%E2%82%AC/file", status: 404 },
  { ask: "POST /v2/images", status: 400, headers: [JSON_TYPE], body: "{not json" },
  { ask: "POST /v2/images", status: 400, headers: [JSON_TYPE], body: '{"disk_format":"none such"}' },
  { ask: "POST /v2/images", status: 400, headers: ["Content-Type: text/plain"], body: "x" },
  { ask: "PATCH /v2/images/{id}", status: 415, headers: [JSON_TYPE], body: "[]" },
  { ask: `DELETE /v2/images/${UNKNOWN}`, status: 404 },
  { ask: "PUT /v2/images/{id}/file", status: 409, headers: ["Content-Type: application/octet-stream"], body: "x" },
  { ask: "GET /healthcheck", status: 200 },
];

describe("what passes through is Glance's own answer", () => {
  let image: Image;
  before(async () => {
    image = await makeImage({ size: 1234, visibility: "shared" });
  });

  for (const { ask, status, headers = [], body } of TABLE) {
    const more = [...headers, ...(body === undefined ? [] : [body])].join(", ");
    test(`${status} to ${ask}${more === "" ? "" : ` (${more})`}`, async () => {
      const [method = "", path = ""] = ask.replace("{id}", image.id).split(" ");
      const token = await tokenOf("demo");
      const both = await askBoth(path, { method, token, headers, ...(body === undefined ? {} : { body }) });
      assert.equal(both.origin.status, status, both.origin.body.subarray(0, 500).toString());
      assertSameAnswer(both);
    });
  }

  // Known difference (README): Glance has no HEAD of the data.
  test("200 to HEAD /v2/images/{id}/file, as GET without a body, where Glance says 405", async () => {
    const token = await tokenOf("demo");
    const { edge, origin } = await askBoth(filePath(image.id), { method: "HEAD", token });
    assert.equal(origin.status, 405);
    assert.equal(edge.status, 200);
    assert.equal(edge.body.byteLength, 0);
    const get = await askBoth(filePath(image.id), { token });
    for (const name of ["content-length", "content-type", "content-md5"]) {
      assert.equal(field(edge.headers, name), field(get.origin.headers, name), name);
    }
  });

  test("HEAD /v2/images/{id}/file of who may not download is refused as Glance does", async () => {
    for (const options of [{ token: await tokenOf("other") }, { token: "nonsense" }, {}]) {
      assertSameAnswer(await askBoth(filePath(image.id), { method: "HEAD", ...options }));
    }
  });

  test("a percent-encoded image id is the same image", async () => {
    const encoded = `%${image.id.charCodeAt(0).toString(16)}${image.id.slice(1)}`;
    const both = await askBoth(filePath(encoded), { token: await tokenOf("demo") });
    assert.equal(both.origin.status, 200);
    assert.ok(both.edge.status === 200 && both.edge.body.equals(image.bytes));
  });
});
