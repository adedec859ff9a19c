/** Whatever a client asks of a kept image: no byte of it without the origin's yes to this very caller, and the origin's own refusals. */
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { decent } from "../../support/decency.ts";
import { fieldValue } from "../../support/hostile.ts";
import { keptImage } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import { holds } from "../../support/property.ts";
import { ask, atOrigin, type Image, PROBE, PROBE_V1, settled, takeCalls, trueBytes } from "../../support/scenario.ts";

keepLines();

const SIZE = 5_000;
let image: Image;
let bytes: Uint8Array;

beforeAll(async () => {
  image = await keptImage({ size: SIZE });
  bytes = await trueBytes(image.id);
});

const edges = fc.oneof(fc.nat(SIZE + 2).map(BigInt), fc.constantFrom(2n ** 53n, 2n ** 63n - 2n, 10n ** 30n));
const range = fc.oneof(
  fc.tuple(edges, edges).map(([from, to]) => `bytes=${from}-${to}`),
  edges.map((from) => `bytes=${from}-`),
  edges.map((suffix) => `bytes=-${suffix}`),
  fc.tuple(edges, edges).map(([from, to]) => `bytes=${from}-${to},0-0`),
  fc.constantFrom(
    PROBE,
    PROBE_V1,
    "bytes=",
    "bytes=٣-٥",
    "Bytes=0-1",
    "bytes = 0-1",
    "bytes=0-1 ",
    "items=0-1",
    "bytes=0x1-2",
  ),
  fc.constantFrom(`bytes=${"0".repeat(2_000)}1-2`, `bytes=0-1${",2-3".repeat(300)}`),
  fieldValue,
);
const contentRange = fc.oneof(
  fc.tuple(edges, edges).map(([from, to]) => `bytes ${from}-${to}/*`),
  fc.constantFrom(`bytes 0-1/${SIZE}`, "bytes */5", "junk"),
);
const tag = fc.oneof(
  fc.constantFrom("*", '"', '""', 'W/"x"', "ETAG", "W/ETAG", 'ETAG, "x"', "ETAG".repeat(2), '"x'.repeat(500)),
  fieldValue,
);
const FIELDS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  range,
  "content-range": contentRange,
  "if-match": tag,
  "if-none-match": tag,
  "if-range": tag,
  "cache-control": fc.constantFrom("only-if-cached", "no-cache", "ONLY-IF-CACHED , x", "private=only-if-cached"),
  accept: fc.oneof(fc.constantFrom("application/json", "*/*", "a/b;q=9", `${"a/b,".repeat(300)}x`), fieldValue),
  connection: fc.constantFrom("X-Auth-Token", "Range", "close, via", ",".repeat(1_000)),
  "x-roles": fc.constant("admin"),
  "x-identity-status": fc.constant("Confirmed"),
  "x-storage-token": fc.constantFrom("demo", "admin", "nonsense"),
  "x-service-token": fieldValue,
  authorization: fieldValue,
  cookie: fieldValue,
  "x-openstack-request-id": fieldValue,
  "x-http-method-override": fc.constantFrom("DELETE", "GET"),
  te: fc.constantFrom("trailers", "chunked"),
  // Node, in which the demo origin runs, takes 16 KiB of fields in all.
  "x-long": fc.constant("x".repeat(3_000)),
};
const headers = fc
  .uniqueArray(fc.oneof(...Object.entries(FIELDS).map(([name, value]) => value.map((text) => [name, text] as const))), {
    maxLength: 3,
    selector: ([name]) => name,
  })
  .map((fields) => Object.fromEntries(fields));
