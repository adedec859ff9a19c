/**
 * One request of a client is one request at Glance, whatever its header names are: else the rest of its body would be the
 * next request of a connection that others share, and each of them would get the answer of the one before. The edge of
 * these tests stands before Glance itself, since the counting proxy keeps no connections; what Glance saw is in its log.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type EdgeProcess, startEdge } from "../../support/node/edge-process.ts";
import { exchange, statusesOf } from "../../support/node/raw-client.ts";
import { UWSGI_GLANCE } from "../lib/uwsgi-glance.ts";
import { GLANCE, LOGS_DIR, UWSGI_GLANCE_URL, WORK_DIR, withoutEdge } from "./addresses.ts";
import { tokenOf } from "./cloud.ts";

const SMUGGLED = "GET /v2/smuggled HTTP/1.1\r\nHost: x\r\nX-Identity-Status: Confirmed\r\nX-Roles: admin\r\n\r\n";
/** A body that ends a chunked message early and goes on with a second request. */
const EARLY_END = `0\r\n\r\n${SMUGGLED}`;

const NAMES = [
  "Transfer_Encoding",
  "transfer_encoding",
  "TRANSFER_ENCODING",
  "tRaNsFeR_eNcOdInG",
  "Transfer.Encoding",
  "TRANSFER.ENCODING",
  "Transfer~Encoding",
  "_Transfer_Encoding",
  "Transfer_Encoding_",
];

const METHODS = [
  "POST /v2/images",
  "PUT /v2/images/ID/file",
  "PATCH /v2/images/ID",
  "DELETE /v2/images/ID",
  "GET /v2/images",
  "GET /v2/images/ID",
  "OPTIONS /v2/images",
];

/** What else a server could trip over, and leave the body for the next one. */
const ODD_FIELDS: readonly (readonly [string, string])[] = [
  ["Content_Length", "Content_Length: 1\r\n"],
  ["Content_Length: 0 and Transfer_Encoding", "Content_Length: 0\r\nTransfer_Encoding: chunked\r\n"],
  ["Connection: transfer_encoding", "Connection: close, transfer_encoding\r\nTransfer_Encoding: chunked\r\n"],
  ["Connection: Content-Length", "Connection: close, Content-Length\r\n"],
  ["Expect", "Expect: 100-continue\r\n"],
  ["X_Auth_Token", "X_Auth_Token: admin\r\nX_Identity_Status: Confirmed\r\nX_Roles: admin\r\n"],
  // Characters at which one reader or another has been known to end a line.
  ...["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x7f", "\x85", "\xa0", "\xe9"].map(
    (byte) => [`byte ${byte.charCodeAt(0)} in a value`, `X-A: 1${byte}Transfer-Encoding: chunked\r\n`] as const,
  ),
  // More and longer fields than eventlet takes (http.client's _MAXHEADERS, eventlet's MAX_HEADER_LINE).
  ["150 fields", Array.from({ length: 150 }, (_, n) => `X-${n}: 1\r\n`).join("")],
  ["a long field", `X-A: ${"a".repeat(9000)}\r\n`],
];

const SERVERS = [
  {
    server: "eventlet",
    url: GLANCE,
    log: "glance-api.log",
    request: /"(?<method>[A-Z]+) (?<path>\S+) HTTP\/1\.[01]" \d{3} /g,
  },
  {
    server: "uWSGI",
    url: UWSGI_GLANCE_URL,
    log: `${UWSGI_GLANCE}.log`,
    request: /\] (?<method>[A-Z]+) (?<path>\S+) => generated /g,
  },
];

for (const { server, url, log, request } of SERVERS) {
  describe(`a body that ends early stays one body, with a Glance under ${server}`, { skip: withoutEdge }, () => {
    let edge: EdgeProcess;
    before(async () => {
      edge = await startEdge({ persist: join(WORK_DIR, `framing-${server}`), vars: { ORIGIN_URL: url } });
    });
    after(() => edge.stop());

    const seen = () =>
      [...readFileSync(join(LOGS_DIR, log), "latin1").matchAll(request)].map(
        ({ groups }) => `${groups?.method} ${groups?.path}`,
      );

    /** Sends the attack, then four requests of others, and compares what all were answered and Glance has seen. */
    async function attack(line: string, fields: string, body: string): Promise<void> {
      const token = await tokenOf("demo");
      const earlier = seen().length;
      const [method = "", path = ""] = line.replace("ID", randomUUID()).split(" ");
      const head = `${method} ${path} HTTP/1.1\r\nHost: edge\r\nAccept: application/json\r\n`;
      const framed = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
      const { text: answer } = await exchange(edge.url, `${head}${fields}${framed}Connection: close\r\n\r\n${body}`);
      assert.equal(statusesOf(answer).filter((status) => status !== 100).length, 1, answer);
      const expected = [`${method} ${path}`];
      for (let victim = 1; victim <= 4; victim++) {
        const id = randomUUID();
        const its = `GET /v2/images/${id} HTTP/1.1\r\nHost: edge\r\nX-Auth-Token: ${token}\r\nConnection: close\r\n\r\n`;
        const { text } = await exchange(edge.url, its);
        assert.deepEqual(statusesOf(text), [404], `victim ${victim}: ${text}`);
        assert.ok(text.includes(`No image found with ID ${id}`), `victim ${victim}: ${text}`);
        expected.push(`GET /v2/images/${id}`);
      }
      // A line is written behind its answer, and by several threads. A head that Glance can't read has none.
      const refused = statusesOf(answer).some((status) => status === 400 || status === 431);
      const least = expected.length - (refused ? 1 : 0);
      for (let tries = 0; tries < 40 && seen().length < earlier + least; tries++) await sleep(50);
      const logged = seen().slice(earlier);
      if (refused && logged.length === least) expected.shift();
      assert.deepEqual(logged.sort(), expected.sort());
    }

    for (const name of NAMES) {
      for (const line of METHODS) {
        test(`${name}: chunked in ${line}`, () => attack(line, `${name}: chunked\r\n`, EARLY_END));
      }
    }
    for (const name of NAMES.slice(0, 3)) {
      for (const line of METHODS) {
        test(`${name}: chunked in ${line} without a body`, () => attack(line, `${name}: chunked\r\n`, ""));
      }
    }
    for (const [what, fields] of ODD_FIELDS) {
      for (const line of METHODS.slice(0, 5)) test(`${what} in ${line}`, () => attack(line, fields, EARLY_END));
    }
  });
}
