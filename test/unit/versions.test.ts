import { describe, expect, it } from "vitest";
import { mayBeVersions, rewriteVersions } from "../../src/origin/versions.ts";

const JSON_TYPE = { "content-type": "application/json", "content-length": "100" };
const answer = (headers: Record<string, string>, status = 200) => new Response(null, { status, headers });

describe("an answer may be the versions document", () => {
  it.each([
    ["/", 300],
    ["/", 200],
    ["/versions", 200],
    ["/versions/", 200],
    ["/v1/images", 300],
    ["/v9", 300],
  ])("at %s with %i", (path, status) => {
    expect(mayBeVersions(path, answer(JSON_TYPE, status))).toBe(true);
  });

  it("with a charset, and up to 256 KiB", () => {
    const headers = { "content-type": "application/json; charset=UTF-8", "content-length": String(256 * 1024) };
    expect(mayBeVersions("/", answer(headers))).toBe(true);
  });

  it.each<[string, string, Record<string, string>]>([
    ["at another path", "/v2/images", JSON_TYPE],
    ["in another type", "/", { ...JSON_TYPE, "content-type": "text/html" }],
    ["in no type", "/", { "content-length": "100" }],
    ["encoded", "/", { ...JSON_TYPE, "content-encoding": "gzip" }],
    ["of unknown length", "/", { "content-type": "application/json" }],
    ["of a length that is no number", "/", { ...JSON_TYPE, "content-length": "x" }],
    ["empty", "/", { ...JSON_TYPE, "content-length": "0" }],
    ["too long", "/", { ...JSON_TYPE, "content-length": String(256 * 1024 + 1) }],
  ])("but not %s", (_, path, headers) => {
    expect(mayBeVersions(path, answer(headers))).toBe(false);
  });
});

describe("the versions document", () => {
  const rewrite = (document: unknown) =>
    JSON.parse(rewriteVersions(JSON.stringify(document), "http://glance:9292", "https://edge.test"));

  it("names the edge where it named the origin, and nothing else changes", () => {
    const document = {
      versions: [
        { id: "v2.16", status: "CURRENT", links: [{ rel: "self", href: "http://glance:9292/v2/" }], extra: [1] },
        { id: "v2.0", links: [{ rel: "other", href: "http://docs.example/" }, { rel: "odd", href: 5 }, {}] },
        { id: "v1" },
      ],
      more: { a: null },
    };
    expect(rewrite(document)).toEqual({
      versions: [
        { id: "v2.16", status: "CURRENT", links: [{ rel: "self", href: "https://edge.test/v2/" }], extra: [1] },
        document.versions[1],
        { id: "v1" },
      ],
      more: { a: null },
    });
  });

  it.each([
    "",
    "<html>http://glance:9292/</html>",
    "null",
    "5",
    "[]",
    '{ "versions": null }',
    '{ "versions": {} }',
    '{ "versions": [null] }',
    '{ "versions": ["http://glance:9292/"] }',
    '{ "versions": [{ "links": null }] }',
    '{ "versions": [{ "links": [null] }] }',
    '{ "href":  "http://glance:9292/" }',
    '{ "versions": [',
  ])("is not %s, which comes back as it was", (text) => {
    expect(rewriteVersions(text, "http://glance:9292", "https://edge.test")).toBe(text);
  });
});
