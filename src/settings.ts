/**
 * The settings of the edge, read from `[vars]`, secrets and bindings and checked in this one place, so that a wrong
 * one gives one clear error that names it, and no other code has to doubt a setting.
 */

import { type Endpoint, type Fetch, fetchBy } from "./lib/fetch.ts";
import {
  readAboveZero,
  readChoice,
  readSwitch,
  readText,
  readUrl,
  readWhole,
  SettingError,
} from "./lib/read-setting.ts";
import { readSelection, type Selection } from "./lib/selection.ts";

/** What wrangler.toml binds. Everything is checked by {@link readSettings} before it is used. */
export interface Env {
  readonly BUCKET: R2Bucket;
  readonly CATALOG: D1Database;
  readonly FILL: DurableObjectNamespace;
  readonly ORIGIN_URL?: string;
  readonly PUBLIC_URL?: string;
  readonly AUTHORIZATION_TTL?: string | number;
  readonly IMAGE_MAX_BYTES?: string | number;
  readonly SLICE_BYTES?: string | number;
  readonly OBJECT_MAX_BYTES?: string | number;
  readonly STALL_SECONDS?: string | number;
  readonly ALONE_MAX?: string | number;
  readonly CACHE_MAX_BYTES?: string | number;
  readonly OWNER_MAX_PERCENT?: string | number;
  readonly CACHE_IMAGES?: string;
  readonly PIN_IMAGES?: string;
  readonly PREFETCH_IMAGES?: string;
  readonly KEYSTONE_URL?: string;
  readonly ADMIN_ROLES?: string;
  /** A secret, and so is the next one: `npx wrangler secret put`. */
  readonly OS_APPLICATION_CREDENTIAL_ID?: string;
  readonly OS_APPLICATION_CREDENTIAL_SECRET?: string;
  readonly PREFETCH_CONCURRENCY?: string | number;
  readonly CLEAN_STALL_SECONDS?: string | number;
  readonly SCRUB_BYTES?: string | number;
  /** A Cloudflare Queue; optional. */
  readonly NOTIFICATIONS?: Queue;
  /** The files of the page at /edge/; without them there is only its API. */
  readonly ASSETS?: Fetcher;
  /** A rate limit; optional. */
  readonly LOGIN_LIMIT?: RateLimit;
  /** The way to the origin where it is not on the internet: whatever has a `fetch`; optional. */
  readonly ORIGIN?: Fetcher;
  /** The same, to Keystone. */
  readonly KEYSTONE?: Fetcher;
  readonly NOTIFICATIONS_URL?: string;
  readonly LOCATION?: string;
  readonly JURISDICTION?: string;
  readonly SERVER_TIMING?: string | number;
  readonly AUDIT?: string | number;
  /** A secret. */
  readonly METRICS_TOKEN?: string;
}

export interface Settings {
  /** Glance's endpoint, without a trailing slash; may have a path. */
  readonly origin: string;
  readonly originFetch: Fetch;
  /** The edge's own base URL without a trailing slash, or null: taken from each request. */
  readonly publicUrl: string | null;
  readonly authorizationTtlMs: number;
  readonly imageMaxBytes: number;
  readonly sliceBytes: number;
  /** Larger images are kept in parts of about this size. */
  readonly objectMaxBytes: number;
  /** An origin that sends nothing for so long has stalled. */
  readonly stallMs: number;
  /** Downloads of one isolate that may go to the origin by themselves at a time. 0: no bound. */
  readonly aloneMax: number;
  /** Room for stored images, those being stored included. 0: nothing is stored. */
  readonly cacheMaxBytes: number;
  /** What of it the images of one project may have. */
  readonly ownerMaxBytes: number;
  /** Images that may be stored; null: all. */
  readonly cacheImages: Selection | null;
  /** Images that go last when room is needed. */
  readonly pinImages: Selection;
  /** Images that are fetched as soon as they are active, without a client. */
  readonly prefetchImages: Selection;
  /** Keystone's v3 API, or null: no cache management. */
  readonly keystone: Endpoint | null;
  /** Names of Keystone roles that may manage the cache. At least one. */
  readonly adminRoles: readonly string[];
  /** The edge's own account, for what nobody waits for; null: it has none. */
  readonly serviceCredential: ServiceCredential | null;
  /** How many queued images are fetched at the same time. At least 1. */
  readonly prefetchConcurrency: number;
  /** An unfinished fill without progress for so long is dropped. */
  readonly cleanStallMs: number;
  /** How much of the store one scrub reads. */
  readonly scrubBytes: number;
  /** Where the queue's consumer posts notifications; may hold credentials and a query. */
  readonly notificationsUrl: string | null;
  readonly place: Place;
  /** Whether downloads say in Server-Timing what they waited for. */
  readonly serverTiming: boolean;
  /** Whether the log says whose each download was. */
  readonly audit: boolean;
  /** A Bearer token that may read the metrics beside administrators; null: there is none. */
  readonly metricsToken: string | null;
}

