import { describe, expect, it } from "vitest";
import { BadOriginAnswer } from "../../../src/glance/bad-answer.ts";
import { nameLocations } from "../../../src/glance/location.ts";

const GLANCE = { origin: "http://glance/image", asked: "http://glance/image/v2/a?b", edge: "https://edge.test/mount" };
const REDIRECTS = [301, 302, 303, 307, 308];

function named(status: number, location: string, naming = GLANCE): string | null {
  const headers = new Headers({ location, "content-location": location });
  nameLocations(headers, status, naming);
  expect(headers.get("content-location")).toBe(headers.get("location"));
  return headers.get("location");
}

describe("Location and Content-Location", () => {
  it.each([200, 201, ...REDIRECTS])("of a %i are named as the edge's where they are the origin's", (status) => {
    expect(named(status, "http://glance/image/v2/c")).toBe("https://edge.test/mount/v2/c");
    expect(named(status, "/image/v2/é, ü")).toBe("https://edge.test/mount/v2/%C3%A9,%20%C3%BC");
    for (const other of ["http://other/image/v2/c", "//other/image/v2/a?b", "http://", "", "mailto:a"]) {
      expect(named(status, other)).toBe(other);
    }
    expect(named(status, "/image/v2/a,b?c,d")).toBe("https://edge.test/mount/v2/a,b?c,d");
  });

  it("of an answer without them stay away", () => {
    const headers = new Headers({ "x-other": "http://glance/image/v2" });
    nameLocations(headers, 201, GLANCE);
    expect([...headers]).toEqual([["x-other", "http://glance/image/v2"]]);
  });

  it("sent twice, the same, are one", () => {
    for (const status of [201, ...REDIRECTS]) {
      expect(named(status, "/image/v2/c, /image/v2/c")).toBe("https://edge.test/mount/v2/c");
      expect(named(status, "http://other/c, http://other/c")).toBe("http://other/c");
    }
  });

  it.each(["/image/v2/c, http://other/", "http://other/, /image/v2/c", "//other/, //another/, //other/"])(
    "sent twice and not the same: %s. A redirect that could lead to either leads nowhere, else the first counts",
    (value) => {
      const [first = ""] = value.split(", ");
      for (const status of [200, 201]) expect(named(status, value)).toBe(named(status, first));
      for (const status of REDIRECTS) expect(() => named(status, value)).toThrow(BadOriginAnswer);
    },
  );
});

it.each(["https://glance:8443/image/v2/a?b", "http://glance:9292/image/v2/a?b#c", "//GLANCE:81/image/v2/a?b"])(
  "a redirect to the same thing at another address of the origin, %s, is refused: it leads past the edge",
  (location) => {
    for (const status of REDIRECTS) {
      expect(() => named(status, location)).toThrow(/ORIGIN_URL/);
      try {
        named(status, location);
      } catch (cause) {
        if (!(cause instanceof BadOriginAnswer)) throw cause;
        expect(cause.forClient).toMatch(/to another address of its own.*ORIGIN_URL/);
        expect(cause.forClient).not.toContain("glance:");
      }
    }
    expect(named(201, location)).toBe(location);
  },
);

describe("a redirect to what would be the client's own URL again", () => {
  it.each([
    "https://glance/image/v2/a?b",
    "https://glance/image/v2/a?b#c",
    "https://GLANCE/image/v2/x/../a?b",
    "//glance/v2/a?b",
    "/v2/a?b",
    "https://edge.test/mount/v2/a?b",
  ])("%s is refused, and ORIGIN_URL named", (location) => {
    for (const status of REDIRECTS) {
      expect(() => named(status, location)).toThrow(/ORIGIN_URL/);
      try {
        named(status, location);
      } catch (cause) {
        if (!(cause instanceof BadOriginAnswer)) throw cause;
        expect(cause.forClient).toContain("ORIGIN_URL");
        expect(cause.forClient).not.toMatch(/glance\/|edge\.test/);
      }
    }
    expect(named(201, location)).toMatch(/^https:\/\/edge\.test\/mount\/v2\//);
  });

  it.each([
    ["https://glance/image/v2/a/", "https://edge.test/mount/v2/a/"],
    ["https://glance/image/v2/a", "https://edge.test/mount/v2/a"],
    ["https://glance/image/v2/a?c", "https://edge.test/mount/v2/a?c"],
    ["https://glance:8443/image/v2/a", "https://glance:8443/image/v2/a"],
    ["https://glance:8443/image/v2/a?c", "https://glance:8443/image/v2/a?c"],
    ["https://glance.other/image/v2/a?b", "https://glance.other/image/v2/a?b"],
    ["ftp://glance/image/v2/a?b", "ftp://glance/image/v2/a?b"],
    ["https://other/image/v2/a?b", "https://other/image/v2/a?b"],
  ])("is not %s", (location, seen) => {
    for (const status of REDIRECTS) expect(named(status, location)).toBe(seen);
  });

  it.each(["http://glance/image/v2/a?b", "/image/v2/a?b", "a?b", "#c", "http://glance/image/v2/a?b#c"])(
    "is not %s: the origin names what it was asked, as it may without the edge",
    (location) => {
      for (const status of REDIRECTS) expect(named(status, location)).toMatch("https://edge.test/mount/v2/a?b");
    },
  );
});
