import { describe, expect, it } from "vitest";
import type { RecordAnswer } from "../../src/origin/authorize.ts";
import { Permissions, permissionKey } from "../../src/origin/permissions.ts";

const answer = (owner: string): Extract<RecordAnswer, { kind: "found" }> => ({
  kind: "found",
  record: { status: "active", size: 1, checksum: null, hash: null, owner },
  headers: new Headers(),
});

describe("a permission", () => {
  it("is believed for its time and not a moment longer", () => {
    const permissions = new Permissions();
    permissions.allow("key", "image", answer("a"), 1_000);
    expect(permissions.recall("key", 500, 1_000)).toEqual(answer("a"));
    expect(permissions.recall("key", 500, 1_499)).toEqual(answer("a"));
    expect(permissions.recall("key", 500, 1_500)).toBeNull();
  });

  it("is never believed with a time of 0", () => {
    const permissions = new Permissions();
    permissions.allow("key", "image", answer("a"), 1_000);
    expect(permissions.recall("key", 0, 1_000)).toBeNull();
    expect(permissions.wasAllowed("key")).toBe(true);
  });

  it("is that of one key", () => {
    const permissions = new Permissions();
    permissions.allow("key", "image", answer("a"), 1_000);
    expect(permissions.recall("other", 500, 1_000)).toBeNull();
    expect(permissions.wasAllowed("other")).toBe(false);
  });

  it("given again is new", () => {
    const permissions = new Permissions();
    permissions.allow("key", "image", answer("a"), 1_000);
    permissions.allow("key", "image", answer("b"), 2_000);
    expect(permissions.recall("key", 500, 2_400)).toEqual(answer("b"));
  });

  it("is forgotten with its image, for every key", () => {
    const permissions = new Permissions();
    permissions.allow("one", "image", answer("a"), 0);
    permissions.allow("two", "image", answer("a"), 0);
    permissions.allow("three", "other image", answer("a"), 0);
    permissions.forget("image");
    expect(["one", "two", "three"].map((key) => permissions.wasAllowed(key))).toEqual([false, false, true]);
    expect(permissions.recall("one", 500, 0)).toBeNull();
  });

  it("makes room for newer ones, the oldest first; one given again is new", () => {
    const permissions = new Permissions();
    for (let index = 0; index < 4096; index++) permissions.allow(`key ${index}`, "image", answer("a"), 0);
    permissions.allow("key 0", "image", answer("a"), 0);
    permissions.allow("one more", "image", answer("a"), 0);
    const kept = ["key 0", "key 1", "key 2", "one more"].map((key) => permissions.wasAllowed(key));
    expect(kept).toEqual([true, false, true, true]);
  });
});

describe("the key of a caller and an image", () => {
  const key = (headers: Record<string, string>, api = "v2", image = "a") =>
    permissionKey(new Headers(headers), api, image);

  it("is the same for the same caller, whatever else a request says", async () => {
    const one = await key({ "x-auth-token": "t", "user-agent": "a", range: "bytes=0-1" });
    expect(await key({ "X-Auth-Token": "t", "user-agent": "b" })).toBe(one);
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
    [{ "x-auth-token": "t", "openstack-identity-access-rules": "1.0" }, "v2", "a"],
    [{ "x-service-token": "t" }, "v2", "a"],
    [{ authorization: "t" }, "v2", "a"],
    [{ "x-auth-token": 't","a' }, "v2", "a"],
    [{ "x-auth-token": "t", origin: "https://horizon.test" }, "v2", "a"],
  ] as [Record<string, string>, string, string][])("is another one for %j %s %s", async (headers, api, image) => {
    expect(await key(headers, api, image)).not.toBe(await key({ "x-auth-token": "t" }));
  });

  it("does not show the token", async () => {
    expect(await key({ "x-auth-token": "secret" })).toMatch(/^[0-9a-f]{64}$/);
  });
});
