/**
 * Ranges of an image in both kinds of store: one that can read from the middle, and one that can't, as Ceph, S3, Swift,
 * VMware and HTTP behind a Glance. What is refused before the store is opened is refused alike.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DemoOrigin, startDemoOrigin } from "../../demo/origin.ts";
import { IMAGE_ID, put } from "./support.ts";

const SIZE = 26;
/** The largest start that Glance's own arithmetic was seen to take, less one. */
const FAR = "9223372036854775806";

const UNAVAILABLE = "The Range requested is not available.";
const outside = (last: number) =>
  `Invalid start position in Range header. Start position MUST be in the inclusive range [0, ${last}].`;

interface Row {
  readonly what: string;
  readonly image?: Readonly<Record<string, unknown>>;
  readonly faults?: Readonly<Record<string, unknown>>;
  readonly id?: string;
  readonly method?: string;
  readonly token?: string | null;
  readonly range?: string;
  readonly status: number;
  readonly text?: string;
}

const REFUSED: readonly Row[] = [
  { what: "the owner", status: 416, text: `${UNAVAILABLE}<br /><br />\n${outside(SIZE - 1)}` },
  ...[String(SIZE), "9223372036854775807", "18446744073709551616", "99999999999999999999999999"].map((start) => ({
    what: `the owner from ${start} on`,
    range: `bytes=${start}-`,
    status: 416,
    text: `${UNAVAILABLE}<br /><br />\n${outside(SIZE - 1)}`,
  })),
  {
    what: "the owner with an end before the start, in digits that no double tells apart",
    range: "bytes=9223372036854775807-9223372036854775806",
    status: 416,
    text: `${UNAVAILABLE}<br /><br />\nInvalid Range header.`,
  },
  { what: "another project", token: "other", status: 404, text: `No image found with ID ${IMAGE_ID}` },
  { what: "a caller with a bad token", token: "nobody", status: 401 },
  { what: "a caller without a token", token: null, status: 401 },
  { what: "an unknown image", id: "22222222-2222-4222-8222-222222222222", status: 404 },
  { what: "a caller whom the policy refuses", faults: { status: 403 }, status: 403 },
  { what: "the owner of a deactivated image", image: { status: "deactivated" }, status: 403 },
  { what: "an admin and a deactivated image", image: { status: "deactivated" }, token: "admin", status: 416 },
  { what: "the owner of an empty image", image: { size: 0 }, status: 416, text: outside(-1) },
  { what: "HEAD", method: "HEAD", status: 405 },
  { what: "the owner with several ranges", range: "bytes=0-1,3-4", status: 400, text: "multiple ranges" },
];

/** What follows "bytes" and the part that it means. */
const TAKEN: readonly [headers: Readonly<Record<string, string>>, offset: number, length: number][] = [
  [{ range: "bytes=0-0" }, 0, 1],
  [{ range: "bytes=0-" }, 0, SIZE],
  [{ range: "bytes=3-5" }, 3, 3],
  [{ range: "bytes=20-900" }, 20, 6],
  [{ range: "bytes=-4" }, 22, 4],
  [{ range: "bytes=-0" }, 0, SIZE],
  [{ range: "bytes=25-" }, 25, 1],
  [{ "content-range": "bytes 3-5/*" }, 3, 3],
];

