import { describe, expect, it } from "vitest";
import { changeOf } from "../../../src/glance/changes.ts";

const ID = "71c675ab-d94f-49cd-a114-e12490b328d9";
const OTHER = "0d2c4b5e-8f1a-4c3d-9e7f-123456789abc";
const UPPER = ID.toUpperCase();
/** Each letter of the text, percent-encoded. */
const encoded = (text: string) =>
  [...text].map((letter) => `%${letter.charCodeAt(0).toString(16).padStart(2, "0")}`).join("");

/** What Glance takes for the image itself, and what something in front of it might. */
const SPELLINGS = [
  `/v2/images/${ID}`,
  `/v1/images/${ID}`,
  `/v2.0/images/${ID}`,
  `/v2.7/images/${ID}`,
  `/v2.99/images/${ID}`,
  `/images/${ID}`,
  `//v2/images/${ID}`,
  `/v2//images///${ID}`,
  `/v2/images/${ID}/`,
  `/v2/images/${ID}//`,
  `/v2/images/${UPPER}`,
  `/V2/Images/${ID}`,
  `/v2/images/%37${ID.slice(1)}`,
  `/v2/images/${encoded(ID)}`,
  `/${encoded("v2")}/${encoded("images")}/${ID}`,
  `/v2%2Fimages%2f${ID}`,
  `/v2/images/${ID}%2F`,
  `/v2/images/%2537${ID.slice(1)}`,
  `/v2%252Fimages%252F${ID}`,
  `/v2%5Cimages%5C${ID}`,
  `/anything/before/v2/images/${ID}`,
];

describe("a successful change", () => {
  it.each(SPELLINGS)("of %s may have changed this image, and a DELETE takes it", (path) => {
    for (const method of ["PATCH", "PUT", "POST", "patch", "PURGE"]) {
      expect(changeOf(method, path)).toEqual({ images: [ID], deleted: null });
    }
    expect(changeOf("DELETE", path)).toEqual({ images: [ID], deleted: ID });
  });

  it.each([
    "/file",
    "/members",
    "/members/somebody",
    "//members/so%2Fmebody",
    "/actions/deactivate",
    "/tags/x",
    "/tags/images",
    "/locations",
    "/import",
    "/stage",
    "/%74ags/x",
  ])("of %s below an image changes it, and a DELETE leaves it", (below) => {
    for (const image of SPELLINGS) {
      const expected = { images: [ID], deleted: null };
      const path = image.replace(/(\/|%2F)+$/, "") + below;
      for (const method of ["POST", "DELETE"]) expect(changeOf(method, path)).toEqual(expected);
    }
  });

  it("names every id that its path holds", () => {
    const expected = { images: [ID, OTHER], deleted: null };
    expect(changeOf("DELETE", `/v2/images/${ID}/members/${OTHER.toUpperCase()}`)).toEqual(expected);
  });

  it.each([
    [`/v2/images/${ID};a=b`, ID],
    [`/v2/images/${ID}%`, ID],
    [`/v2/images/${ID}%20`, ID],
    [`/v2/images/${ID}.json`, ID],
    [`/v2/images/%7B${ID}%7D`, ID],
    [`/v2/images/${ID.replaceAll("-", "")}`, null],
    [`/v2/images/${ID.replace("a", "%C3%A1")}`, null],
    ["/v2/images/detail", null],
    [`/v2/images/detail/${ID}`, null],
  ])("of %s, which some database or proxy may take for an image, may be one of any", (path, deleted) => {
    expect(changeOf("PATCH", path)).toEqual({ images: "any", deleted: null });
    expect(changeOf("DELETE", path)).toEqual({ images: "any", deleted });
  });

  it.each([
    `/v2/images/%ff${ID}`,
    `/v2/images/${ID}%C3`,
    `/v2/images/%25252525253${ID}`,
    `/v2/stores/fast/${ID}`,
    `/v2/cache/${ID}`,
    "/v2/tasks",
    "/v2/image",
    "/v2/stores/metadefs",
    "/anything/before/v2/metadefs/namespaces",
    `/v2/tasks/${ID}/metadefs`,
    "/v2/metadefs/%252e%252e/tasks",
    "/v2/metadefs/..%2ftasks",
    "/v2/metadefs/.%5ctasks",
    "/",
    "",
  ])("of %s may be one of any image, and takes none from the cache", (path) => {
    for (const method of ["POST", "DELETE"]) {
      expect(changeOf(method, path)).toEqual({ images: "any", deleted: null });
    }
  });

  it.each(["/v2/images", "/v2.7/images/", "//v2//images", "/v2/metadefs/namespaces/x/objects", "/metadefs/namespaces"])(
    "that posts to %s changes no image that there is",
    (path) => {
      expect(changeOf("POST", path)).toEqual({ images: [], deleted: null });
    },
  );

  it("of all images at once, should there be such a thing, may be one of any", () => {
    for (const method of ["PUT", "PATCH", "DELETE"]) {
      expect(changeOf(method, "/v2/images")).toEqual({ images: "any", deleted: null });
    }
  });
});

it.each(["GET", "HEAD", "OPTIONS", "TRACE"])("a %s changes nothing", (method) => {
  for (const path of [...SPELLINGS, "/v2/images/%ff", "/"]) {
    expect(changeOf(method, path)).toEqual({ images: [], deleted: null });
  }
});
