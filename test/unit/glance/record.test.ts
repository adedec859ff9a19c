import { describe, expect, it } from "vitest";
import { parseRecordV1, parseRecordV2 } from "../../../src/glance/record.ts";

const MD5 = "d41d8cd98f00b204e9800998ecf8427e";
const V2 = {
  id: "a",
  status: "active",
  size: 26,
  checksum: MD5,
  os_hash_algo: "sha512",
  os_hash_value: "h",
  owner: "o",
  name: "n",
};
const v2 = (change: Readonly<Record<string, unknown>>) => parseRecordV2(JSON.stringify({ ...V2, ...change }), "a");

const V1 = {
  "x-image-meta-id": "a",
  "x-image-meta-status": "active",
  "x-image-meta-size": "26",
  "x-image-meta-checksum": MD5,
  "x-image-meta-owner": "o",
  "x-image-meta-name": "n",
  "x-image-meta-deleted": "False",
};
const v1 = (change: Readonly<Record<string, string>>) => parseRecordV1(new Headers({ ...V1, ...change }), "a");

describe("a v2 record", () => {
  it("is read", () => {
    const hash = { algorithm: "sha512", value: "h" };
    const { traits, ...read } = v2({});
    expect(read).toEqual({ status: "active", size: 26, checksum: MD5, hash, owner: "o", name: "n" });
    expect(traits).toMatchObject({ owner: "o", visibility: null, tags: [] });
  });

  it("tells what a setting can select it by, and nothing that is no text", () => {
    const { traits } = v2({ visibility: "public", tags: ["boot", "eu"], os_distro: "debian", min_ram: 5, x: null });
    expect(traits).toMatchObject({ owner: "o", visibility: "public", tags: ["boot", "eu"] });
    expect(traits.properties).toMatchObject({ os_distro: "debian", name: "n" });
    expect(Object.keys(traits.properties)).not.toContain("min_ram");
    expect(v2({ tags: [1], visibility: 5 }).traits).toMatchObject({ visibility: null, tags: [] });
  });

  // An owner may state any 32 signs when adding a location (`validation_data`), and they are sent as Content-MD5.
  it.each(["\0", "a\r\nX-Evil: 1", `${MD5.slice(1)}\n`, `${MD5}0`, "\u{1f4a3}".repeat(32)])(
    "has no checksum where that is %j, which no header can carry or no MD5 is",
    (checksum) => {
      expect(v2({ checksum }).checksum).toBeNull();
      expect(v2({ checksum: MD5.toUpperCase() }).checksum).toBe(MD5.toUpperCase());
    },
  );

  it("of an image without data says so", () => {
    const empty = { status: "queued", size: null, checksum: null, os_hash_algo: null, os_hash_value: null };
    expect(v2(empty)).toMatchObject({
      status: "queued",
      size: null,
      checksum: null,
      hash: null,
      owner: "o",
      name: "n",
    });
  });

  it("may say no more than id and status", () => {
    expect(parseRecordV2('{"id":"a","status":"active"}', "a")).toEqual({
      status: "active",
      size: null,
      checksum: null,
      hash: null,
      owner: null,
      traits: { owner: null, visibility: null, tags: [], properties: { id: "a", status: "active" } },
      name: null,
    });
  });

  it("has no more than 255 signs of a name, each of them whole", () => {
    const penguins = "\u{1f427}".repeat(300);
    expect(v2({ name: penguins }).name).toBe("\u{1f427}".repeat(255));
    expect(v2({ name: "" }).name).toBeNull();
  });

  it.each([0, -1, 1.5, "26", null, true, 2 ** 53, []])("has no size when that is %j", (size) => {
    expect(v2({ size }).size).toBeNull();
  });

  it.each([{ os_hash_algo: null }, { os_hash_value: null }, { os_hash_algo: "" }, { os_hash_value: 5 }])(
    "has no hash with %j",
    (change) => {
      expect(v2(change).hash).toBeNull();
    },
  );

  it.each(["", "<html>", "{", "undefined"])("is not %j", (text) => {
    expect(() => parseRecordV2(text, "a")).toThrow(TypeError);
  });

  it.each(["null", "[]", '"a"', "5", "{}", '{"id":"b","status":"active"}', '{"id":"a"}', '{"id":"a","status":1}'])(
    "is not %s",
    (text) => {
      expect(() => parseRecordV2(text, "a")).toThrow(TypeError);
    },
  );
});

describe("a v1 record", () => {
  it("is read", () => {
    const { traits, ...read } = v1({});
    expect(read).toEqual({ status: "active", size: 26, checksum: MD5, hash: null, owner: "o", name: "n" });
    expect(traits).toEqual({ owner: "o", visibility: null, tags: [], properties: {} });
  });

  it("tells of what a setting can select it by what v1 knows: project, properties, and whether it is public", () => {
    const headers = { "x-image-meta-is_public": "True", "x-image-meta-property-os_distro": "debian" };
    expect(v1(headers).traits).toMatchObject({ visibility: "public", properties: { os_distro: "debian" } });
  });

  it.each(["True", "true", "TRUE"])("of a deleted image (%s) is deleted whatever its status says", (deleted) => {
    expect(v1({ "x-image-meta-deleted": deleted }).status).toBe("deleted");
  });

  it.each(["0", "-1", "", "1.5", "0x1a", "26 bytes", "99999999999999999999"])("has no size when that is %j", (size) => {
    expect(v1({ "x-image-meta-size": size }).size).toBeNull();
  });

  it("has no checksum that is no MD5, and would be sent as one and as the ETag", () => {
    expect(v1({ "x-image-meta-checksum": 'a", "b' }).checksum).toBeNull();
  });

  it("has no checksum and no owner when they are empty", () => {
    expect(v1({ "x-image-meta-checksum": "", "x-image-meta-owner": "" })).toMatchObject({
      checksum: null,
      owner: null,
    });
  });

  it.each<[string, Record<string, string>]>([
    ["another image's", { ...V1, "x-image-meta-id": "b" }],
    ["without an id", { "x-image-meta-status": "active" }],
    ["without a status", { "x-image-meta-id": "a" }],
    ["no record at all", {}],
  ])("is refused when it is %s", (_, headers) => {
    expect(() => parseRecordV1(new Headers(headers), "a")).toThrow(TypeError);
  });
});
