import { describe, expect, it } from "vitest";
import type { ImageHead } from "../../../src/download/decide.ts";
import { dataInit, imageHeaders, siteHeaders } from "../../../src/download/headers.ts";
import { PLAIN } from "../../support/records.ts";

const MD5 = "0".repeat(32);

function headOf(headers: HeadersInit, checksum: string | null = MD5): ImageHead {
  const record = { status: "active", size: 10, checksum, hash: null, traits: PLAIN, owner: "demo", name: null };
  return {
    record,
    found: { kind: "found", record, headers: new Headers(headers) },
    digest: { algorithm: "md5", hex: MD5 },
    size: 10,
    etag: '"tag"',
  };
}

const imageFields = (headers: HeadersInit, checksum?: string | null) =>
  imageHeaders(headOf(headers, checksum), { kind: "hit" }, "req-1");

/** What the edge says itself. */
const OWN = {
  "accept-ranges": "bytes",
  "cache-control": "private, no-cache",
  "cache-status": "glance-edge; hit",
  "content-md5": MD5,
  "content-type": "application/octet-stream",
  etag: '"tag"',
  "x-openstack-request-id": "req-1",
};

/** What the origin, or a proxy in front of it, may add to any of its answers. */
const ADDED = {
  "access-control-allow-origin": "https://horizon.test",
  "access-control-allow-credentials": "true",
  "access-control-expose-headers": "X-Auth-Token, X-Openstack-Request-Id",
  vary: "Origin",
  "content-security-policy": "default-src 'none'",
  "content-security-policy-report-only": "default-src 'none'",
  "cross-origin-resource-policy": "same-site",
  "date-of-issue": "x",
  "etag-of-something": "x",
  "location-of-site": "x",
  server: "Apache",
  "strict-transport-security": "max-age=1",
  "timing-allow-origin": "*",
  "x-content-type-options": "nosniff",
  "x-trace": "1",
};

/** What an answer with the record says of itself. */
const OF_THE_RECORD = {
  "accept-ranges": "none",
  age: "5",
  "cache-control": "max-age=600",
  "cache-status": "inner; hit",
  "content-disposition": "attachment",
  "content-encoding": "gzip",
  "content-language": "en",
  "content-length": "700",
  "content-location": "/v2/images/x",
  "content-md5": "1".repeat(32),
  "content-range": "bytes 0-1/2",
  "content-type": "application/json",
  date: "Mon, 23 Nov 2026 00:00:00 GMT",
  digest: "x",
  "repr-digest": "x",
  "content-digest": "x",
  etag: '"record"',
  expires: "0",
  "last-modified": "Mon, 23 Nov 2026 00:00:00 GMT",
  location: "http://origin/",
  pragma: "no-cache",
  "retry-after": "1",
  "set-cookie": "session=1",
  "x-openstack-request-id": "req-origin",
  connection: "close, x-hop",
  "x-hop": "1",
  "transfer-encoding": "chunked",
};

describe("an answer about an image", () => {
  it("carries what the origin adds for this caller, and nothing that is about the record", () => {
    expect(Object.fromEntries(imageFields({ ...ADDED, ...OF_THE_RECORD }))).toEqual({ ...ADDED, ...OWN });
  });

  it("of a record without a checksum has no Content-MD5", () => {
    const { "content-md5": _, ...own } = OWN;
    expect(Object.fromEntries(imageFields(OF_THE_RECORD, null))).toEqual(own);
  });

  it("in v1 has the record's fields as well, but for where the data lies", () => {
    const fields = { "x-image-meta-name": "n", "x-image-meta-property-a": "b" };
    const hidden = { "x-image-meta-location": "file:///x", "x-image-meta-location_data": "x" };
    expect(Object.fromEntries(imageFields({ ...fields, ...hidden }))).toEqual({ ...fields, ...OWN });
  });
});

it("an error of the edge's own carries what the origin adds, and nothing of a record", () => {
  const v1 = { "x-image-meta-name": "n", "x-image-meta-location": "file:///x" };
  expect(Object.fromEntries(siteHeaders(new Headers({ ...ADDED, ...OF_THE_RECORD, ...v1 })))).toEqual(ADDED);
});

describe("the length of an answer with data", () => {
  const init = (range: { from: number; to: number } | null) => {
    const { status, headers } = dataInit(new Headers(), 10, range);
    return [status, Object.fromEntries(new Headers(headers))];
  };

  it("is the image's where it is whole", () => {
    expect(init(null)).toEqual([200, { "content-length": "10" }]);
  });

  it.each([
    [{ from: 0, to: 10 }, "10", "bytes 0-9/10"],
    [{ from: 3, to: 4 }, "1", "bytes 3-3/10"],
  ])("is that of the part %o", (range, length, contentRange) => {
    expect(init(range)).toEqual([206, { "content-length": length, "content-range": contentRange }]);
  });
});
