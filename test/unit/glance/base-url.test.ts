import { describe, expect, it } from "vitest";
import { edgeBaseUrl, nameAsEdges, pathForOrigin } from "../../../src/glance/base-url.ts";

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

const glance = { origin: "http://glance:9292", asked: "http://glance:9292/v2/images/a?b", edge: EDGE };

describe("a URL of the origin http://glance:9292, asked for /v2/images/a, becomes the edge's", () => {
  it.each([
    ["http://glance:9292/v2/images/a", "https://edge.test/v2/images/a"],
    ["https://glance:9292/v2/", "https://edge.test/v2/"],
    ["http://glance:9292", "https://edge.test/"],
    ["http://glance:9292?a", "https://edge.test/?a"],
    ["http://glance:9292/v2?a=b%20c#d", "https://edge.test/v2?a=b%20c#d"],
    ["http://GLANCE:9292/v2", "https://edge.test/v2"],
    ["HTTP://user@glance:9292/v2", "https://edge.test/v2"],
    ["//glance:9292/v2", "https://edge.test/v2"],
    ["//glance:9292", "https://edge.test/"],
    ["/v2/images", "https://edge.test/v2/images"],
    ["/", "https://edge.test/"],
    ["b", "https://edge.test/v2/images/b"],
    ["b/c?d", "https://edge.test/v2/images/b/c?d"],
    ["./", "https://edge.test/v2/images/"],
    ["../tasks", "https://edge.test/v2/tasks"],
    ["../../../../x", "https://edge.test/x"],
    ["/v2/../v1", "https://edge.test/v1"],
    ["?c", "https://edge.test/v2/images/a?c"],
    ["#c", "https://edge.test/v2/images/a?b#c"],
    ["http:/v2", "https://edge.test/v2"],
    ["\\\\glance:9292\\v2", "https://edge.test/v2"],
    ["/a b", "https://edge.test/a%20b"],
  ])("%s", (value, named) => {
    expect(nameAsEdges(value, glance)).toBe(named);
  });

  it.each([
    ["/v2/é?q=€#ü", "https://edge.test/v2/é?q=€#ü"],
    ["http://glance:9292/v2/é", "https://edge.test/v2/é"],
    ["//glance:9292/é%C3%A9%20", "https://edge.test/é%C3%A9%20"],
    ["/%c3%a9/%zz%", "https://edge.test/%c3%a9/%zz%"],
  ])("with letters and codes as they were: %s", (value, named) => {
    expect(nameAsEdges(value, glance)).toBe(named);
  });

  it("even with letters that are none", () => {
    expect(nameAsEdges("/\ud800", glance)).toBe("https://edge.test/%EF%BF%BD");
  });

  it.each([
    "http://glance/v2",
    "http://glance:9293/v2",
    "http://glance.example:9292/v2",
    "http://other/?to=http://glance:9292/",
    "http://glance:9292@other/",
    "//other/v2",
    "//glance/v2",
    "",
    "mailto:glance@example.org",
    "swift+http://glance:9292x/",
    "swift+http://glance:9292/container/object",
    "ftp://glance:9292/",
    "http://",
  ])("but %s stays as it is", (value) => {
    expect(nameAsEdges(value, glance)).toBe(value);
  });
});

describe("a URL of the origin https://cloud/image becomes that of the edge at https://edge.test/glance", () => {
  it.each([
    ["https://cloud/image/v2/images/a", "https://edge.test/glance/v2/images/a"],
    ["https://cloud/image", "https://edge.test/glance"],
    ["https://cloud/image?a=/image", "https://edge.test/glance?a=/image"],
    ["https://cloud/v2/images/a", "https://edge.test/glance/v2/images/a"],
    ["https://cloud?a", "https://edge.test/glance/?a"],
    ["https://cloud/versions", "https://edge.test/glance/versions"],
    ["//cloud/v2.7/images?a", "https://edge.test/glance/v2.7/images?a"],
    ["/v1", "https://edge.test/glance/v1"],
    ["https://cloud//v2/images", "https://edge.test/glance//v2/images"],
    ["/image/v2/images/a", "https://edge.test/glance/v2/images/a"],
    ["/image/v2/é", "https://edge.test/glance/v2/é"],
    ["//cloud/image/v2", "https://edge.test/glance/v2"],
    ["/v2/images/a", "https://edge.test/glance/v2/images/a"],
    ["b", "https://edge.test/glance/v2/b"],
    ["../../image/v1", "https://edge.test/glance/v1"],
    ["/x/../image/v1", "https://edge.test/glance/v1"],
  ])("%s is %s", (value, named) => {
    const asked = "https://cloud/image/v2/images";
    expect(nameAsEdges(value, { origin: "https://cloud/image", asked, edge: "https://edge.test/glance" })).toBe(named);
  });

  it.each([
    ["http://cloud/images/v2", "http://cloud/images/v2"],
    ["https://cloud/identity/v3", "https://cloud/identity/v3"],
    ["/dashboard/é?a#b", "https://cloud/dashboard/é?a#b"],
    ["//cloud/v3", "https://cloud/v3"],
    ["../../v20", "https://cloud/v20"],
    ["/versionsx", "https://cloud/versionsx"],
  ])("but %s, beside it and not Glance's, is %s", (value, named) => {
    const asked = "https://cloud/image/v2/images";
    expect(nameAsEdges(value, { origin: "https://cloud/image", asked, edge: "https://edge.test/glance" })).toBe(named);
  });
});
