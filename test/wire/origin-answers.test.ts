/** Answers of an origin that can't be passed on as they are, and those that must be changed, byte by byte. */

import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type Bytes, fieldsOfHead, type RawAnswer, RawOrigin, sendRaw } from "./raw-origin.ts";
import { until, useEdge } from "./support.ts";

const origin = new RawOrigin();
const edge = useEdge(async () => `${await origin.start()}/pre/fix`);

function ask(path: string, method = "GET"): Promise<RawAnswer> {
  return sendRaw(edge.process.url, `${method} ${path} HTTP/1.1`, "Host: edge.test", "Accept: application/json");
}

/** What the client gets for an answer of the origin, and the error lines that the edge wrote over it. */
async function answeredWith(bytes: Bytes, path = "/v2/x", method = "GET"): Promise<RawAnswer & { errors: string[] }> {
  origin.answer = () => bytes;
  const before = edge.process.logs().length;
  const answer = await ask(path, method);
  const errors = () =>
    edge.process
      .logs()
      .slice(before)
      .filter((line) => line.includes('"level":"error"'));
  if (answer.status >= 500) await until("a line in the log", 5_000, async () => errors().length > 0);
  await sleep(50);
  return { ...answer, errors: errors() };
}

const REFUSED = "The image service behind this edge gave an answer that can't be passed on.<br /><br />\n\n\n";
const UNREACHED = "The image service behind this edge can't be reached.<br /><br />\n\n\n";

/** A Glance-shaped 502, and one line in the log. */
function expectBadGateway(answer: RawAnswer & { errors: string[] }, message: string, logged: RegExp): void {
  expect(answer.status).toBe(502);
  expect(JSON.parse(answer.body)).toEqual({ message, code: "502 Bad Gateway", title: "Bad Gateway" });
  expect(fieldsOfHead(answer.head, "x-openstack-request-id")).toHaveLength(1);
  expect(answer.errors).toHaveLength(1);
  expect(answer.errors[0]).toMatch(logged);
}

