/** A client's header fields, byte by byte, as they reach the origin. */
import { expect, it } from "vitest";
import { exchange } from "../support/node/raw-client.ts";
import { HOST, useWsgiOrigin } from "./framing.ts";
import { useEdge } from "./support.ts";

const origin = useWsgiOrigin();
const edge = useEdge(() => origin.start());

/** Sends a GET with these fields. @returns what the origin was asked: lines of its heads, names in lower case */
async function heads(fields: string, path = "/v2/images"): Promise<string[][]> {
  origin.takeSeen();
  await exchange(edge.process.url, `GET ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n${fields}\r\n`);
  return origin
    .takeSeen()
    .map(({ head }) => head.split("\r\n").map((line) => line.replace(/^[^:]+:/, (name) => name.toLowerCase())));
}

async function fieldsOf(fields: string): Promise<string[]> {
  const [head = []] = await heads(fields);
  return head;
}

it.each([
  ["E9", "\xe9"],
  ["UTF-8", "\xc3\xa9"],
  ["bytes that are no UTF-8", "\xff\xfe\x80\xc3"],
  ["the byte that Unicode ends lines with", "a\x85b"],
  ["tabs and control characters", "a\tb\x01\x7f\x1c"],
  ["U+FFFD itself", "\xef\xbf\xbd"],
])("a value with %s reaches the origin as the same bytes", async (_, bytes) => {
  const fields = await fieldsOf(`X-Bytes: <${bytes}>\r\nX-Auth-Token: <${bytes}>\r\nCookie: a=<${bytes}>\r\n`);
  expect(fields).toContain(`x-bytes: <${bytes}>`);
  expect(fields).toContain(`x-auth-token: <${bytes}>`);
  expect(fields).toContain(`cookie: a=<${bytes}>`);
});

it("who asks for a download is asked for by the same bytes", async () => {
  const identity = "X-Auth-Token: <\xe9>\r\nAuthorization: <\xff>\r\nCookie: a=<\x80>\r\n";
  const asked = await heads(identity, `/v2/images/${crypto.randomUUID()}/file`);
  // The record, the right, and the forwarded request; the origin's versions are asked for all clients at once.
  const asCaller = asked.filter(([line = ""]) => !line.startsWith("GET /versions "));
  expect(asCaller).toHaveLength(3);
  for (const head of asCaller) {
    expect(head).toEqual(expect.arrayContaining(["x-auth-token: <\xe9>", "authorization: <\xff>", "cookie: a=<\x80>"]));
  }
});

it.each([
  ["Cookie: a=1\r\nCookie: b=2\r\n", ["cookie: a=1; b=2"]],
  ["Cookie: a=1; b=2\r\ncookie: c=3\r\nCOOKIE: d=4\r\n", ["cookie: a=1; b=2; c=3; d=4"]],
  ["Cookie: a=1,2\r\n", ["cookie: a=1,2"]],
  // No field of a list, and not the edge's to choose from: the origin refuses it as it would without the edge.
  ["Authorization: Basic YTph\r\nAuthorization: Basic Yjpi\r\n", ["authorization: Basic YTph, Basic Yjpi"]],
  ["X-Auth-Token: one\r\nX-Auth-Token: two\r\n", ["x-auth-token: one", "x-auth-token: two"]],
  ["Accept: a/b\r\nAccept: c/d\r\n", ["accept: a/b, c/d"]],
])("%j reaches the origin as %j", async (sent, expected) => {
  const name = expected[0]?.split(":")[0] ?? "";
  expect((await fieldsOf(sent)).filter((line) => line.startsWith(`${name}:`))).toEqual(expected);
});

it.each([
  "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Protocol: chat",
  "Sec-WebSocket-Extensions: permessage-deflate",
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
])("%s stays with the client's connection", async (line) => {
  const name = line.split(":")[0]?.toLowerCase() ?? "";
  for (const upgrade of ["", "Upgrade: websocket\r\n", "Upgrade: h2c\r\n"]) {
    const fields = await fieldsOf(`${upgrade}${line}\r\nX-Other: 1\r\n`);
    expect(fields).toContain("x-other: 1");
    expect(fields.filter((field) => field.startsWith(`${name}:`) || field.startsWith("upgrade:"))).toEqual([]);
  }
});

it("the origin is asked by its own Host, whatever the client says", async () => {
  const fields = await fieldsOf("X-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n");
  const hosts = fields.filter((field) => /edge\.example|evil\.example/.test(field) && !field.startsWith("cf-worker:"));
  expect(hosts).toEqual([]);
  expect(fields.filter((field) => field.startsWith("host:"))).toHaveLength(1);
});
