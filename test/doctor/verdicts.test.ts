/** What the doctor concludes from what it has seen, and how it is told what to look at. */
import { describe, expect, it } from "vitest";
import { imageEndpoints, uploadsGoRound } from "../../scripts/doctor/catalog.ts";
import type { ImageRecord } from "../../scripts/doctor/images.ts";
import { hitsAreFaster, linesDiffer } from "../../scripts/doctor/line.ts";
import { novaAsks, novaDownloads } from "../../scripts/doctor/nova-conf.ts";
import { readOptions, UsageError } from "../../scripts/doctor/options.ts";
import { readBytes, sayBytes } from "../../scripts/doctor/units.ts";

const SETTINGS = 'CACHE_MAX_BYTES = "1000"\nIMAGE_MAX_BYTES = "400"\n';
const EDGE = "https://image.example";

const record = (url: string | null): ImageRecord => ({
  id: "i",
  name: null,
  status: "active",
  size: 1,
  os_hash_algo: null,
  os_hash_value: null,
  checksum: null,
  direct_url: url,
  locations: [],
});

describe("Nova downloads images", () => {
  it.each([
    ["an empty file", "", null, "YES"],
    ["files of its own", "[libvirt]\nimages_type = qcow2\n", null, "YES"],
    ["Ceph, with no location to be seen", "[libvirt]\nimages_type=rbd", null, "UNKNOWN"],
    ["Ceph, and Glance shows where it has the image", "[libvirt]\nimages_type = rbd", "rbd://f/p/i/snap", "NO"],
    ["Ceph, and Glance has the image elsewhere", "[libvirt]\nimages_type = rbd", "file:///i", "UNKNOWN"],
    ["Ceph, into which Glance copies", "[libvirt]\nimages_type = rbd\nimages_rbd_glance_store_name = far", null, "NO"],
    ["a read from Ceph", "[glance]\nenable_rbd_download = True", null, "NO"],
    ["a comment", "[libvirt]\n# images_type = rbd", null, "YES"],
    ["another section", "[other]\nimages_type = rbd", null, "YES"],
  ])("by nova.conf with %s", (_, conf, url, verdict) => {
    expect(novaDownloads(conf, [record(url)]).verdict).toBe(verdict);
  });

  it("or not is unknown without nova.conf", () => {
    expect(novaDownloads(null, []).verdict).toBe("UNKNOWN");
  });

  it.each([
    ["[glance]\napi_servers = https://image.example", "YES"],
    ["[glance]\napi_servers = http://10.0.0.1:9292", "UNKNOWN"],
    ["[glance]\nendpoint_override = https://image.example\napi_servers = http://10.0.0.1:9292", "YES"],
    ["[glance]\nregion_name = a", undefined],
  ])("from where nova.conf says: %j", (conf, verdict) => {
    expect(novaAsks(conf, EDGE)?.verdict).toBe(verdict);
  });
});

describe("a hit is faster than Glance", () => {
  const large = 100 * 2 ** 20;
  it.each([
    [{ bytes: large, ms: 1_000 }, { bytes: large, ms: 8_000 }, "YES"],
    [{ bytes: large, ms: 8_000 }, { bytes: large, ms: 1_000 }, "NO"],
    [{ bytes: 1000, ms: 8_000 }, { bytes: 1000, ms: 1_000 }, "UNKNOWN"],
    [{ bytes: large, ms: 8_000 }, null, "UNKNOWN"],
  ])("%j, %j: %s", (hit, glance, verdict) => {
    expect(hitsAreFaster(hit, glance).verdict).toBe(verdict);
  });
});

it.each([
  [100, 1000, "YES"],
  [1000, 100, "NO"],
  [1000, 1000, "NO"],
  [null, 1000, "UNKNOWN"],
])("an origin with %s Mbit/s and a site with %s: the edge helps? %s", (origin, site, verdict) => {
  expect(linesDiffer(origin, site).verdict).toBe(verdict);
});

