import { describe, expect, it } from "vitest";
import { mayBeVersions, rewriteVersions } from "../../../src/glance/versions.ts";

const JSON_TYPE = { "content-type": "application/json", "content-length": "100" };
const naming = (origin = "http://glance:9292", edge = "https://edge.test") => ({ origin, asked: `${origin}/`, edge });
const answer = (headers: Record<string, string>, status = 200) => new Response(null, { status, headers });

interface Entry {
  readonly id: string;
  readonly status?: string;
  readonly links?: readonly { readonly rel: string; readonly href: string }[];
}

describe("an answer may be the versions document", () => {
  it.each([
    ["/", 300],
    ["/", 200],
    ["/versions", 200],
    ["/versions/", 200],
    ["//versions", 200],
    ["/versions/x/y", 200],
    ["/%76ersions", 200],
    ["//", 300],
    ["/v1/images", 300],
    ["/v9", 300],
  ])("at %s with %i", (path, status) => {
    expect(mayBeVersions(path, answer(JSON_TYPE, status))).toBe(true);
  });

  it.each([
    ["/", 200],
    ["/versions", 200],
    ["/v1/images", 300],
    ["/anything", 300],
  ])("of unknown length at %s with %i", (path, status) => {
    expect(mayBeVersions(path, answer({ "content-type": "application/json" }, status))).toBe(true);
  });

  it("with a charset, and up to 256 KiB", () => {
    const headers = { "content-type": "application/json; charset=UTF-8", "content-length": String(256 * 1024) };
    expect(mayBeVersions("/", answer(headers))).toBe(true);
  });

  it.each<[string, string, Record<string, string>]>([
    ["at another path", "/v2/images", JSON_TYPE],
    ["at a path that only begins so", "/versionsx", JSON_TYPE],
    ["in another case", "/Versions", JSON_TYPE],
    ["at a path that is not UTF-8", "/versions/%ff", JSON_TYPE],
    ["in another type", "/", { ...JSON_TYPE, "content-type": "text/html" }],
    ["in no type", "/", { "content-length": "100" }],
    ["encoded", "/", { ...JSON_TYPE, "content-encoding": "gzip" }],
    ["of unknown length where Glance has other documents too", "/v2/images", { "content-type": "application/json" }],
    ["of a length that is no number", "/", { ...JSON_TYPE, "content-length": "x" }],
    ["empty", "/", { ...JSON_TYPE, "content-length": "0" }],
    ["too long", "/", { ...JSON_TYPE, "content-length": String(256 * 1024 + 1) }],
  ])("but not %s", (_, path, headers) => {
    expect(mayBeVersions(path, answer(headers))).toBe(false);
  });
});

