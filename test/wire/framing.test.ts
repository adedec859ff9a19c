/**
 * One request of a client is one request at the origin, whatever names its headers have and however its body is framed:
 * else the rest of a body would be the next request of a connection that others share, and each of them would get the
 * answer of the one before.
 */
import { describe, expect, it } from "vitest";
import { exchange, statusesOf } from "../support/node/raw-client.ts";
import { attack, EARLY_END, HOST, request, SMUGGLED, useWsgiOrigin, VICTIMS } from "./framing.ts";
import { useEdge } from "./support.ts";

const origin = useWsgiOrigin();
const edge = useEdge(() => origin.start());

const CHUNKED_NAMES = [
  "Transfer_Encoding",
  "transfer_encoding",
  "TRANSFER_ENCODING",
  "Transfer.Encoding",
  "TRANSFER.ENCODING",
  "Transfer+Encoding",
  "Transfer~Encoding",
  "Transfer'Encoding",
  "Transfer|Encoding",
  "tRaNsFeR_eNcOdInG",
];
const METHODS = ["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS", "PROPFIND"];

it("those who come one after another share one connection to the origin, without which nothing here would show", async () => {
  origin.takeSeen();
  const body = "Content-Length: 2\r\n\r\nhi";
  await exchange(edge.process.url, `POST /v2/images HTTP/1.1\r\n${HOST}Connection: close\r\n${body}`);
  for (const target of VICTIMS) {
    await exchange(edge.process.url, `GET ${target} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
  }
  const seen = origin.takeSeen();
  expect(seen.map(({ target }) => target)).toEqual(["/v2/images", ...VICTIMS]);
  expect(new Set(seen.map(({ connection }) => connection)).size).toBe(1);
});

describe("a body that ends a chunked message early stays one body", () => {
  it.each(CHUNKED_NAMES.flatMap((name) => METHODS.map((method) => [name, method])))(
    "with %s: chunked in a %s",
    async (name, method) => {
      const answer = await attack(
        edge.process.url,
        origin,
        request(method, [`${name}: chunked`, "Connection: close"], EARLY_END),
      );
      expect(statusesOf(answer)).toEqual([200]);
    },
  );

  it.each([
    ["Connection: close, transfer_encoding", "Transfer_Encoding: chunked"],
    ["Connection: close, content-length", "Transfer_Encoding: chunked"],
    ["Connection: close, Transfer-Encoding, Content-Length", "X-Other: 1"],
    ["Transfer_Encoding: chunked", "Transfer_Encoding: chunked"],
    ["Transfer_Encoding: Chunked", "TE: trailers"],
  ])("with %s and %s", async (...fields) => {
    const bytes = request("POST", [...fields, "Connection: close"], EARLY_END);
    expect(statusesOf(await attack(edge.process.url, origin, bytes))).toEqual([200]);
  });
});

it.each(["Content_Length", "content_length", "CONTENT_LENGTH", "Content.Length", "Content~Length"])(
  "a body goes to its end when %s says that it is shorter",
  async (name) => {
    for (const method of METHODS) {
      const bytes = request(method, ["Connection: close"], `x${SMUGGLED}`).replace(
        "\r\n\r\n",
        `\r\n${name}: 1\r\n\r\n`,
      );
      expect(statusesOf(await attack(edge.process.url, origin, bytes))).toEqual([200]);
    }
  },
);

it.each(METHODS)("a %s without a body has none when other names say that it has", async (method) => {
  const fields = "Content_Length: 5\r\nTransfer_Encoding: chunked\r\nConnection: close\r\n";
  const answer = await attack(edge.process.url, origin, `${method} /v2/images HTTP/1.1\r\n${HOST}${fields}\r\n`);
  expect(statusesOf(answer)).toEqual([200]);
});

it.each(["GET", "HEAD"])("a %s with a chunked body reaches the origin without it", async (method) => {
  const fields = "Transfer-Encoding: chunked\r\nConnection: close\r\n";
  origin.takeSeen();
  await exchange(edge.process.url, `${method} /v2/images HTTP/1.1\r\n${HOST}${fields}\r\n2\r\nhi\r\n0\r\n\r\n`);
  const seen = origin.takeSeen();
  expect(seen.map(({ body, whole }) => [body, whole])).toEqual([["", true]]);
  expect(seen[0]?.head).not.toMatch(/transfer-encoding|content-length/i);
});

/** Fields, then the bytes behind them; what the client is answered. */
const FRAMINGS: readonly (readonly [string, string, string, number | null])[] = [
  ["chunks", "Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n", 200],
  ["chunks with extensions", "Transfer-Encoding: chunked\r\n", "2;a=b\r\nhi\r\n0;c\r\n\r\n", 200],
  ["chunks and trailers", "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n", "2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n", 200],
  ["a request in the trailers", "Transfer-Encoding: chunked\r\n", `2\r\nhi\r\n0\r\n${SMUGGLED}`, 502],
  ["chunks in other case", "Transfer-Encoding: CHUNKED\r\n", "2\r\nhi\r\n0\r\n\r\n", 200],
  ["two codings", "Transfer-Encoding: gzip, chunked\r\n", "2\r\nhi\r\n0\r\n\r\n", 200],
  ["an unknown coding", "Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n", "hi", 400],
  ["identity", "Transfer-Encoding: identity\r\nContent-Length: 2\r\n", "hi", 400],
  ["a space before the colon", "Transfer-Encoding : chunked\r\n", EARLY_END, 400],
  ["a space before the name", " Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "hi", 400],
  ["a folded field", "X-A: 1\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "hi", 400],
  ["a bare CR", "X-A: 1\rTransfer-Encoding: chunked\r\nContent-Length: 2\r\n", "hi", 400],
  ["a NUL", "X-A: 1\0Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "hi", 400],
  ["a name that is none", "X\xe9: 1\r\nContent-Length: 2\r\n", "hi", 400],
  ["no name", ": chunked\r\nContent-Length: 2\r\n", "hi", 400],
  ["chunks and a length", `Content-Length: ${EARLY_END.length}\r\nTransfer-Encoding: chunked\r\n`, EARLY_END, 200],
  ["two equal lengths", "Content-Length: 2\r\nContent-Length: 2\r\n", "hi", 200],
  ["two lengths", `Content-Length: 2\r\nContent-Length: ${2 + SMUGGLED.length}\r\n`, `hi${SMUGGLED}`, 400],
  ["a list of lengths", "Content-Length: 2, 2\r\n", "hi", 400],
  ["a signed length", "Content-Length: +2\r\n", "hi", 400],
  ["a negative length", "Content-Length: -1\r\n", "hi", 400],
  ["a hexadecimal length", "Content-Length: 0x2\r\n", "hi", 400],
  ["an empty length", "Content-Length: \r\n", "hi", 400],
  ["a chunk that is no number", "Transfer-Encoding: chunked\r\n", `zz\r\n${SMUGGLED}`, 502],
  ["a chunk that is longer than it says", "Transfer-Encoding: chunked\r\n", `2\r\nhi!${SMUGGLED}`, 502],
  ["Expect", "Expect: 100-continue\r\nContent-Length: 2\r\n", "hi", 200],
  [
    "an Upgrade to a WebSocket",
    "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 0\r\n",
    "",
    200,
  ],
  ["an Upgrade to h2c", "Upgrade: h2c\r\nHTTP2-Settings: AAAA\r\nContent-Length: 2\r\n", "hi", 200],
  ["a length that never comes", `Content-Length: ${SMUGGLED.length + 100}\r\n`, SMUGGLED, null],
  [
    "chunks that never end",
    "Transfer-Encoding: chunked\r\n",
    `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n`,
    null,
  ],
];

it.each(FRAMINGS)("a request with %s is one, or none", async (_, fields, body, status) => {
  for (const method of ["POST", "PUT", "DELETE"]) {
    const head = `${method} /v2/images HTTP/1.1\r\n${HOST}Connection: close\r\n${fields}\r\n`;
    const answer = await attack(edge.process.url, origin, head + body, status === null ? 300 : undefined);
    expect(statusesOf(answer).filter((code) => code !== 100)).toEqual(status === null ? [] : [status]);
  }
});

it.each([
  ["CONNECT 127.0.0.1:22", 500],
  ["TRACE /v2/images", 200],
  ["FOO /v2/images", 501],
  ["GET http://other.example/v2/images", 200],
  ["GET /v2/images%0d%0a%0d%0aDELETE%20/v2/smuggled", 200],
])("%s is no two requests", async (line, status) => {
  const answer = await attack(edge.process.url, origin, `${line} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
  expect(statusesOf(answer)).toEqual([status]);
});
