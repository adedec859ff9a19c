import { describe, expect, it } from "vitest";
import { type Env, readSettings, SettingError } from "../../src/config.ts";
import { bindings } from "../support/env.ts";

const wrong = (change: Readonly<Record<string, unknown>>): SettingError => {
  try {
    // What wrangler.toml binds is not checked by a compiler either.
    readSettings({ ...bindings, ...change } as unknown as Env);
  } catch (cause) {
    if (cause instanceof SettingError) return cause;
    throw cause;
  }
  throw new Error("the setting was accepted");
};
const settings = (change: Partial<Env>) => readSettings({ ...bindings, ...change });

describe("a wrong setting gives one error that names it", () => {
  it.each([
    ["ORIGIN_URL", undefined],
    ["ORIGIN_URL", ""],
    ["ORIGIN_URL", "  "],
    ["ORIGIN_URL", "glance.example"],
    ["ORIGIN_URL", "/image"],
    ["ORIGIN_URL", "ftp://glance.example"],
    ["ORIGIN_URL", "http://user@glance.example"],
    ["ORIGIN_URL", "http://:secret@glance.example"],
    ["ORIGIN_URL", "http://glance.example/?a=b"],
    ["ORIGIN_URL", "http://glance.example/#a"],
    ["PUBLIC_URL", "edge.example"],
    ["PUBLIC_URL", "ws://edge.example"],
    ["PUBLIC_URL", "https://user:secret@edge.example"],
    ["PUBLIC_URL", "https://edge.example/?a"],
    ["AUTHORIZATION_TTL", "-1"],
    ["AUTHORIZATION_TTL", "1.5"],
    ["AUTHORIZATION_TTL", "1e3"],
    ["AUTHORIZATION_TTL", "0x10"],
    ["AUTHORIZATION_TTL", "10s"],
    ["AUTHORIZATION_TTL", "99999999999999999999"],
    ["IMAGE_MAX_BYTES", "-1"],
    ["IMAGE_MAX_BYTES", "32 GiB"],
    ["IMAGE_MAX_BYTES", "Infinity"],
    ["IMAGE_MAX_BYTES", "99999999999999999999"],
    ["SLICE_BYTES", "0"],
    ["SLICE_BYTES", "8 MiB"],
    ["SLICE_BYTES", String(64 * 1024 - 8)],
    ["SLICE_BYTES", String(64 * 1024 + 1)],
    ["SLICE_BYTES", String(8 * 2 ** 20 + 8)],
    ["STALL_SECONDS", "0"],
    ["STALL_SECONDS", "-5"],
    ["STALL_SECONDS", "soon"],
    ["CACHE_MAX_BYTES", "-1"],
    ["CACHE_MAX_BYTES", "100 GiB"],
    ["CACHE_MAX_BYTES", "1e12"],
    ["CACHE_MAX_BYTES", "99999999999999999999"],
    ["KEYSTONE_URL", "cloud.example"],
    ["KEYSTONE_URL", "ftp://cloud.example/v3"],
    ["KEYSTONE_URL", "https://user:secret@cloud.example/v3"],
    ["KEYSTONE_URL", "https://cloud.example/v3?secret"],
    ["ADMIN_ROLES", " , "],
    ["PREFETCH_CONCURRENCY", "0"],
    ["PREFETCH_CONCURRENCY", "33"],
    ["PREFETCH_CONCURRENCY", "two"],
    ["CLEAN_STALL_SECONDS", "0"],
    ["CLEAN_STALL_SECONDS", "-1"],
    ["CLEAN_STALL_SECONDS", "1 day"],
    ["SCRUB_BYTES", "-1"],
    ["SCRUB_BYTES", "8 GiB"],
    ["NOTIFICATIONS_URL", "receiver.example"],
    ["NOTIFICATIONS_URL", "https://user:secret%ff@receiver.example/"],
    ["NOTIFICATIONS_URL", "amqp://user:secret@receiver.example/"],
  ])("%s = %j", (setting, value) => {
    const error = wrong({ [setting]: value });
    expect(error.setting).toBe(setting);
    expect(error.message).toMatch(new RegExp(`^${setting} (is|must|has) `));
    expect(error.message).not.toContain("secret");
  });

  it.each([
    ["BUCKET", undefined],
    ["BUCKET", null],
    ["BUCKET", "glance-edge"],
    ["BUCKET", {}],
    ["CATALOG", undefined],
    ["CATALOG", "glance-edge"],
    ["CATALOG", {}],
    ["FILL", undefined],
    ["FILL", {}],
    ["NOTIFICATIONS", null],
    ["NOTIFICATIONS", {}],
  ])("%s bound to %j", (setting, value) => {
    const error = wrong({ [setting]: value });
    expect(error.setting).toBe(setting);
    expect(error.message).toMatch(new RegExp(`^${setting} is not bound`));
  });

  it("each binding put in the place of another one", () => {
    expect(wrong({ CATALOG: bindings.BUCKET }).setting).toBe("CATALOG");
    expect(wrong({ BUCKET: bindings.CATALOG }).setting).toBe("BUCKET");
    expect(wrong({ FILL: bindings.CATALOG }).setting).toBe("FILL");
  });
});