/** Where Fills are made, beside their bucket and database; null, null: near whom the first download is for. */
export interface Place {
  /** A hint. */
  readonly location: DurableObjectLocationHint | null;
  /** A must. */
  readonly jurisdiction: DurableObjectJurisdiction | null;
}

/** An application credential of Keystone. */
export interface ServiceCredential {
  readonly id: string;
  readonly secret: string;
}

/** What R2, D1 and Durable Objects all know. */
const LOCATIONS = ["weur", "eeur", "apac", "oc", "wnam", "enam"] as const;
const JURISDICTIONS = ["eu", "fedramp"] as const;

const GIB = 2 ** 30;
/** RAW images in front of Ceph have 20 to 60 GiB. */
const DEFAULT_IMAGE_MAX_BYTES = 128 * GIB;
/** Measured: 4 and 8 MiB are equally fast, and 4 hold half the memory. */
const DEFAULT_SLICE_BYTES = 4 * 2 ** 20;
/** One put takes 4.995 GiB (R2 limits page). */
const DEFAULT_OBJECT_MAX_BYTES = 4 * GIB;
const DEFAULT_STALL_SECONDS = 20;
/** About 1.60 dollars a month (R2 pricing page, 0.015 dollars per GB-month). */
const DEFAULT_CACHE_MAX_BYTES = 100 * GIB;
const DEFAULT_PREFETCH_CONCURRENCY = 2;
/** Each fill is one Durable Object that holds three slice buffers; more of them share the origin's link, not the object. */
const MAX_PREFETCH_CONCURRENCY = 32;
/** Glance's `image_cache_stall_time` (glance/image_cache/__init__.py). */
const DEFAULT_CLEAN_STALL_SECONDS = 86_400;
/** At 4.4 CPU seconds per GiB (SHA-512) about 35 of the 300 that one invocation may use. */
const DEFAULT_SCRUB_BYTES = 8 * GIB;
/** Three slice buffers of a puller must stay within 32 MiB, an isolate within 128 MB (Workers limits page). */
const MAX_SLICE_BYTES = 8 * 2 ** 20;
/** Below this the per-slice cost (one R2 operation, one report) outweighs the data. */
const MIN_SLICE_BYTES = 64 * 2 ** 10;

