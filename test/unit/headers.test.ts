import { describe, expect, it } from "vitest";
import { callerHeaders, requestHeadersFor, responseHeadersFor } from "../../src/http/headers.ts";

const HOP_BY_HOP = [
  "connection",
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
const names = (headers: Headers) => [...headers.keys()];

describe("of a client's headers, the origin does not get", () => {
  it.each(HOP_BY_HOP)("%s, which concerns one hop", (name) => {
    expect(names(requestHeadersFor(new Headers({ [name]: "x", accept: "a" })))).toEqual(["accept"]);
  });

  it("what Connection names, in any case", () => {
    const headers = new Headers({ connection: "close, X-Hop,, other ", "x-hop": "1", other: "2", accept: "a" });
    expect(names(requestHeadersFor(headers))).toEqual(["accept"]);
  });

  it.each([
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Prefix",
    "Forwarded",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "CF-Ray",
    "X-HTTP-Method-Override",
    "X-Original-URL",
    "X-Rewrite-URL",
  ])("%s, which only a proxy may say", (name) => {
    expect(names(requestHeadersFor(new Headers({ [name]: "x" })))).toEqual([]);
  });

  it.each([
    "X-Identity-Status",
    "X-Service-Identity-Status",
    "X-User-Id",
    "X-User-Name",
    "X-User-Domain-Id",
    "X-Project-Id",
    "X-Project-Domain-Name",
    "X-Domain-Id",
    "X-Roles",
    "X-Role",
    "X-User",
    "X-Tenant",
    "X-Tenant-Id",
    "X-Tenant-Name",
    "X-Is-Admin-Project",
    "X-Service-Catalog",
    "X-Service-Roles",
    "X-Service-User-Id",
    "X-Service-Project-Id",
    "X-Service-Domain-Id",
    "OpenStack-System-Scope",
  ])("%s, which only Glance's own auth middleware may say", (name) => {
    expect(names(requestHeadersFor(new Headers({ [name]: "admin" })))).toEqual([]);
  });
});

it.each([
  "X-Auth-Token",
  "X-Service-Token",
  "Authorization",
  "Cookie",
  "Range",
  "Content-Range",
  "If-None-Match",
  "Accept",
  "Accept-Encoding",
  "Content-Type",
  "User-Agent",
  "Via",
  "CDN-Loop",
  "X-Openstack-Request-Id",
  "X-Image-Meta-Name",
  "X-Image-Cache-Clear-Target",
  "X-Openstack-Image-Size",
  "X-Storage-Policy",
])("%s of a client goes to the origin as it is", (name) => {
  expect([...requestHeadersFor(new Headers({ [name]: "Some, Value; q=1" }))]).toEqual([
    [name.toLowerCase(), "Some, Value; q=1"],
  ]);
});

it("a question of the edge's own has the caller's identity but no conditions, ranges or forms", () => {
  const client = new Headers({
    "x-auth-token": "t",
    "x-openstack-request-id": "req-1",
    "user-agent": "u",
    "x-roles": "admin",
    connection: "close",
  });
  for (const name of ["range", "content-range", "if-match", "if-none-match", "if-range", "if-modified-since"]) {
    client.set(name, "x");
  }
  for (const name of ["if-unmodified-since", "accept", "accept-encoding", "content-type", "content-length"]) {
    client.set(name, "1");
  }
  expect(names(callerHeaders(client))).toEqual(["user-agent", "x-auth-token", "x-openstack-request-id"]);
});

it("the client's own headers stay as they are", () => {
  const client = new Headers({ range: "bytes=0-1", connection: "close" });
  callerHeaders(client);
  expect(names(client)).toEqual(["connection", "range"]);
});

describe("of the origin's headers, the client", () => {
  it.each(HOP_BY_HOP)("does not get %s", (name) => {
    expect(names(responseHeadersFor(new Headers({ [name]: "x", etag: "e" })))).toEqual(["etag"]);
  });

  it("does not get what Connection names", () => {
    const headers = new Headers({ connection: "X-Hop", "x-hop": "1", etag: "e" });
    expect(names(responseHeadersFor(headers))).toEqual(["etag"]);
  });

  it("gets all others, repeated ones apart", () => {
    const origin = new Headers({ "content-md5": "m", "www-authenticate": 'Keystone uri="http://k"' });
    origin.append("set-cookie", "a=1, b");
    origin.append("set-cookie", "c=2");
    const headers = responseHeadersFor(origin);
    expect(headers.getSetCookie()).toEqual(["a=1, b", "c=2"]);
    expect(headers.get("www-authenticate")).toBe('Keystone uri="http://k"');
    expect(headers.get("content-md5")).toBe("m");
  });
});
