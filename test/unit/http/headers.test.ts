import { describe, expect, it } from "vitest";
import {
  callerHeaders,
  callerIdentity,
  lentHeaders,
  requestHeadersFor,
  responseHeadersFor,
} from "../../../src/http/headers.ts";
import { USER_AGENT } from "../../../src/http/user-agent.ts";

const HOP_BY_HOP = [
  "connection",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "sec-websocket-extensions",
  "sec-websocket-key",
  "sec-websocket-protocol",
  "sec-websocket-version",
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
    "Transfer_Encoding",
    "transfer_encoding",
    "TRANSFER_ENCODING",
    "Transfer.Encoding",
    "TRANSFER.ENCODING",
    "Transfer+Encoding",
    "Transfer~Encoding",
    "_Transfer-Encoding",
    "Transfer-Encoding_",
    "Content_Length",
    "Content_Type",
    "X_Auth_Token",
    "X_Auth-Token",
    "X_Service_Token",
    "X_Roles",
    "X-Project_Id",
    "X_Identity_Status",
    "X_Forwarded_For",
    "X_Openstack_Request_Id",
    "Connection_",
    "X-Custom_Field",
    "$Version",
    "a*b",
  ])("%s, a name that a server may read as another one", (name) => {
    expect(names(requestHeadersFor(new Headers({ [name]: "chunked", accept: "a" })))).toEqual(["accept"]);
  });

  it.each(["Content-Length", "Host"])("%s, which the runtime writes itself", (name) => {
    expect(names(requestHeadersFor(new Headers({ [name]: "5", accept: "a" })))).toEqual(["accept"]);
  });

  it.each([
    ["x_hop", "x-hop"],
    [" X-Hop\t", "x-hop"],
    ["transfer_encoding", "transfer-encoding"],
    ["X-AUTH-TOKEN", "x-auth-token"],
    ["X_AUTH_TOKEN", "x-auth-token"],
  ])("with Connection: %s the field %s", (option, name) => {
    expect(names(requestHeadersFor(new Headers({ connection: option, [name]: "1", accept: "a" })))).toEqual(["accept"]);
  });

  it.each([
    "Proxy",
    "Client-Cert",
    "Client-Cert-Chain",
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
    "X-Forwarded",
    "X-Host",
    "X-HTTP-Method",
    "X-Method-Override",
    "X-Original-Host",
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

const IDENTITY = ["authorization", "cookie", "x-auth-token", "x-service-token", "x-storage-token"];
const TRACING = ["traceparent", "tracestate", "x-openstack-request-id", "x-trace-hmac", "x-trace-info"];

describe("a question of the edge's own", () => {
  it("has the caller's identity and tracing, in the edge's name", () => {
    const client = new Headers({ "user-agent": "curl/8" });
    for (const name of [...IDENTITY, ...TRACING]) client.set(name, `of ${name}`);
    const expected = [...IDENTITY, ...TRACING].map((name): [string, string] => [name, `of ${name}`]);
    expect([...callerHeaders(client)].sort()).toEqual([...expected, ["user-agent", USER_AGENT]].sort());
  });

  it.each([
    "range",
    "content-range",
    "if-match",
    "if-none-match",
    "if-range",
    "if-modified-since",
    "if-unmodified-since",
    "accept",
    "accept-encoding",
    "accept-language",
    "content-encoding",
    "content-type",
    "content-length",
    "connection",
    "transfer-encoding",
    "transfer_encoding",
    "x_auth_token",
    "x-roles",
    "x-forwarded-for",
    "x-image-meta-store",
    "x-anything-else",
    "priority",
    "pragma",
  ])("has no %s of the client", (name) => {
    expect(callerHeaders(new Headers({ [name]: "1", "x-auth-token": "t" })).has(name)).toBe(false);
  });

  it("asked again for the same caller, is the same", () => {
    const once = callerHeaders(new Headers({ "x-auth-token": "t", cookie: "a=1", traceparent: "00-1" }));
    expect([...callerHeaders(once)]).toEqual([...once]);
  });
});

it.each(["\u00e9", "\ufffd", "a\u0085", "a\u007f", "\u20ac"])(
  "what a caller lends has no value with %j, which would be sent as other bytes",
  (text) => {
    const client = new Headers({ cookie: "a=1" });
    client.set("x-auth-token", text);
    expect(lentHeaders(client)).toEqual([
      ["cookie", "a=1"],
      ["user-agent", USER_AGENT],
    ]);
  },
);

it("Connection takes no field off that tells the way: a client could hide a circle by it", () => {
  const way = { via: "1.1 other", "cdn-loop": "other" };
  const client = new Headers({ connection: "close, Via, CDN-Loop, cdn_loop, x-hop", "x-hop": "1", ...way });
  expect(Object.fromEntries(requestHeadersFor(client))).toEqual(way);
  expect(Object.fromEntries(callerHeaders(client))).toEqual({ ...way, "user-agent": USER_AGENT });
  expect(responseHeadersFor(client).get("via")).toBe("1.1 other");
});

describe("who the caller is", () => {
  it("is what the edge's questions say of it, without what is new with every request", () => {
    const client = new Headers({ accept: "a" });
    for (const name of [...IDENTITY, ...TRACING]) client.set(name, name);
    expect(callerIdentity(client)).toEqual(IDENTITY.map((name) => [name, name]));
  });

  it.each(IDENTITY)("is without %s when the client makes that a field of one hop", (name) => {
    const client = new Headers({ connection: `close, ${name}`, [name]: "secret" });
    expect(callerIdentity(client)).toEqual([]);
    expect(names(callerHeaders(client))).toEqual(["user-agent"]);
    expect(names(requestHeadersFor(client))).toEqual([]);
  });
});

it.each([
  [["a=1", "b=2"], "a=1; b=2"],
  [["a=1; b=2", "c=3", "d=4"], "a=1; b=2; c=3; d=4"],
  [["a=1,2"], "a=1,2"],
  [["a=1"], "a=1"],
  [['a="x, y"'], 'a="x, y"'],
  [['a="x, y"; b=2', "c=3"], 'a="x, y"; b=2, c=3'],
  [["a=1", "b"], "a=1, b"],
  [["a.b|c=1", "__Host-d=2"], "a.b|c=1; __Host-d=2"],
])("Cookie fields %j become one: %s", (fields, joined) => {
  const client = new Headers();
  for (const value of fields) client.append("cookie", value);
  expect(requestHeadersFor(client).get("cookie")).toBe(joined);
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

  it.each(["Transfer_Encoding", "Keep_Alive", "x_hop"])("does not get %s, which is read as one of them", (name) => {
    expect(names(responseHeadersFor(new Headers({ connection: "x-hop", [name]: "1", etag: "e" })))).toEqual(["etag"]);
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
