/** The settings that managing the cache needs. What is wrong in general: ./config.test.ts. */
import { describe, expect, it } from "vitest";
import { SettingError } from "../../src/lib/read-setting.ts";
import { type Env, readSettings } from "../../src/settings.ts";
import { bindings } from "../support/env.ts";

const KEYSTONE = "https://cloud.example/identity/v3";

const settings = (change: Partial<Env>) => readSettings({ ...bindings, ...change });
const refused = (change: Partial<Env>): SettingError => {
  try {
    settings(change);
  } catch (cause) {
    if (cause instanceof SettingError) return cause;
    throw cause;
  }
  throw new Error("the settings were accepted");
};

describe("KEYSTONE_URL", () => {
  it.each([
    ["https://cloud.example/identity/v3", KEYSTONE],
    ["https://cloud.example/identity/v3/", KEYSTONE],
    ["https://cloud.example/identity", KEYSTONE],
    ["https://cloud.example/identity/", KEYSTONE],
    ["http://10.0.0.1:5000", "http://10.0.0.1:5000/v3"],
  ])("%s leads to %s", (value, url) => {
    expect(settings({ KEYSTONE_URL: value }).keystone?.url).toBe(url);
  });

  it.each(["", "  "])("left empty (%j) means that nobody manages the cache", (value) => {
    expect(settings({ KEYSTONE_URL: value }).keystone).toBeNull();
  });
});

describe("ADMIN_ROLES", () => {
  it.each([
    ["", ["admin"]],
    ["  ", ["admin"]],
    ["admin", ["admin"]],
    ["admin,image-admin", ["admin", "image-admin"]],
    [" admin , image admin ,, ", ["admin", "image admin"]],
  ])("%j are %j", (value, roles) => {
    expect(settings({ ADMIN_ROLES: value }).adminRoles).toEqual(roles);
  });
});

describe("the service credentials", () => {
  const id = "0123456789abcdef";
  const secret = "the-very-secret";

  it("are both there, or none", () => {
    const both = { OS_APPLICATION_CREDENTIAL_ID: ` ${id} `, OS_APPLICATION_CREDENTIAL_SECRET: `${secret}\n` };
    expect(settings({ KEYSTONE_URL: KEYSTONE, ...both }).serviceCredential).toEqual({ id, secret });
    const none = { OS_APPLICATION_CREDENTIAL_ID: "", OS_APPLICATION_CREDENTIAL_SECRET: " " };
    expect(settings({ KEYSTONE_URL: KEYSTONE, ...none }).serviceCredential).toBeNull();
  });

  it.each<[string, Partial<Env>]>([
    ["OS_APPLICATION_CREDENTIAL_SECRET", { OS_APPLICATION_CREDENTIAL_ID: id }],
    ["OS_APPLICATION_CREDENTIAL_SECRET", { OS_APPLICATION_CREDENTIAL_ID: id, OS_APPLICATION_CREDENTIAL_SECRET: " " }],
    ["OS_APPLICATION_CREDENTIAL_ID", { OS_APPLICATION_CREDENTIAL_SECRET: secret }],
  ])("set by half: %s is missing, and the other half is not told", (setting, half) => {
    const error = refused({ KEYSTONE_URL: KEYSTONE, ...half });
    expect(error.setting).toBe(setting);
    expect(error.message).toMatch(new RegExp(`^${setting} is not set`));
    expect(error.message).not.toContain(id);
    expect(error.message).not.toContain(secret);
  });

  it("need to know Keystone", () => {
    const error = refused({
      KEYSTONE_URL: "",
      OS_APPLICATION_CREDENTIAL_ID: id,
      OS_APPLICATION_CREDENTIAL_SECRET: secret,
    });
    expect(error.setting).toBe("KEYSTONE_URL");
    expect(error.message).not.toContain(secret);
  });
});

describe("the upkeep's settings", () => {
  it("may be 0 where that has a meaning", () => {
    expect(settings({ CACHE_MAX_BYTES: "0" }).cacheMaxBytes).toBe(0);
    expect(settings({ SCRUB_BYTES: "0" }).scrubBytes).toBe(0);
  });

  it("in seconds are kept in milliseconds", () => {
    expect(settings({ CLEAN_STALL_SECONDS: "60" }).cleanStallMs).toBe(60_000);
  });

  it.each(["1", "32"])("PREFETCH_CONCURRENCY may be %s", (value) => {
    expect(settings({ PREFETCH_CONCURRENCY: value }).prefetchConcurrency).toBe(Number(value));
  });

  it("CACHE_MAX_BYTES may be larger than 32 bits", () => {
    expect(settings({ CACHE_MAX_BYTES: "1099511627776" }).cacheMaxBytes).toBe(2 ** 40);
  });
});

describe("NOTIFICATIONS_URL", () => {
  it("may hold credentials and a query, which are kept", () => {
    const url = "https://user:secret@receiver.example/hook?key=1";
    expect(settings({ NOTIFICATIONS_URL: ` ${url} ` }).notificationsUrl).toBe(url);
  });

  it("may hold a password with any characters, percent-encoded", () => {
    const url = "https://us%C3%A9r:p%40ss%25@receiver.example/";
    expect(settings({ NOTIFICATIONS_URL: url }).notificationsUrl).toBe(url);
  });
});

describe("NOTIFICATIONS", () => {
  it("is a queue, or not bound at all", () => {
    const queue = { send: () => undefined } as unknown as Queue;
    expect(() => settings({ NOTIFICATIONS: queue })).not.toThrow();
    const { NOTIFICATIONS: _, ...without } = bindings;
    expect(() => readSettings(without)).not.toThrow();
  });

  it("is no other binding", () => {
    const bucket = bindings.BUCKET as unknown as Queue;
    expect(refused({ NOTIFICATIONS: bucket }).setting).toBe("NOTIFICATIONS");
  });
});
