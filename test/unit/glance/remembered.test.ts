import { describe, expect, it } from "vitest";
import type { RecordAnswer } from "../../../src/glance/ask-record.ts";
import { Permissions, permissionKey } from "../../../src/glance/remembered.ts";
import { PLAIN } from "../../support/records.ts";

const answer = (owner: string): Extract<RecordAnswer, { kind: "found" }> => ({
  kind: "found",
  record: { status: "active", size: 1, checksum: null, hash: null, traits: PLAIN, owner, name: null },
  headers: new Headers(),
});

describe("a permission", () => {
  it("is believed for its time and not a moment longer", () => {
    const permissions = new Permissions();
    permissions.allow("key", "image", answer("a"), permissions.asking(1_000));
    expect(permissions.recall("key", 500, 1_000)).toEqual(answer("a"));
    expect(permissions.recall("key", 500, 1_499)).toEqual(answer("a"));
    expect(permissions.recall("key", 500, 1_500)).toBeNull();
  });

  it("is never believed with a time of 0", () => {
    const permissions = new Permissions();
    permissions.allow("key", "image", answer("a"), permissions.asking(1_000));
    expect(permissions.recall("key", 0, 1_000)).toBeNull();
    expect(permissions.wasAllowed("key")).toBe(true);
  });

  it("is that of one key", () => {
    const permissions = new Permissions();
    permissions.allow("key", "image", answer("a"), permissions.asking(1_000));
    expect(permissions.recall("other", 500, 1_000)).toBeNull();
    expect(permissions.wasAllowed("other")).toBe(false);
  });

  it("given again is new", () => {
    const permissions = new Permissions();
    permissions.allow("key", "image", answer("a"), permissions.asking(1_000));
    permissions.allow("key", "image", answer("b"), permissions.asking(2_000));
    expect(permissions.recall("key", 500, 2_400)).toEqual(answer("b"));
  });

  it("is forgotten with its image, for every key", () => {
    const permissions = new Permissions();
    permissions.allow("one", "image", answer("a"), permissions.asking(0));
    permissions.allow("two", "image", answer("a"), permissions.asking(0));
    permissions.allow("three", "other image", answer("a"), permissions.asking(0));
    permissions.forget(["no image", "image"]);
    expect(["one", "two", "three"].map((key) => permissions.wasAllowed(key))).toEqual([false, false, true]);
    expect(permissions.recall("one", 500, 0)).toBeNull();
  });

  it("is forgotten with all others when nobody can tell whose rights have changed", () => {
    const permissions = new Permissions();
    permissions.allow("one", "image", answer("a"), permissions.asking(0));
    permissions.allow("two", "other image", answer("a"), permissions.asking(0));
    permissions.forget([]);
    expect(["one", "two"].map((key) => permissions.wasAllowed(key))).toEqual([true, true]);
    permissions.forget("any");
    expect(["one", "two"].map((key) => permissions.wasAllowed(key))).toEqual([false, false]);
  });

  it.each([[["image"]], [["other image", "image"]], ["any" as const]])(
    "is not kept when %s was forgotten while the origin was asked: it may be of the time before",
    (images) => {
      const permissions = new Permissions();
      const asking = permissions.asking(0);
      permissions.forget(images);
      permissions.allow("key", "image", answer("a"), asking);
      expect(permissions.wasAllowed("key")).toBe(false);
      permissions.allow("key", "image", answer("a"), permissions.asking(0));
      expect(permissions.wasAllowed("key")).toBe(true);
    },
  );

  it("is kept when only other images have changed while the origin was asked, be they thousands", () => {
    const permissions = new Permissions();
    const asking = permissions.asking(0);
    for (let index = 0; index < 4096; index++) permissions.forget([`other image ${index}`]);
    permissions.allow("key", "image", answer("a"), asking);
    expect(permissions.wasAllowed("key")).toBe(true);
  });

  it("is not kept when more images have changed meanwhile than are counted apart", () => {
    const permissions = new Permissions();
    const asking = permissions.asking(0);
    for (let index = 0; index < 4097; index++) permissions.forget([`other image ${index}`]);
    permissions.allow("key", "image", answer("a"), asking);
    expect(permissions.wasAllowed("key")).toBe(false);
    permissions.allow("key", "image", answer("a"), permissions.asking(0));
    expect(permissions.wasAllowed("key")).toBe(true);
  });

  it("is there again as it was when the change was none", () => {
    const permissions = new Permissions();
    permissions.allow("key", "image", answer("a"), permissions.asking(1_000));
    permissions.putBack(permissions.forget(["image"]));
    expect(permissions.recall("key", 500, 1_499)).toEqual(answer("a"));
    expect(permissions.recall("key", 500, 1_500)).toBeNull();
  });

  it.each([
    [["image"], false],
    ["any" as const, false],
    [["other image"], true],
  ] as const)("is not put back when %s changed meanwhile: %s", (images, back) => {
    const permissions = new Permissions();
    permissions.allow("key", "image", answer("a"), permissions.asking(0));
    const forgotten = permissions.forget(["image"]);
    permissions.forget(images);
    permissions.putBack(forgotten);
    expect(permissions.wasAllowed("key")).toBe(back);
  });

  it("that was learned anew is not put back over", () => {
    const permissions = new Permissions();
    permissions.allow("key", "image", answer("a"), permissions.asking(0));
    const forgotten = permissions.forget(["image"]);
    permissions.allow("key", "image", answer("b"), permissions.asking(1));
    permissions.putBack(forgotten);
    expect(permissions.recall("key", 500, 1)).toEqual(answer("b"));
  });

  it("is kept when nothing was forgotten meanwhile, not even by a change of nothing", () => {
    const permissions = new Permissions();
    const asking = permissions.asking(0);
    permissions.forget([]);
    permissions.allow("key", "image", answer("a"), asking);
    expect(permissions.wasAllowed("key")).toBe(true);
  });

  it("makes room for newer ones, the oldest first; one given again is new", () => {
    const permissions = new Permissions();
    for (let index = 0; index < 4096; index++)
      permissions.allow(`key ${index}`, "image", answer("a"), permissions.asking(0));
    permissions.allow("key 0", "image", answer("a"), permissions.asking(0));
    permissions.allow("one more", "image", answer("a"), permissions.asking(0));
    const kept = ["key 0", "key 1", "key 2", "one more"].map((key) => permissions.wasAllowed(key));
    expect(kept).toEqual([true, false, true, true]);
  });
});