/** @throws SettingError naming the first setting that is missing or wrong. */
export function readSettings(env: Env): Settings {
  requireBinding(env, "BUCKET", "an R2 bucket", "get");
  requireBinding(env, "CATALOG", "a D1 database", "prepare");
  requireBinding(env, "FILL", "a Durable Object namespace", "idFromName");
  if (env.NOTIFICATIONS !== undefined) requireBinding(env, "NOTIFICATIONS", "a queue to produce for", "send");
  if (env.ASSETS !== undefined) requireBinding(env, "ASSETS", "the page's static assets", "fetch");
  if (env.LOGIN_LIMIT !== undefined) requireBinding(env, "LOGIN_LIMIT", "a rate limit", "limit");
  if (env.ORIGIN !== undefined) requireBinding(env, "ORIGIN", "the way to the origin", "fetch");
  if (env.KEYSTONE !== undefined) requireBinding(env, "KEYSTONE", "the way to Keystone", "fetch");
  const origin = readEndpoint("ORIGIN_URL", env.ORIGIN_URL);
  if (origin === null) throw new SettingError("ORIGIN_URL", "is not set: it must be the URL of the Glance endpoint");
  const publicUrl = readEndpoint("PUBLIC_URL", env.PUBLIC_URL);
  // Through a binding the same name leads elsewhere.
  if (origin === publicUrl && env.ORIGIN === undefined) {
    throw new SettingError(
      "ORIGIN_URL",
      "is the same as PUBLIC_URL: the edge would ask itself; Glance needs another address",
    );
  }
  const sliceBytes = readWhole("SLICE_BYTES", env.SLICE_BYTES, DEFAULT_SLICE_BYTES);
  if (sliceBytes < MIN_SLICE_BYTES || sliceBytes > MAX_SLICE_BYTES || sliceBytes % 8 !== 0) {
    throw new SettingError("SLICE_BYTES", `must be a multiple of 8 from ${MIN_SLICE_BYTES} to ${MAX_SLICE_BYTES}`);
  }
  const prefetchConcurrency = readWhole("PREFETCH_CONCURRENCY", env.PREFETCH_CONCURRENCY, DEFAULT_PREFETCH_CONCURRENCY);
  if (prefetchConcurrency < 1 || prefetchConcurrency > MAX_PREFETCH_CONCURRENCY) {
    throw new SettingError("PREFETCH_CONCURRENCY", `must be from 1 to ${MAX_PREFETCH_CONCURRENCY}`);
  }
  const objectMaxBytes = readWhole("OBJECT_MAX_BYTES", env.OBJECT_MAX_BYTES, DEFAULT_OBJECT_MAX_BYTES);
  if (objectMaxBytes < sliceBytes || objectMaxBytes > DEFAULT_OBJECT_MAX_BYTES) {
    throw new SettingError("OBJECT_MAX_BYTES", `must be from SLICE_BYTES to ${DEFAULT_OBJECT_MAX_BYTES}`);
  }
  const keystoneUrl = readKeystone(env.KEYSTONE_URL);
  const cacheMaxBytes = readWhole("CACHE_MAX_BYTES", env.CACHE_MAX_BYTES, DEFAULT_CACHE_MAX_BYTES);
  const ownerPercent = readWhole("OWNER_MAX_PERCENT", env.OWNER_MAX_PERCENT, 100);
  if (ownerPercent < 1 || ownerPercent > 100) throw new SettingError("OWNER_MAX_PERCENT", "must be from 1 to 100");
  return {
    origin,
    originFetch: fetchBy(env.ORIGIN),
    publicUrl,
    authorizationTtlMs: readWhole("AUTHORIZATION_TTL", env.AUTHORIZATION_TTL, 0) * 1000,
    imageMaxBytes: readWhole("IMAGE_MAX_BYTES", env.IMAGE_MAX_BYTES, DEFAULT_IMAGE_MAX_BYTES),
    sliceBytes,
    objectMaxBytes,
    stallMs: readAboveZero("STALL_SECONDS", env.STALL_SECONDS, DEFAULT_STALL_SECONDS) * 1000,
    aloneMax: readWhole("ALONE_MAX", env.ALONE_MAX, 0),
    cacheMaxBytes,
    // Divided first: a cap may be as large as a number can be told exactly.
    ownerMaxBytes: ownerPercent === 100 ? cacheMaxBytes : Math.floor((cacheMaxBytes / 100) * ownerPercent),
    cacheImages: readSelection("CACHE_IMAGES", env.CACHE_IMAGES),
    pinImages: readSelection("PIN_IMAGES", env.PIN_IMAGES) ?? [],
    prefetchImages: readSelection("PREFETCH_IMAGES", env.PREFETCH_IMAGES) ?? [],
    keystone: keystoneUrl === null ? null : { url: keystoneUrl, fetch: fetchBy(env.KEYSTONE) },
    adminRoles: readRoles(env.ADMIN_ROLES),
    serviceCredential: readCredential(env),
    prefetchConcurrency,
    cleanStallMs: readAboveZero("CLEAN_STALL_SECONDS", env.CLEAN_STALL_SECONDS, DEFAULT_CLEAN_STALL_SECONDS) * 1000,
    scrubBytes: readWhole("SCRUB_BYTES", env.SCRUB_BYTES, DEFAULT_SCRUB_BYTES),
    notificationsUrl: readNotificationsUrl(env.NOTIFICATIONS_URL),
    place: readPlace(env),
    serverTiming: readSwitch("SERVER_TIMING", env.SERVER_TIMING),
    audit: readSwitch("AUDIT", env.AUDIT),
    metricsToken: readMetricsToken(env.METRICS_TOKEN),
  };
}

