import { describe, expect, it } from "vitest";
import { SettingError } from "../../src/lib/read-setting.ts";
import { type Env, readSettings } from "../../src/settings.ts";
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
    ["OBJECT_MAX_BYTES", String(4 * 2 ** 20 - 1)],
    ["OBJECT_MAX_BYTES", String(4 * 2 ** 30 + 1)],
    ["OBJECT_MAX_BYTES", "0"],
    ["OBJECT_MAX_BYTES", "4 GiB"],
    ["ALONE_MAX", "-1"],
    ["ALONE_MAX", "many"],
    ["STALL_SECONDS", "0"],
    ["STALL_SECONDS", "-5"],
    ["STALL_SECONDS", "soon"],
    ["CACHE_MAX_BYTES", "-1"],
    ["CACHE_MAX_BYTES", "100 GiB"],
    ["CACHE_MAX_BYTES", "1e12"],
    ["CACHE_MAX_BYTES", "99999999999999999999"],
    ["OWNER_MAX_PERCENT", "0"],
    ["OWNER_MAX_PERCENT", "101"],
    ["OWNER_MAX_PERCENT", "40 %"],
    ["PREFETCH_IMAGES", "boot"],
    ["PREFETCH_IMAGES", "tag:"],
    ["PREFETCH_IMAGES", "tag:boot,"],
    ["PREFETCH_IMAGES", "name:debian"],
    ["PREFETCH_IMAGES", ["tag:boot"]],
    ["PIN_IMAGES", "property:os_distro"],
    ["PIN_IMAGES", "property:=debian"],
    ["CACHE_IMAGES", "visibility:Public"],
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
    ["LOCATION", "Frankfurt"],
    ["LOCATION", "WEUR"],
    ["LOCATION", 5],
    ["JURISDICTION", "de"],
    ["JURISDICTION", ["eu"]],
    ["SERVER_TIMING", "yes"],
    ["SERVER_TIMING", "2"],
    ["AUDIT", "true"],
    ["AUDIT", 2],
    ["METRICS_TOKEN", "short"],
    ["METRICS_TOKEN", "with a blank in it, and more"],
    ["METRICS_TOKEN", ["0123456789abcdef"]],
    ["ORIGIN_URL", ["http://glance.example"]],
    ["ORIGIN_URL", 5],
    ["ORIGIN_URL", null],
    ["PUBLIC_URL", true],
    ["PUBLIC_URL", { url: "https://edge.example" }],
    ["AUTHORIZATION_TTL", -1],
    ["AUTHORIZATION_TTL", 1.5],
    ["AUTHORIZATION_TTL", 1e21],
    ["AUTHORIZATION_TTL", Number.NaN],
    ["AUTHORIZATION_TTL", true],
    ["AUTHORIZATION_TTL", ["60"]],
    ["AUTHORIZATION_TTL", [60]],
    ["AUTHORIZATION_TTL", [[]]],
    ["AUTHORIZATION_TTL", []],
    ["AUTHORIZATION_TTL", {}],
    ["AUTHORIZATION_TTL", null],
    ["AUTHORIZATION_TTL", false],
    ["IMAGE_MAX_BYTES", [1]],
    ["SLICE_BYTES", { bytes: 8 }],
    ["SLICE_BYTES", 7],
    ["STALL_SECONDS", 0],
    ["STALL_SECONDS", true],
    ["OBJECT_MAX_BYTES", [4]],
    ["ALONE_MAX", true],
    ["CACHE_MAX_BYTES", false],
    ["PREFETCH_CONCURRENCY", 33],
    ["PREFETCH_CONCURRENCY", [2]],
    ["CLEAN_STALL_SECONDS", {}],
    ["SCRUB_BYTES", null],
    ["KEYSTONE_URL", ["https://cloud.example"]],
    ["KEYSTONE_URL", 5],
    ["ADMIN_ROLES", ["admin", "image-admin"]],
    ["ADMIN_ROLES", 5],
    ["ADMIN_ROLES", true],
    ["OS_APPLICATION_CREDENTIAL_ID", 5],
    ["OS_APPLICATION_CREDENTIAL_SECRET", { secret: "secret" }],
    ["NOTIFICATIONS_URL", ["https://receiver.example"]],
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

  it.each([
    ["https://cloud.example/image", "https://cloud.example/image"],
    ["https://cloud.example/image/", "HTTPS://Cloud.Example:443/image"],
    ["https://cloud.example/v2", "https://cloud.example"],
  ])("ORIGIN_URL %s the same as PUBLIC_URL %s", (origin, edge) => {
    const error = wrong({ ORIGIN_URL: origin, PUBLIC_URL: edge });
    expect(error.setting).toBe("ORIGIN_URL");
    expect(error.message).toContain("PUBLIC_URL");
  });

  it("each binding put in the place of another one", () => {
    expect(wrong({ CATALOG: bindings.BUCKET }).setting).toBe("CATALOG");
    expect(wrong({ BUCKET: bindings.CATALOG }).setting).toBe("BUCKET");
    expect(wrong({ FILL: bindings.CATALOG }).setting).toBe("FILL");
    expect(wrong({ ORIGIN: bindings.CATALOG }).setting).toBe("ORIGIN");
    expect(wrong({ KEYSTONE: "https://cloud.example" }).setting).toBe("KEYSTONE");
  });
});

