/** Whatever a client asks, byte by byte, the origin sees what it asked for and nothing else, and no answer is a failure of the edge's. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { exchange, statusesOf } from "../support/node/raw-client.ts";
import type { SeenRequest } from "../support/node/wsgi-origin.ts";
import { holds } from "../support/property.ts";
import { useWsgiOrigin } from "./framing.ts";
import { useEdge } from "./support.ts";

const origin = useWsgiOrigin();
const edge = useEdge(() => origin.start());

const ID = "11111111-2222-4333-8444-555555555555";
const PROBE = "bytes=9223372036854775806-";

const byte = fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code));
const segment = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom("v2", "v1", "images", "file", ID, "cache", "cached_images", "edge", "api", "metrics"),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...["", ".", "..", "%2e%2E", "%2f", "%00", "%", "%zz", "%ff", "V2", ID.toUpperCase(), "file;a=b", "fil%65"],
      ...["\\", "..\\", "@evil.test", ":80", "*", "v2.0", "\xe9", "\xc3\xa9", "[", "{id}", "a|b", "`", "<b>", '"'],
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: byte, maxLength: 8 }) },
  { weight: 1, arbitrary: fc.constant("a".repeat(5_000)) },
);
const DOWNLOADS = [`/v2/images/${ID}/file`, `/v1/images/${ID}`];
const path = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...DOWNLOADS, `/v2/images/${ID}`) },
  { weight: 3, arbitrary: fc.array(segment, { minLength: 1, maxLength: 7 }).map((all) => `/${all.join("/")}`) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(...DOWNLOADS), fc.integer({ min: 1, max: 60 }), segment)
      .map(([whole, at, odd]) => {
        return whole.slice(0, at) + odd + whole.slice(at);
      }),
  },
);
const query = fc.oneof(
  fc.constantFrom(
    "",
    "",
    "",
    "?",
    "?prefer=a",
    "??",
    "?a=1&a=2",
    "?%00",
    "?../..",
    `?${"a=1&".repeat(1_000)}`,
    "?'\"<>",
  ),
  fc.string({ unit: byte, maxLength: 8 }).map((text) => `?${text}`),
);
const target = fc.tuple(path, query).map((parts) => parts.join(""));
const method = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("GET", "HEAD") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("POST", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "get", "ALL", "FOO", "TRACE"),
  },
);

const name = fc.constantFrom(
  ...["Range", "Content-Range", "If-Range", "If-None-Match", "If-Match", "X-Auth-Token", "Cookie", "Accept", "Via"],
  ...["X-Roles", "x-user-id", "X-Forwarded-For", "Forwarded", "X-Original-URL", "CF-Connecting-IP", "Cache-Control"],
  ...["X-Openstack-Request-Id", "X-Other", "Authorization", "X-Image-Cache-Clear-Target", "Connection", "CDN-Loop"],
);
const value = fc.oneof(
  fc.constantFrom("bytes=0-0", "bytes=0-", "bytes=-1", "bytes=9-1,2-3", PROBE, '"a"', "*", "a=b", "only-if-cached", ""),
  fc.constantFrom(
    "bytes 0-1/2",
    "x".repeat(9_000),
    "a,".repeat(2_000),
    "\x01\x7f\t\x0b",
    "\xff\xfe",
    "X-Auth-Token",
    "Range",
  ),
  fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 12 }),
);
const fields = fc.array(
  fc.tuple(
    name,
    value.map((text) => text.replaceAll(/[\r\n]/g, " ")),
  ),
  { maxLength: 5 },
);

/** What only a proxy or Glance's own auth middleware may say. */
const CLAIMS = /^(x-roles|x-user-id|x-forwarded-for|forwarded|x-original-url|cf-connecting-ip):/im;

it("the origin sees what a client has asked for, and nothing that it has not", async () => {
  let answered = 0;
  let passed = 0;
  await holds(
    fc.asyncProperty(method, target, fields, async (verb, asked, all) => {
      origin.takeSeen();
      const lines = all.map(([field, text]) => `${field}: ${text}\r\n`).join("");
      const request = `${verb} ${asked} HTTP/1.1\r\nHost: edge.example\r\n${lines}Connection: close\r\n\r\n`;
      const { text } = await exchange(edge.process.url, request, 2_000);
      const statuses = statusesOf(text).filter((status) => status !== 100);
      expect(statuses.length).toBeLessThanOrEqual(1);
      answered += statuses.length;
      expect(statuses).not.toContain(500);
      expect(text).not.toMatch(/The edge failed|\n\s+at |\.ts:\d/);
      const sent = normalised(asked);
      const isDownload = DOWNLOADS.includes(sent.split("?")[0] ?? "") && (verb === "GET" || verb === "HEAD");
      const seen = origin.takeSeen();
      const own = seen.filter((one) => !isEdges(one, isDownload, sent));
      expect(own.map((one) => `${one.method} ${one.target}`)).toEqual(own.length === 0 ? [] : [`${verb} ${sent}`]);
      for (const { head } of seen) expect(head).not.toMatch(CLAIMS);
      passed += own.length;
    }),
    150,
  );
  expect(answered).toBeGreaterThan(100);
  expect(passed).toBeGreaterThan(20);
});

/** The question for a right: v1 knows no ranges. */
const QUESTION = /^range: bytes=(9223372036854775806-|0-0)$/im;

/** As a URL is read everywhere in the web, and so by the runtime (url.spec.whatwg.org). */
function normalised(asked: string): string {
  const { pathname, search } = new URL(`http://edge.example${Buffer.from(asked, "latin1").toString()}`);
  return pathname + search;
}

/** Whether the edge asks it of its own accord: its versions, and of an image that is downloaded its record and its right. */
function isEdges({ method: verb, target: asked, head }: SeenRequest, isDownload: boolean, sent: string): boolean {
  if (`${verb} ${asked}` === "GET /versions" && sent !== "/versions") return true;
  if (!isDownload) return false;
  const record = sent.split("?")[0]?.replace(/\/file$/, "") ?? "";
  if (asked === record && head.includes("glance-edge/")) return true;
  return asked === sent && verb === "GET" && head.includes("glance-edge/") && QUESTION.test(head);
}