/** Nobody's, of those who may have the image, and of those who may not. */
const token = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("demo", "admin") },
  { weight: 3, arbitrary: fc.constantFrom("other", "nonsense", "", null, "demo ", "demo,admin", "demo\u00a0", "DEMO") },
  { weight: 1, arbitrary: fieldValue },
);
const DOWNLOADS = ["/v2/images/ID/file", "/v1/images/ID", "/v2/images/ID/file?prefer=a", "/v2/x/../images/ID/./file"];
const OTHERS = [
  ...[
    "/v2/images/ID/file/",
    "/v2//images/ID/file",
    "/v2/images/ID%2ffile",
    "/v2/images/ID/fil%65",
    "//v2/images/ID/file",
  ],
  ...["/v2/images/ID/file;x", "/v2/images/ID%00/file", "/v2.0/images/ID/file", "/v2/images/ID", "/v2/images/{ID}/file"],
  ...[
    "/v2/images/UPPER/file",
    "/v2/images/ID/file/.",
    "/v2/images/ID/../ID",
    "/V2/images/ID/file",
    "/v2\\images\\ID/file",
  ],
];
const spelling = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...DOWNLOADS) },
  { weight: 1, arbitrary: fc.constantFrom(...OTHERS) },
);
const method = fc.oneof(
  { weight: 6, arbitrary: fc.constant("GET") },
  { weight: 1, arbitrary: fc.constantFrom("HEAD", "OPTIONS", "POST") },
);

it("no cached byte leaves without the origin's yes to this caller, in this request", async () => {
  let hits = 0;
  await holds(
    fc.asyncProperty(method, spelling, token, headers, async (verb, spelt, caller, given) => {
      const etag = `"${image.os_hash_value}"`;
      const fields = Object.fromEntries(
        Object.entries(given).map(([name, text]) => [name, text.replaceAll("ETAG", etag)]),
      );
      const path = spelt.replaceAll("ID", image.id).replace("UPPER", image.id.toUpperCase());
      const init = { method: verb, token: caller, headers: fields };
      const response = await ask(path, init);
      const body = await decent(response);
      const calls = await takeCalls();
      const seen = calls.map(
        ({ method, path, range, status }) => `${method} ${path}${range === null ? "" : ` ${range}`}: ${status}`,
      );

      // What the edge asks by itself is about the image that the client has named, and under its very token.
      const sent = new URL(`http://x${path}`);
      const itself = `${verb} ${sent.pathname}${sent.search}`;
      const record = sent.pathname.replace(/\/file$/, "");
      const own = calls.filter((call) => `${call.method} ${call.path}` !== itself);
      for (const call of own)
        expect([`GET ${record}`, `HEAD ${record}`, itself.replace("HEAD", "GET")]).toContain(
          `${call.method} ${call.path}`,
        );
      const asked = new Set(calls.map((call) => call.token));
      expect(asked.size).toBeLessThanOrEqual(1);
      expect(
        calls.filter((call) => Object.keys(call.headers).some((name) => /^x-(roles|identity)/.test(name))),
      ).toEqual([]);

      // Where the origin itself gave data to the very request, all bytes are its own.
      const isOrigins = calls.some(
        (call) =>
          `${call.method} ${call.path}` === itself &&
          (call.status === 200 || call.status === 206) &&
          ![PROBE, PROBE_V1].includes(call.range ?? "") &&
          verb === "GET",
      );
      const isHit = /; hit/.test(response.headers.get("cache-status") ?? "");
      const isCached = isHit || (!isOrigins && carries(body));
      if (isCached) {
        hits++;
        const yes = [`GET ${record}: 200`, `HEAD ${record}: 200`].some((line) => seen.includes(line));
        const right = calls.some(
          ({ range, status }) => (range === PROBE && status === 416) || (range === PROBE_V1 && status === 200),
        );
        expect([yes, right], seen.join("\n")).toEqual([true, true]);
        expect(["demo", "admin"]).toContain(calls[0]?.token);
        return;
      }
      // All else is the origin's own answer, but for what a cache says of conditions and of what it may not fetch.
      if ([304, 412, 504].includes(response.status)) return;
      // What it names is of the client's connection, and stays there.
      if (given.connection !== undefined) return;
      const theirs = await atOrigin(path, init);
      await theirs.body?.cancel();
      expect(response.status).toBe(theirs.status);
    }),
    50,
    ["GET", "/v2/images/ID/file", "demo", {}],
  );
  await settled();
  expect(hits).toBeGreaterThan(0);
});

/** Whether there are enough of the image's bytes to know them by. */
function carries(body: Uint8Array): boolean {
  const text = new TextDecoder("latin1");
  return body.byteLength >= 16 && text.decode(bytes).includes(text.decode(body));
}