describe("a right setting", () => {
  it("may be left out, all but the origin", () => {
    const { BUCKET, CATALOG, FILL } = bindings;
    expect(readSettings({ BUCKET, CATALOG, FILL, ORIGIN_URL: "http://glance.example" })).toMatchObject({
      origin: "http://glance.example",
      publicUrl: null,
      authorizationTtlMs: 0,
      imageMaxBytes: 128 * 2 ** 30,
      sliceBytes: 4 * 2 ** 20,
      objectMaxBytes: 4 * 2 ** 30,
      stallMs: 20_000,
      aloneMax: 0,
      cacheMaxBytes: 100 * 2 ** 30,
      keystone: null,
      adminRoles: ["admin"],
      serviceCredential: null,
      prefetchConcurrency: 2,
      cleanStallMs: 86_400_000,
      scrubBytes: 8 * 2 ** 30,
      notificationsUrl: null,
      serverTiming: false,
      audit: false,
      metricsToken: null,
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

  it("ORIGIN_URL may be the same as PUBLIC_URL where a binding leads to the origin", async () => {
    const url = "https://image.example";
    const ORIGIN = { fetch: async () => new Response("through the binding") } as unknown as Fetcher;
    const { origin, originFetch } = settings({ ORIGIN_URL: url, PUBLIC_URL: url, ORIGIN });
    expect(origin).toBe(url);
    expect(await (await originFetch(url)).text()).toBe("through the binding");
  });

  it("that is a number may be written as one", () => {
    const given = {
      AUTHORIZATION_TTL: 60,
      IMAGE_MAX_BYTES: 0,
      SLICE_BYTES: 65_536,
      OBJECT_MAX_BYTES: 65_536,
      STALL_SECONDS: 1,
      ALONE_MAX: 8,
      CACHE_MAX_BYTES: 1e12,
      OWNER_MAX_PERCENT: 40,
      PREFETCH_CONCURRENCY: 32,
      CLEAN_STALL_SECONDS: 5,
      SCRUB_BYTES: 0,
    };
    const asText = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
    expect(settings(given)).toEqual(settings(asText));
    expect(settings(given)).toMatchObject({ authorizationTtlMs: 60_000, cacheMaxBytes: 1e12, scrubBytes: 0 });
  });

  it.each([
    ["http://glance.example:9292/v2", "http://glance.example:9292"],
    ["http://glance.example:9292/v1/", "http://glance.example:9292"],
    ["https://cloud.example/image/v2", "https://cloud.example/image"],
    ["https://cloud.example//v2", "https://cloud.example"],
    ["https://cloud.example/image///v2.0//", "https://cloud.example/image"],
    ["https://cloud.example/image/v2.0//", "https://cloud.example/image"],
    ["https://cloud.example/image/v2.15/", "https://cloud.example/image"],
    ["https://cloud.example/image/v1.1", "https://cloud.example/image"],
    ["https://cloud.example/v2/image", "https://cloud.example/v2/image"],
    ["https://cloud.example/imagev2", "https://cloud.example/imagev2"],
    ["https://cloud.example/image/v20", "https://cloud.example/image/v20"],
    ["https://cloud.example/image/v3", "https://cloud.example/image/v3"],
  ])("ORIGIN_URL and PUBLIC_URL %s are %s: clients add the version", (value, url) => {
    expect(settings({ ORIGIN_URL: value }).origin).toBe(url);
    expect(settings({ PUBLIC_URL: value }).publicUrl).toBe(url);
  });

  it("in seconds is kept in milliseconds", () => {
    expect(settings({ AUTHORIZATION_TTL: "30" }).authorizationTtlMs).toBe(30_000);
    expect(settings({ STALL_SECONDS: "1" }).stallMs).toBe(1_000);
  });

  it.each([
    ["https://cloud.example/image", "https://cloud.example"],
    ["https://cloud.example", "https://cloud.example/glance"],
    ["http://cloud.example", "https://cloud.example"],
    ["https://cloud.example:9292", "https://cloud.example"],
  ])("ORIGIN_URL %s may be beside PUBLIC_URL %s", (ORIGIN_URL, PUBLIC_URL) => {
    expect(settings({ ORIGIN_URL, PUBLIC_URL }).origin).toBe(ORIGIN_URL);
  });

  it("may have blanks around it", () => {
    expect(settings({ IMAGE_MAX_BYTES: " 5 " }).imageMaxBytes).toBe(5);
  });

  it.each([64 * 1024, 64 * 1024 + 8, 8 * 2 ** 20])("SLICE_BYTES may be %i", (bytes) => {
    expect(settings({ SLICE_BYTES: String(bytes) }).sliceBytes).toBe(bytes);
  });

  it.each([4 * 2 ** 20, 4 * 2 ** 20 + 1, 4 * 2 ** 30])("OBJECT_MAX_BYTES may be %i", (bytes) => {
    expect(settings({ OBJECT_MAX_BYTES: String(bytes) }).objectMaxBytes).toBe(bytes);
  });
});