/** Glance's base URL or the edge's in its place; operators write them with and without the version (`/v2`, `/v2.0`). */
function readEndpoint(name: string, value: unknown): string | null {
  return readUrl(name, value)?.replace(/\/+v[12](\.\d+)?$/, "") ?? null;
}

/** Keystone's base URL; operators write it with and without the version. */
function readKeystone(value: unknown): string | null {
  const url = readUrl("KEYSTONE_URL", value);
  return url === null || url.endsWith("/v3") ? url : `${url}/v3`;
}

function readRoles(value: unknown): string[] {
  const roles = (readText("ADMIN_ROLES", value) || "admin")
    .split(",")
    .map((role) => role.trim())
    .filter((role) => role !== "");
  if (roles.length === 0) throw new SettingError("ADMIN_ROLES", "must name at least one role");
  return roles;
}

function readPlace(env: Env): Place {
  const location = readChoice("LOCATION", env.LOCATION, LOCATIONS);
  const jurisdiction = readChoice("JURISDICTION", env.JURISDICTION, JURISDICTIONS);
  if (location !== null && jurisdiction !== null) {
    throw new SettingError("LOCATION", "must be empty where JURISDICTION is set, which decides alone");
  }
  return { location, jurisdiction };
}

function readCredential(env: Env): ServiceCredential | null {
  const id = readText("OS_APPLICATION_CREDENTIAL_ID", env.OS_APPLICATION_CREDENTIAL_ID);
  const secret = readText("OS_APPLICATION_CREDENTIAL_SECRET", env.OS_APPLICATION_CREDENTIAL_SECRET);
  if (id === "" && secret === "") return null;
  if (id === "") throw new SettingError("OS_APPLICATION_CREDENTIAL_ID", "is not set, but its secret is");
  if (secret === "") throw new SettingError("OS_APPLICATION_CREDENTIAL_SECRET", "is not set, but its id is");
  if (readKeystone(env.KEYSTONE_URL) === null) {
    throw new SettingError("KEYSTONE_URL", "is not set, but OS_APPLICATION_CREDENTIAL_ID needs it");
  }
  return { id, secret };
}

function readNotificationsUrl(value: unknown): string | null {
  const text = readText("NOTIFICATIONS_URL", value);
  if (text === "") return null;
  if (!URL.canParse(text)) throw new SettingError("NOTIFICATIONS_URL", "is not a URL");
  const { protocol, username, password } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:")
    throw new SettingError("NOTIFICATIONS_URL", "must be http or https");
  try {
    decodeURIComponent(username + password);
  } catch {
    throw new SettingError("NOTIFICATIONS_URL", "has a user or password that is not percent-encoded as UTF-8");
  }
  return text;
}

/** Short ones can be guessed. */
const MIN_METRICS_TOKEN = 16;

function readMetricsToken(value: unknown): string | null {
  const token = readText("METRICS_TOKEN", value);
  if (token === "") return null;
  // As RFC 6750 section 2.1 writes a Bearer token.
  if (token.length < MIN_METRICS_TOKEN || !/^[A-Za-z0-9._~+/-]+=*$/.test(token)) {
    throw new SettingError("METRICS_TOKEN", `must be ${MIN_METRICS_TOKEN} or more letters, digits, or of -._~+/`);
  }
  return token;
}

function requireBinding(
  env: Env,
  name: "BUCKET" | "CATALOG" | "FILL" | "NOTIFICATIONS" | "ASSETS" | "LOGIN_LIMIT" | "ORIGIN" | "KEYSTONE",
  kind: string,
  method: string,
): void {
  // The runtime hands over whatever wrangler.toml binds, whatever Env says: looked at as unknown on purpose.
  const bound: unknown = env[name];
  if (typeof bound !== "object" || bound === null || !(method in bound)) {
    throw new SettingError(name, `is not bound: wrangler.toml must bind ${kind} under this name`);
  }
}