describe("the versions document", () => {
  const rewrite = (document: unknown) => JSON.parse(rewriteVersions(JSON.stringify(document), naming(), false) ?? "");

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
    ["http://glance:9292/v2/", "/v2/"],
    ["https://public.example/v2/", "/v2/"],
    ["https://public.example/cloud/image/v2/", "/v2/"],
    ["https://public.example:8443/v2", "/v2"],
    ["http://glance:9292/public/image/v2/", "/v2/"],
    ["http://glance:9292/image/v2/?a=b", "/v2/"],
    ["/v2/", "/v2/"],
    ["//public.example/image/v1.1/", "/v1.1/"],
    ["https://edge.test/v2/", "/v2/"],
  ])("links to the edge as itself where public_endpoint has it %s", (href, path) => {
    const document = { versions: [{ id: "v2.0", links: [{ rel: "self", href }] }] };
    for (const origin of ["http://glance:9292", "http://glance:9292/image"]) {
      for (const edge of ["https://edge.test", "https://edge.test/mounted/here"]) {
        const text = rewriteVersions(JSON.stringify(document), naming(origin, edge), false);
        expect(JSON.parse(text ?? "")).toEqual({
          versions: [{ id: "v2.0", links: [{ rel: "self", href: edge + path }] }],
        });
      }
    }
  });

  it.each([
    ["self", "https://public.example/"],
    ["self", "https://public.example/v2/images"],
    ["self", "https://"],
    ["describedby", "https://public.example/v2/"],
  ])("but not to %s %s, which is no version of the edge's", (rel, href) => {
    const document = { versions: [{ id: "v2.0", links: [{ rel, href }] }] };
    expect(rewrite(document)).toEqual(document);
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
  ])("is not %s, which is left as it is", (text) => {
    expect(rewriteVersions(text, naming(), false)).toBeNull();
    expect(rewriteVersions(text, naming(), true)).toBeNull();
  });

  it("is left as it is where it is nested deeper than can be written", () => {
    const text = `{"versions":[{"links":[{"rel":"self","href":"/v2/"}]}],"deep":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    expect(rewriteVersions(text, naming(), true)).toBeNull();
  });
});

describe("the versions document of an edge with the cache API", () => {
  const linked = (id: string, status: string, href = "http://glance:9292/v2/"): Entry => ({
    id,
    status,
    links: [{ rel: "self", href }],
  });
  const entries = (versions: readonly Entry[], cacheApi = true): Entry[] => {
    const text = rewriteVersions(JSON.stringify({ versions }), naming(), cacheApi);
    return (JSON.parse(text ?? "") as { versions: Entry[] }).versions;
  };
  const list = (versions: readonly Entry[]) => entries(versions).map(({ id, status }) => `${id} ${status}`);
  const supported = (...ids: string[]) => ids.map((id) => linked(id, "SUPPORTED"));

  it("lists its versions over a Glance 25.1 without a cache, in order and with the edge in their links", () => {
    const origin = [linked("v2.15", "CURRENT"), ...supported("v2.9", "v2.7", "v2.0")];
    expect(entries(origin)).toEqual([
      linked("v2.18", "CURRENT", "https://edge.test/v2/"),
      ...["v2.16", "v2.15", "v2.14", "v2.9", "v2.7", "v2.0"].map((id) =>
        linked(id, "SUPPORTED", "https://edge.test/v2/"),
      ),
    ]);
  });

  it("lists them over a newer one, which puts its CURRENT in the middle", () => {
    const origin = [...supported("v2.15", "v2.13", "v2.9"), linked("v2.17", "CURRENT"), ...supported("v2.7")];
    expect(list(origin)).toEqual([
      "v2.18 CURRENT",
      ...["v2.17", "v2.16", "v2.15", "v2.14", "v2.13", "v2.9", "v2.7"].map((id) => `${id} SUPPORTED`),
    ]);
  });

  it("adds only what is missing: a Glance 25.1 with its cache on lacks 2.18", () => {
    const origin = [linked("v2.16", "CURRENT"), ...supported("v2.15", "v2.14", "v2.9")];
    expect(list(origin)).toEqual([
      "v2.18 CURRENT",
      ...["v2.16", "v2.15", "v2.14", "v2.9"].map((id) => `${id} SUPPORTED`),
    ]);
  });

  it("leaves a document that has them all in its order and with its statuses", () => {
    const origin = [...supported("v2.18", "v2.14"), linked("v2.16", "CURRENT"), ...supported("v2.17")];
    expect(list(origin)).toEqual(["v2.18 SUPPORTED", "v2.14 SUPPORTED", "v2.16 CURRENT", "v2.17 SUPPORTED"]);
  });

  it("keeps a CURRENT above its own, and makes no experimental or deprecated version another thing", () => {
    const origin = [
      linked("v2.21", "EXPERIMENTAL"),
      linked("v2.20", "CURRENT"),
      linked("v2.1", "DEPRECATED"),
      linked("v2", "SUPPORTED"),
    ];
    expect(list(origin)).toEqual([
      "v2.21 EXPERIMENTAL",
      "v2.20 CURRENT",
      "v2.18 SUPPORTED",
      "v2.16 SUPPORTED",
      "v2.14 SUPPORTED",
      "v2.1 DEPRECATED",
      "v2 SUPPORTED",
    ]);
  });

  it("leaves v1 behind all v2 and as it is", () => {
    const v1 = linked("v1.1", "CURRENT", "http://glance:9292/v1/");
    const listed = entries([v1, linked("v2.2", "CURRENT")]);
    expect(listed.map(({ id }) => id)).toEqual(["v2.18", "v2.16", "v2.14", "v2.2", "v1.1"]);
    expect(listed[4]).toEqual(linked("v1.1", "CURRENT", "https://edge.test/v1/"));
    expect(listed[0]?.links?.[0]?.href).toBe("https://edge.test/v2/");
  });

  it.each<[string, Entry[]]>([
    ["v1 only", [linked("v1.1", "CURRENT")]],
    ["v20 and v3", [linked("v20.1", "CURRENT"), linked("v3.0", "SUPPORTED")]],
    ["nothing", []],
  ])("adds nothing to one with %s", (_, origin) => {
    expect(entries(origin)).toEqual(entries(origin, false));
  });

  it("has no links where the origin's versions have none", () => {
    expect(entries([{ id: "v2.0", status: "CURRENT" }])[0]).toEqual({ id: "v2.18", status: "CURRENT" });
  });

  it("adds nothing without being asked", () => {
    expect(entries(supported("v2.15"), false).map(({ id }) => id)).toEqual(["v2.15"]);
  });
});
