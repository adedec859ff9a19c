import { describe, expect, it } from "vitest";
import { isRefusal, KeystoneUnavailable } from "../../../src/keystone/api.ts";
import { readToken } from "../../../src/keystone/identity.ts";

/** What Keystone 22 answers to `?nocatalog`, shortened. */
const TOKEN = {
  methods: ["password"],
  user: { domain: { id: "default", name: "Default" }, id: "u1", name: "demo", password_expires_at: null },
  audit_ids: ["a"],
  expires_at: "2026-11-23T09:05:42.000000Z",
  issued_at: "2026-11-23T08:05:42.000000Z",
  project: { domain: { id: "default", name: "Default" }, id: "p1", name: "demo" },
  is_domain: false,
  roles: [
    { id: "r1", name: "member" },
    { id: "r2", name: "reader" },
  ],
};
const read = (change: Readonly<Record<string, unknown>>) =>
  readToken(JSON.stringify({ token: { ...TOKEN, ...change } }));

describe("a token document", () => {
  it("says who the token speaks for and how long it lives", () => {
    expect(read({})).toEqual({
      identity: { userId: "u1", projectId: "p1", roles: ["member", "reader"] },
      userName: "demo",
      projectName: "demo",
      lifetimeMs: 3_600_000,
    });
  });

  it("of a domain, of the system or unscoped has no project, and an unscoped one no roles", () => {
    expect(read({ project: undefined, domain: { id: "default" } }).identity.projectId).toBeNull();
    expect(read({ project: undefined, system: { all: true } }).identity).toMatchObject({ projectId: null });
    expect(read({ project: undefined, roles: undefined }).identity).toEqual({
      userId: "u1",
      projectId: null,
      roles: [],
    });
  });

  it("whose credential ends first has its expiry in UTC without a Z", () => {
    const times = { issued_at: "2026-11-23T08:05:54.000000Z", expires_at: "2026-11-23T08:05:57.847000" };
    expect(read(times).lifetimeMs).toBe(3_847);
  });

  it.each([
    ["no expiry", { expires_at: null }],
    ["no issue", { issued_at: undefined }],
    ["a time that is none", { expires_at: "tomorrow" }],
    ["a time that is a number", { expires_at: 1_800_000_000 }],
  ])("with %s has no known lifetime", (_, change) => {
    expect(read(change).lifetimeMs).toBeNull();
  });

  it("gives no role for what is no role, and no id for what is none", () => {
    const roles = [null, "admin", { id: "admin" }, { name: ["admin"] }, { name: "" }, { name: "reader" }];
    expect(read({ roles, user: { id: 5 }, project: { id: "" } }).identity).toEqual({
      userId: null,
      projectId: null,
      roles: ["reader"],
    });
  });

  it.each([
    "",
    "<html>",
    "null",
    "[]",
    "{}",
    '{ "token": null }',
    '{ "token": [] }',
    '{ "token": "demo" }',
    '{ "token": { "roles": "admin" } }',
    '{ "token": { "roles": { "name": "admin" } } }',
    '{ "error": { "code": 401 } }',
  ])("is not %s", (text) => {
    expect(() => readToken(text)).toThrow(KeystoneUnavailable);
  });

  it("that can't be read is not quoted in the error", () => {
    expect(() => readToken("secret")).toThrow(/^Keystone's answer is no token$/);
  });
});

describe("a refusal of Keystone", () => {
  it("is an error in JSON", () => {
    expect(isRefusal('{"error":{"code":404,"message":"Could not recognize Fernet token","title":"Not Found"}}\n')).toBe(
      true,
    );
  });

  it.each(["", "<!doctype html><title>404 Not Found</title>", "{}", '{ "error": "x" }', '{ "error": [] }', "null"])(
    "is not %s",
    (text) => {
      expect(isRefusal(text)).toBe(false);
    },
  );
});
