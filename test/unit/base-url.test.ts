import { describe, expect, it } from "vitest";
import { edgeBaseUrl, pathForOrigin, rewriteToEdge } from "../../src/origin/base-url.ts";

const EDGE = "https://edge.test";
const request = (url: string) => new Request(url);

describe("the edge's own base URL", () => {
  it("is scheme and host of the request", () => {
    expect(edgeBaseUrl(request("http://localhost:8787/v2/images?a=b"), null)).toBe("http://localhost:8787");
  });

  it("is PUBLIC_URL where that is set", () => {
    expect(edgeBaseUrl(request("http://localhost:8787/"), "https://edge.test/image")).toBe("https://edge.test/image");
  });
});

describe("the origin sees", () => {
  it.each([
    ["/", "/"],
    ["/v2/images?limit=1&name=a%20b", "/v2/images?limit=1&name=a%20b"],
    ["/v2/images/a%2Fb", "/v2/images/a%2Fb"],
    ["/v2/images/%C3%A9?q=%2F", "/v2/images/%C3%A9?q=%2F"],
    ["//v2//images", "//v2//images"],
    ["/v2/images/", "/v2/images/"],
  ])("%s as %s", (path, seen) => {
    expect(pathForOrigin(request(EDGE + path), null)).toBe(seen);
    expect(pathForOrigin(request(EDGE + path), EDGE)).toBe(seen);
  });

  it.each([
    ["/image/v2/images?a", "/v2/images?a"],
    ["/image", "/"],
    ["/image?a", "/?a"],
    ["/image/", "/"],
    ["/images/v2", "/images/v2"],
    ["/v2/images", "/v2/images"],
    ["/image/image/v2", "/image/v2"],
    ["/Image/v2", "/Image/v2"],
  ])("%s below a PUBLIC_URL with the path /image as %s", (path, seen) => {
    expect(pathForOrigin(request(EDGE + path), "https://edge.test/image")).toBe(seen);
  });
});

describe("a URL of the origin http://glance:9292 becomes the edge's", () => {
  it.each([
    ["http://glance:9292/v2/images/a", "https://edge.test/v2/images/a"],
    ["https://glance:9292/v2/", "https://edge.test/v2/"],
    ["http://glance:9292", "https://edge.test/"],
    ["http://glance:9292/v2?a=b%20c#d", "https://edge.test/v2?a=b%20c#d"],
    ["http://GLANCE:9292/v2", "https://edge.test/v2"],
  ])("%s", (value, rewritten) => {
    expect(rewriteToEdge(value, "http://glance:9292", EDGE)).toBe(rewritten);
  });

  it.each([
    "http://glance/v2",
    "http://glance:9293/v2",
    "http://glance.example:9292/v2",
    "http://other/?to=http://glance:9292/",
    "http://glance:9292@other/",
    "/v2/images",
    "//glance:9292/v2",
    "v2",
    "",
    "mailto:glance@example.org",
    "swift+http://glance:9292x/",
  ])("but %s stays as it is", (value) => {
    expect(rewriteToEdge(value, "http://glance:9292", EDGE)).toBe(value);
  });
});

describe("a URL of the origin https://cloud/image becomes that of the edge at https://edge.test/glance", () => {
  it.each([
    ["https://cloud/image/v2/images/a", "https://edge.test/glance/v2/images/a"],
    ["https://cloud/image", "https://edge.test/glance"],
    ["https://cloud/v2/images/a", "https://edge.test/glance/v2/images/a"],
    ["http://cloud/images/v2", "https://edge.test/glance/images/v2"],
  ])("%s is %s", (value, rewritten) => {
    expect(rewriteToEdge(value, "https://cloud/image", "https://edge.test/glance")).toBe(rewritten);
  });
});