describe("the catalogue", () => {
  const endpoint = (name: string, url: string, region_id = "one") => ({ interface: name, url, region_id });
  const document = (...endpoints: unknown[]) => ({ token: { catalog: [{ type: "image", endpoints }] } });

  it("is read for one region, without versions, and without what is no endpoint", () => {
    const given = document(endpoint("public", `${EDGE}/v2/`), endpoint("public", "https://b.example", "two"), {
      url: 1,
    });
    expect(imageEndpoints(given, "one")).toEqual([{ interface: "public", url: EDGE }]);
    expect(imageEndpoints(given, null)).toHaveLength(2);
    expect(imageEndpoints({ token: {} }, null)).toBeNull();
  });

  it("lets uploads go round the edge by an interface of their own", () => {
    const both = [
      { interface: "public", url: EDGE },
      { interface: "internal", url: "http://10.0.0.1:9292" },
    ];
    expect(uploadsGoRound(EDGE, both)).toMatchObject({ verdict: "YES", seen: "internal http://10.0.0.1:9292" });
    expect(uploadsGoRound(EDGE, both.slice(0, 1)).verdict).toBe("NO");
    expect(uploadsGoRound(EDGE, []).verdict).toBe("NO");
    expect(uploadsGoRound(EDGE, null).verdict).toBe("UNKNOWN");
  });
});

describe("the command line", () => {
  it("takes its limits from wrangler.toml, unless they are given", () => {
    expect(readOptions([], {}, SETTINGS)).toMatchObject({ edge: null, cap: 1000, imageMax: 400 });
    expect(readOptions([`${EDGE}/v2/`, "--cap", "2GiB"], {}, SETTINGS)).toMatchObject({ edge: EDGE, cap: 2 ** 31 });
  });

  it.each([["a", "b"], ["ftp://a"], ["image.example"], ["--cap", "much"], ["--site-mbit", "0"], ["--unknown"]])(
    "refuses %s %s",
    (...args) => {
      expect(() => readOptions(args, {}, SETTINGS)).toThrow(UsageError);
    },
  );

  it.each([
    ["a token", { OS_TOKEN: "t" }, { token: "t", logIn: null }],
    ["nothing", { OS_PASSWORD: "" }, { token: null, logIn: null }],
    [
      "an application credential",
      { OS_APPLICATION_CREDENTIAL_ID: "i", OS_APPLICATION_CREDENTIAL_SECRET: "s" },
      {
        logIn: { identity: { methods: ["application_credential"], application_credential: { id: "i", secret: "s" } } },
      },
    ],
    [
      "a password, for a project",
      { OS_USERNAME: "u", OS_PASSWORD: "p", OS_PROJECT_NAME: "x", OS_PROJECT_DOMAIN_ID: "d" },
      {
        logIn: {
          identity: {
            methods: ["password"],
            password: { user: { name: "u", domain: { name: "Default" }, password: "p" } },
          },
          scope: { project: { name: "x", domain: { id: "d" } } },
        },
      },
    ],
  ])("asks as who has %s", (_, env, account) => {
    expect(readOptions([], env, SETTINGS).account).toMatchObject(account);
  });

  it("takes OS_AUTH_URL with and without its version", () => {
    for (const url of ["https://k.example/identity", "https://k.example/identity/v3/"]) {
      expect(readOptions([], { OS_AUTH_URL: url }, SETTINGS).account.keystone).toBe("https://k.example/identity/v3");
    }
  });
});

it("amounts are read and said in binary units", () => {
  expect([readBytes("10"), readBytes("2 MiB"), readBytes("1TiB"), readBytes("1 GB")]).toEqual([
    10,
    2 ** 21,
    2 ** 40,
    null,
  ]);
  expect([sayBytes(0), sayBytes(1000), sayBytes(3 * 2 ** 20), sayBytes(1.5 * 2 ** 30)]).toEqual([
    "0 bytes",
    "1000 bytes",
    "3 MiB",
    "1.5 GiB",
  ]);
});