describe("the key of a caller and an image", () => {
  const key = (headers: Record<string, string>, api: "v1" | "v2" = "v2", imageId = "a", query?: string) =>
    permissionKey(new Headers(headers), { api, imageId, ...(query === undefined ? {} : { query }) });

  it("is the same for the same caller, whatever else a request says", async () => {
    const one = await key({ "x-auth-token": "t", "user-agent": "a", range: "bytes=0-1" });
    expect(await key({ "X-Auth-Token": "t", "user-agent": "b" })).toBe(one);
  });

  it("is the same whatever the request is traced by, or says in names that never reach the origin", async () => {
    const one = await key({ "x-auth-token": "t" });
    const more = { "x-openstack-request-id": "req-1", traceparent: "00-1", x_auth_token: "u", x_service_token: "s" };
    expect(await key({ "x-auth-token": "t", ...more })).toBe(one);
  });

  it.each([["x-auth-token"], ["x_auth_token"], ["close, X-Auth-Token"]])(
    "with Connection: %s is that of nobody, whose questions carry no token either",
    async (connection) => {
      expect(await key({ "x-auth-token": "t", connection })).toBe(await key({}));
    },
  );

  it("is new each time for bytes that read alike but are sent as they came", async () => {
    const client = { cookie: "session=\ufffd" };
    expect(await key(client)).not.toBe(await key(client));
  });

  it.each([
    [{}, "v2", "a"],
    [{ "x-auth-token": "u" }, "v2", "a"],
    [{ "x-auth-token": "t" }, "v1", "a"],
    [{ "x-auth-token": "t" }, "v2", "b"],
    [{ "x-auth-token": "t", "x-service-token": "s" }, "v2", "a"],
    [{ "x-auth-token": "t", authorization: "Basic a" }, "v2", "a"],
    [{ "x-auth-token": "t", cookie: "c" }, "v2", "a"],
    [{ "x-storage-token": "t" }, "v2", "a"],
    [{ "x-auth-token": "t", "x-storage-token": "u" }, "v2", "a"],
    [{ x_auth_token: "t" }, "v2", "a"],
    [{ "x-auth-token": "t", connection: "x-auth-token" }, "v2", "a"],
    [{ "x-auth-token": "t\u00e9" }, "v2", "a"],
    [{ "x-service-token": "t" }, "v2", "a"],
    [{ authorization: "t" }, "v2", "a"],
    [{ "x-auth-token": 't","a' }, "v2", "a"],
    [{ "x-auth-token": "t" }, "v2", "a", "?prefer=ceph"],
    [{ "x-auth-token": "t", origin: "https://horizon.test" }, "v2", "a"],
  ] as [Record<string, string>, "v1" | "v2", string, string?][])(
    "is another one for %j %s %s %s",
    async (headers, api, image, query) => {
      expect(await key(headers, api, image, query)).not.toBe(await key({ "x-auth-token": "t" }));
    },
  );

  it("does not show the token", async () => {
    expect(await key({ "x-auth-token": "secret" })).toMatch(/^[0-9a-f]{64}$/);
  });
});