describe.each([true, false])("with randomAccess: %j", (randomAccess) => {
  let origin: DemoOrigin;
  let count = 0;
  beforeAll(async () => {
    origin = await startDemoOrigin({ randomAccess });
  });
  afterAll(() => origin.close());

  /** @returns the path of its namespace */
  async function make(image: Row["image"] = {}, faults: Row["faults"] = {}): Promise<string> {
    const prefix = `/t/n${count++}`;
    const control = `${origin.controlUrl}${prefix}/_demo/images/${IMAGE_ID}`;
    await put(control, { size: SIZE, ...image });
    await put(`${control}/faults`, faults);
    return origin.url + prefix;
  }

  function get(namespace: string, headers: Readonly<Record<string, string>>): Promise<Response> {
    const all = { "x-auth-token": "demo", ...headers };
    return fetch(`${namespace}/v2/images/${IMAGE_ID}/file`, { headers: all });
  }

  test.each(REFUSED)("$what is answered $status", async (row) => {
    const namespace = await make(row.image, row.faults);
    const response = await fetch(`${namespace}/v2/images/${row.id ?? IMAGE_ID}/file`, {
      method: row.method ?? "GET",
      headers: {
        range: row.range ?? `bytes=${FAR}-`,
        ...(row.token === null ? {} : { "x-auth-token": row.token ?? "demo" }),
      },
    });
    expect(response.status).toBe(row.status);
    expect(await response.text()).toContain(row.text ?? "");
    for (const name of ["content-range", "content-md5"]) expect(response.headers.get(name)).toBeNull();
  });

  test("a pending member may download, and is answered 416", async () => {
    const namespace = await make({ visibility: "shared" });
    const members = await fetch(`${namespace}/v2/images/${IMAGE_ID}/members`, {
      method: "POST",
      headers: { "x-auth-token": "demo" },
      body: JSON.stringify({ member: "other" }),
    });
    expect(await members.json()).toMatchObject({ status: "pending" });
    expect((await get(namespace, { "x-auth-token": "other", range: `bytes=${FAR}-` })).status).toBe(416);
  });

  test.each([`bytes=${FAR}-`, "bytes=0-0"])("an image without data: %s is answered 500 and nothing", async (range) => {
    const namespace = await make({ status: "queued" });
    for (const accept of ["*/*", "application/json"]) {
      const response = await get(namespace, { range, accept });
      expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([500, "0", ""]);
    }
  });

  test.each(TAKEN)("%j, which Glance takes, is for the store", async (headers, offset, length) => {
    const response = await get(await make(), headers);
    if (randomAccess) {
      expect(response.status).toBe(206);
      expect(response.headers.get("content-range")).toBe(`bytes ${offset}-${offset + length - 1}/${SIZE}`);
      expect((await response.arrayBuffer()).byteLength).toBe(length);
    } else {
      expect(response.status).toBe(400);
      expect(await response.text()).toContain(
        `Getting images randomly from this store is not supported. Offset: ${offset}, length: ${length}`,
      );
    }
  });

  test("the empty part of an empty image is none to any store", async () => {
    const response = await get(await make({ size: 0 }), { range: "bytes=-5" });
    expect([response.status, await response.text()]).toEqual([206, ""]);
  });

  test("a whole download and an ignored range are no reading from the middle", async () => {
    expect((await get(await make(), {})).status).toBe(200);
    expect((await get(await make({}, { ignoreRange: true }), { range: "bytes=3-5" })).status).toBe(200);
  });

  test("an image's faults may say otherwise, and {} takes that back", async () => {
    const namespace = await make({}, { randomAccess: !randomAccess });
    const [usual, other] = randomAccess ? [206, 400] : [400, 206];
    expect((await get(namespace, { range: "bytes=0-0" })).status).toBe(other);
    const control = namespace.replace(origin.url, origin.controlUrl);
    await put(`${control}/_demo/images/${IMAGE_ID}/faults`, {});
    expect((await get(namespace, { range: "bytes=0-0" })).status).toBe(usual);
  });
});

describe("the two refusals", () => {
  const RANDOM = "Getting images randomly from this store is not supported. Offset: 0, length: 1";
  const page = (code: string, text: string) =>
    `<html>\n <head>\n  <title>${code}</title>\n </head>\n <body>\n  <h1>${code}</h1>\n  ${text}\n\n\n </body>\n</html>`;
  const CODES = { 400: "400 Bad Request", 416: "416 Request Range Not Satisfiable" } as const;
  const WORDS = { 400: [RANDOM, ""], 416: [UNAVAILABLE, outside(SIZE - 1)] } as const;
  let origin: DemoOrigin;
  beforeAll(async () => {
    origin = await startDemoOrigin({ randomAccess: false });
    await put(`${origin.controlUrl}/_demo/images/${IMAGE_ID}`, { size: SIZE });
  });
  afterAll(() => origin.close());

  test.each([
    [400, "*/*"],
    [400, "application/json"],
    [400, "text/plain"],
    [416, "*/*"],
    [416, "application/json"],
    [416, "text/plain"],
  ] as const)("%i for Accept %s has WebOb's form", async (status, accept) => {
    const range = status === 400 ? "bytes=0-0" : `bytes=${FAR}-`;
    const headers = { "x-auth-token": "demo", range, accept };
    const response = await fetch(`${origin.url}/v2/images/${IMAGE_ID}/file`, { headers });
    const [explanation, detail] = WORDS[status];
    const body = await response.text();
    expect([response.status, response.headers.get("content-range")]).toEqual([status, null]);
    if (accept === "*/*") expect(body).toBe(page(CODES[status], `${explanation}<br /><br />\n${detail}`));
    if (accept === "text/plain") expect(body).toBe(`${CODES[status]}\n\n${explanation}\n\n ${detail}  `);
    if (accept === "application/json") {
      expect(JSON.parse(body)).toEqual({
        message: `${explanation}<br /><br />\n${detail}\n\n`,
        code: CODES[status],
        title: CODES[status].slice(4),
      });
    }
  });
});