describe("a right setting", () => {
  it("may be left out, all but the origin", () => {
    const { BUCKET, CATALOG, FILL } = bindings;
    expect(readSettings({ BUCKET, CATALOG, FILL, ORIGIN_URL: "http://glance.example" })).toMatchObject({
      origin: "http://glance.example",
      publicUrl: null,
      authorizationTtlMs: 0,
      imageMaxBytes: 32 * 2 ** 30,
      sliceBytes: 8 * 2 ** 20,
      stallMs: 20_000,
      cacheMaxBytes: 100 * 2 ** 30,
      keystone: null,
      adminRoles: ["admin"],
      serviceCredential: null,
      prefetchConcurrency: 2,
      cleanStallMs: 86_400_000,
      scrubBytes: 8 * 2 ** 30,
      notificationsUrl: null,
    });
  });

  it("that is left out is the same as in wrangler.toml, but for the origin", () => {
    const { BUCKET, CATALOG, FILL, ORIGIN_URL = "" } = bindings;
    expect(readSettings(bindings)).toEqual(readSettings({ BUCKET, CATALOG, FILL, ORIGIN_URL }));
  });

  it.each([
    ["https://cloud.example/image/", "https://cloud.example/image"],
    ["https://cloud.example/image///", "https://cloud.example/image"],
    ["https://cloud.example:443/", "https://cloud.example"],
    ["http://10.0.0.1:9292", "http://10.0.0.1:9292"],
    ["http://[::1]:9292/", "http://[::1]:9292"],
    ["HTTPS://Cloud.Example/Image", "https://cloud.example/Image"],
  ])("ORIGIN_URL and PUBLIC_URL %s are %s", (value, url) => {
    expect(settings({ ORIGIN_URL: value }).origin).toBe(url);
    expect(settings({ PUBLIC_URL: value }).publicUrl).toBe(url);
  });

  it("in seconds is kept in milliseconds", () => {
    expect(settings({ AUTHORIZATION_TTL: "30" }).authorizationTtlMs).toBe(30_000);
    expect(settings({ STALL_SECONDS: "1" }).stallMs).toBe(1_000);
  });

  it("may have blanks around it", () => {
    expect(settings({ IMAGE_MAX_BYTES: " 5 " }).imageMaxBytes).toBe(5);
  });

  it.each([64 * 1024, 64 * 1024 + 8, 8 * 2 ** 20])("SLICE_BYTES may be %i", (bytes) => {
    expect(settings({ SLICE_BYTES: String(bytes) }).sliceBytes).toBe(bytes);
  });
});