describe("an answer that can't be passed on is a 502 and one line in the log", () => {
  it.each(["600 Odd", "700", "999 Odd"])("status %s", async (status) => {
    for (const method of ["GET", "HEAD", "POST", "DELETE"]) {
      const answer = await answeredWith(`HTTP/1.1 ${status}\r\nContent-Length: 2\r\n\r\nhi`, "/v2/images/x", method);
      if (method === "HEAD") expect([answer.status, answer.body]).toEqual([502, ""]);
      else expectBadGateway(answer, REFUSED, new RegExp(`origin.bad-answer.*status ${status.slice(0, 3)}`));
    }
  });

  it.each(["Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Upgrade: h2c"])(
    "a switch to a protocol that nobody asked for: %s",
    async (fields) => {
      const bytes = `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n${fields}\r\n\r\n`;
      expectBadGateway(await answeredWith(bytes), REFUSED, /origin.bad-answer.*status 101/);
    },
  );

  it.each([
    "HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 199 Odd\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 OK\r\n\r\n",
    "HTTP/1.1 200 \x01\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nContent-Le",
    "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "",
  ])("%j, which is no HTTP", async (bytes) => {
    expectBadGateway(await answeredWith(bytes), UNREACHED, /origin.unreachable/);
  });

  it.each([
    ["/", "200 OK", "Content-Length: 5000"],
    ["/versions", "200 OK", "Content-Length: 5000"],
    ["/", "300 Multiple Choices", "Content-Length: 5000"],
    ["/nothing", "300 Multiple Choices", "Content-Length: 5000"],
    ["/versions", "200 OK", "Transfer-Encoding: chunked"],
  ])("a versions document at %s that breaks off (%s, %s)", async (path, status, framing) => {
    const chunk = framing.startsWith("Transfer") ? "1000\r\n" : "";
    const bytes = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n${framing}\r\n\r\n${chunk}{"versions": [{"id"`;
    expectBadGateway(await answeredWith(bytes, path), REFUSED, /origin.bad-answer.*broke off/);
  });
});

describe("a versions document names the edge at every path that Glance answers with it", () => {
  const document = () => Buffer.from(JSON.stringify({ versions: [{ id: "v2.0", links: [LINK] }] }));
  const HEAD = "HTTP/1.1 300 Multiple Choices\r\nConnection: close\r\nContent-Type: application/json\r\n";
  const LINK = { rel: "self", href: "http://origin.test/v2/" };
  const chunked = (body: Buffer) =>
    Buffer.concat([
      Buffer.from(`Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`),
      body,
      Buffer.from("\r\n0\r\n\r\n"),
    ]);
  const whole = (body: Buffer) => Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]);

  it.each([
    ["with a length", whole],
    ["piece by piece", chunked],
  ])("%s, compressed or not", async (_, frame) => {
    for (const path of ["/v1/images", "/v3", "/anything", "/"]) {
      for (const accepted of ["identity", "gzip", "br, zstd, gzip;q=0.5"]) {
        origin.answer = (head) => {
          const [coding = ""] = fieldsOfHead(head, "accept-encoding");
          if (!coding.includes("gzip")) return Buffer.concat([Buffer.from(HEAD), frame(document())]);
          return Buffer.concat([Buffer.from(`${HEAD}Content-Encoding: gzip\r\n`), frame(gzipSync(document()))]);
        };
        const fields = ["Host: edge.test", `Accept-Encoding: ${accepted}`];
        const answer = await sendRaw(edge.process.url, `GET ${path} HTTP/1.1`, ...fields);
        expect([answer.status, fieldsOfHead(answer.head, "content-encoding")]).toEqual([300, []]);
        expect(answer.body).toContain('"http://edge.test/v2/"');
        expect(answer.body).not.toContain("origin.test");
      }
    }
  });

  it("but another JSON with status 300 that is longer comes as it is", async () => {
    const long = Buffer.from(JSON.stringify({ versions: [], more: "x".repeat(300_000) }));
    origin.answer = () => Buffer.concat([Buffer.from(HEAD), chunked(long)]);
    const answer = await ask("/anything");
    expect(answer.status).toBe(300);
    expect(answer.body).toContain("x".repeat(300_000).slice(0, 1_000));
  });
});

describe("an odd answer that HTTP allows for is passed on", () => {
  it.each([
    ["204", "Content-Length: 2", "hi", undefined],
    ["204", "Transfer-Encoding: chunked", "2\r\nhi\r\n0\r\n\r\n", undefined],
    ["205", "Content-Length: 2", "hi", "0"],
    ["205", "Content-Length: 0", "", "0"],
    ["205", "Transfer-Encoding: chunked", "2\r\nhi\r\n0\r\n\r\n", "0"],
    ["304", "Content-Length: 2", "hi", undefined],
    ["304", "ETag: x", "", undefined],
  ])("a %s with %s: without a body, and no client waits for one", async (status, field, body, length) => {
    const answer = await answeredWith(`HTTP/1.1 ${status} Odd\r\n${field}\r\n\r\n${body}`);
    expect([answer.status, answer.body, answer.errors]).toEqual([Number(status), "", []]);
    expect(fieldsOfHead(answer.head, "transfer-encoding")).toEqual([]);
    if (status !== "304")
      expect(fieldsOfHead(answer.head, "content-length")).toEqual(length === undefined ? [] : ["0"]);
  });

  it.each([
    ["100 Continue", ""],
    ["102 Processing", ""],
    ["103 Early Hints", "Link: </x>\r\n"],
  ])("one with a %s in front", async (status, fields) => {
    const bytes = `HTTP/1.1 ${status}\r\n${fields}\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi`;
    expect(await answeredWith(bytes)).toMatchObject({ status: 200, body: "hi", errors: [] });
  });

  it.each([
    ["none", Buffer.from("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi")],
    ["Latin-1", Buffer.from("HTTP/1.1 200 Gr\u00fc\u00dfe\r\nContent-Length: 2\r\n\r\nhi", "latin1")],
    ["UTF-8", Buffer.from("HTTP/1.1 200 Gr\u00fc\u00dfe\r\nContent-Length: 2\r\n\r\nhi")],
    ["a long one", Buffer.from(`HTTP/1.1 200 ${"x".repeat(2000)}\r\nContent-Length: 2\r\n\r\nhi`)],
  ])("a reason phrase: %s", async (_, bytes) => {
    expect(await answeredWith(bytes)).toMatchObject({ status: 200, body: "hi", errors: [] });
  });

  it("more bytes than Content-Length says are none of the answer", async () => {
    const answer = await answeredWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n");
    expect(answer).toMatchObject({ status: 200, body: "hi" });
  });

  it("fewer bytes end fewer: no client takes them for the whole", async () => {
    const answer = await answeredWith("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhi");
    expect(answer.status).toBe(200);
    expect(fieldsOfHead(answer.head, "content-length")).toEqual(["20"]);
    expect(answer.body.length).toBeLessThan(20);
  });
});

describe("a record that breaks off", () => {
  it("is no yes: the download is the origin's own answer", async () => {
    const id = crypto.randomUUID();
    origin.answer = (head) =>
      head.startsWith(`GET /pre/fix/v2/images/${id} `)
        ? `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"id": "${id}", "status`
        : "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    const answer = await ask(`/v2/images/${id}/file`);
    expect([answer.status, answer.body]).toEqual([403, "no"]);
    expect(fieldsOfHead(answer.head, "cache-status")).toEqual(["glance-edge; fwd=bypass; detail=record-refused"]);
  });
});

describe("Location and Content-Location of an origin at /pre/fix", () => {
  const locations = async (status: string, ...values: string[]) => {
    const { host } = new URL(await origin.start());
    const fields = values.map((value) => value.replaceAll("ORIGIN", host)).flatMap((v) => [`Location: ${v}`]);
    const answer = await answeredWith(
      Buffer.from(`HTTP/1.1 ${status}\r\n${fields.join("\r\n")}\r\nContent-Length: 2\r\n\r\nhi`, "latin1"),
      "/v2/images",
    );
    return {
      ...answer,
      locations: fieldsOfHead(answer.head, "location").map((value) => value.replace(host, "ORIGIN")),
    };
  };
  const utf8 = Buffer.from("/é?q=€").toString("latin1");

  it.each([
    ["http://ORIGIN/pre/fix/v2/x", "http://edge.test/v2/x"],
    ["https://ORIGIN/pre/fix/v2/x", "http://edge.test/v2/x"],
    ["//ORIGIN/pre/fix/v2/x", "http://edge.test/v2/x"],
    ["/pre/fix/v2/x", "http://edge.test/v2/x"],
    ["/v2/x", "http://edge.test/v2/x"],
    ["x?y#z", "http://edge.test/v2/x?y#z"],
    ["../x", "http://edge.test/x"],
    [`/pre/fix${utf8}`, `http://edge.test${utf8}`],
    [`http://ORIGIN/pre/fix${utf8}`, `http://edge.test${utf8}`],
    [`http://other.test${utf8}`, `http://other.test${utf8}`],
    ["http://other.test/\xe9", "http://other.test/\xe9"],
    ["//other.test/v2", "//other.test/v2"],
    ["http://other.test/pre/fix/v2", "http://other.test/pre/fix/v2"],
  ])("%j is %j", async (value, expected) => {
    for (const status of ["201 Created", "302 Found"]) {
      expect(await locations(status, value)).toMatchObject({ locations: [expected], body: "hi", errors: [] });
    }
  });

  it("that come twice and are the same are one", async () => {
    for (const status of ["201 Created", "302 Found"]) {
      const answer = await locations(status, "/pre/fix/v2/x,y", "/pre/fix/v2/x,y");
      expect(answer.locations).toEqual(["http://edge.test/v2/x,y"]);
    }
  });

  it("that come twice and differ: of what was done the first one counts, a redirect leads nowhere", async () => {
    const done = await locations("201 Created", "/pre/fix/v2/x", "http://other.test/");
    expect(done).toMatchObject({ status: 201, locations: ["http://edge.test/v2/x"], errors: [] });
    const lost = await locations("302 Found", "/pre/fix/v2/x", "http://other.test/");
    expectBadGateway(lost, REFUSED, /origin.bad-answer.*two locations/);
    expect(lost.locations).toEqual([]);
  });

  it("of a redirect to https of the same host: 502 that names ORIGIN_URL, for clients would go in a circle", async () => {
    for (const status of ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]) {
      const answer = await locations(status, "https://ORIGIN/pre/fix/v2/images");
      const message =
        "The image service behind this edge redirects back to this URL. The edge's setting ORIGIN_URL must be an address at " +
        "which the image service answers itself.<br /><br />\n\n\n";
      expectBadGateway(answer, message, /origin.bad-answer.*https:\/\/127.0.0.1.*ORIGIN_URL/);
    }
  });
});
