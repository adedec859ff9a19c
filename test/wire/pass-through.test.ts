/** What is not image data, header by header on the wire. */
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { ask, bodyOf, HandmadeOrigin, valuesOf, wireOf } from "./raw.ts";
import { useEdge } from "./support.ts";

const origin = new HandmadeOrigin();
const edge = useEdge(() => origin.start());

describe("an answer that passes through", () => {
  it("keeps the Content-Length of a HEAD, and has no body", async () => {
    origin.answer = (_, response) => {
      response.writeHead(200, { "Content-Length": "123456789", "Content-Type": "application/octet-stream" }).end();
    };
    const answer = await ask(`${edge.process.url}/v1/images/${crypto.randomUUID()}`, { method: "HEAD" });
    expect(answer.status).toBe(200);
    expect(valuesOf(answer.fields, "content-length")).toEqual(["123456789"]);
    expect(answer.body.byteLength).toBe(0);
  });

  it.each([
    { status: 204, headers: {} },
    { status: 304, headers: { ETag: '"a"' } },
  ])("has no body when it is a $status, not even an empty chunk", async ({ status, headers }) => {
    origin.answer = (_, response) => {
      response.writeHead(status, headers).end();
    };
    const { head, rest } = await wireOf(edge.process.url, "/v2/images");
    expect(head).toMatch(new RegExp(`^http/1.1 ${status} `));
    expect(head).not.toContain("transfer-encoding");
    expect(rest).toBe("");
  });

  it("keeps repeated fields apart", async () => {
    origin.answer = (_, response) => {
      response.writeHead(200, [
        ["Set-Cookie", "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"],
        ["Set-Cookie", "b=2"],
      ]);
      response.end("yes");
    };
    const answer = await ask(`${edge.process.url}/v2/images`);
    const cookies = ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"];
    expect(valuesOf(answer.fields, "set-cookie")).toEqual(cookies);
  });

  it.each([
    { framing: "with a Content-Length", chunked: false },
    { framing: "chunked", chunked: true },
  ])("keeps an encoded body byte for byte, $framing", async ({ chunked }) => {
    const encoded = gzipSync(Buffer.alloc(100_000, "glance "));
    origin.answer = (_, response) => {
      const length = chunked ? {} : { "Content-Length": String(encoded.byteLength) };
      response.writeHead(200, { "Content-Encoding": "gzip", "Content-Type": "text/plain", ...length });
      response.end(encoded);
    };
    const answer = await ask(`${edge.process.url}/v2/images`, { headers: { "accept-encoding": "gzip" } });
    expect(valuesOf(answer.fields, "content-encoding")).toEqual(["gzip"]);
    expect(answer.body.equals(encoded)).toBe(true);
    expect(valuesOf(answer.fields, "content-length")).toEqual(chunked ? [] : [String(encoded.byteLength)]);
    expect(valuesOf(origin.fields, "accept-encoding")).toEqual(["gzip"]);
  });

  it("keeps to the origin what concerns the origin's connection", async () => {
    origin.answer = (_, response) => {
      response.writeHead(200, [
        ["Connection", "x-foo, close"],
        ["X-Foo", "1"],
        ["Keep-Alive", "timeout=77"],
        ["Proxy-Authenticate", "Basic"],
        ["Trailer", "X-Sum"],
        ["Upgrade", "h2c"],
        ["X-Bar", "2"],
      ]);
      response.end("yes");
    };
    const answer = await ask(`${edge.process.url}/v2/images`);
    const names = answer.fields.map(([name]) => name);
    for (const name of ["x-foo", "keep-alive", "proxy-authenticate", "trailer", "upgrade"]) {
      expect(names).not.toContain(name);
    }
    expect(valuesOf(answer.fields, "connection").join()).not.toContain("x-foo");
    expect(valuesOf(answer.fields, "x-bar")).toEqual(["2"]);
  });
});

describe("a request that passes through", () => {
  it("keeps the body that a GET should not have", async () => {
    origin.answer = async (request, response) => {
      response.end(`${request.method} ${(await bodyOf(request)).toString()}`);
    };
    // Node frames a GET's body only when it's told how.
    const headers = { "content-length": "2" };
    const answer = await ask(`${edge.process.url}/v2/images`, { headers, body: Buffer.from("{}") });
    expect(answer.body.toString()).toBe("GET {}");
  });

  it("keeps to the client what concerns the client's connection", async () => {
    origin.answer = (_, response) => {
      response.end("yes");
    };
    await ask(`${edge.process.url}/v2/images`, {
      headers: {
        connection: "x-foo, close",
        "x-foo": "1",
        "keep-alive": "timeout=77",
        te: "trailers",
        "proxy-authorization": "Basic c2VjcmV0",
        "proxy-connection": "keep-alive",
        "x-bar": "2",
      },
    });
    const names = origin.fields.map(([name]) => name);
    for (const name of ["x-foo", "keep-alive", "te", "proxy-authorization", "proxy-connection"]) {
      expect(names).not.toContain(name);
    }
    expect(valuesOf(origin.fields, "connection").join()).not.toContain("x-foo");
    expect(valuesOf(origin.fields, "x-bar")).toEqual(["2"]);
  });
});
