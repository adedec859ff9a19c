/**
 * The settings of the edge, read from `[vars]`, secrets and bindings and checked in this one place, so that a wrong
 * one gives one clear error that names it, and no other code has to doubt a setting.
 */
/** What wrangler.toml binds. Everything is checked by {@link readSettings} before it is used. */
export interface Env {
  readonly BUCKET: R2Bucket;
  readonly CATALOG: D1Database;
  readonly FILL: DurableObjectNamespace;
  readonly ORIGIN_URL?: string;
  readonly PUBLIC_URL?: string;
  readonly AUTHORIZATION_TTL?: string;
  readonly IMAGE_MAX_BYTES?: string;
  readonly SLICE_BYTES?: string;
  readonly STALL_SECONDS?: string;
}

export interface Settings {
  /** Glance's endpoint, without a trailing slash; may have a path. */
  readonly origin: string;
  /** The edge's own base URL without a trailing slash, or null: taken from each request. */
  readonly publicUrl: string | null;
  readonly authorizationTtlMs: number;
  readonly imageMaxBytes: number;
  readonly sliceBytes: number;
  readonly stallMs: number;
}

/** A setting that the operator has to mend. Its message is meant for the operator and holds no secret. */
export class SettingError extends Error {
  override readonly name = "SettingError";
  readonly setting: string;

  constructor(setting: string, problem: string) {
    super(`${setting} ${problem}`);
    this.setting = setting;
  }
}

const GIB = 2 ** 30;
const DEFAULT_IMAGE_MAX_BYTES = 32 * GIB;
const DEFAULT_SLICE_BYTES = 8 * 2 ** 20;
const DEFAULT_STALL_SECONDS = 20;
/** Three slice buffers of a puller must stay within 32 MiB, an isolate within 128 MB (Workers limits page). */
const MAX_SLICE_BYTES = 8 * 2 ** 20;
/** Below this the per-slice cost (one R2 operation, one report) outweighs the data. */
const MIN_SLICE_BYTES = 64 * 2 ** 10;

/** @throws SettingError naming the first setting that is missing or wrong. */
export function readSettings(env: Env): Settings {
  requireBinding(env, "BUCKET", "an R2 bucket", "get");
  requireBinding(env, "CATALOG", "a D1 database", "prepare");
  requireBinding(env, "FILL", "a Durable Object namespace", "idFromName");
  const origin = readUrl("ORIGIN_URL", env.ORIGIN_URL);
  if (origin === null) throw new SettingError("ORIGIN_URL", "is not set: it must be the URL of the Glance endpoint");
  const sliceBytes = readWhole("SLICE_BYTES", env.SLICE_BYTES, DEFAULT_SLICE_BYTES);
  if (sliceBytes < MIN_SLICE_BYTES || sliceBytes > MAX_SLICE_BYTES || sliceBytes % 8 !== 0) {
    throw new SettingError("SLICE_BYTES", `must be a multiple of 8 from ${MIN_SLICE_BYTES} to ${MAX_SLICE_BYTES}`);
  }
  const stallSeconds = readWhole("STALL_SECONDS", env.STALL_SECONDS, DEFAULT_STALL_SECONDS);
  if (stallSeconds === 0) throw new SettingError("STALL_SECONDS", "must be at least 1");
  return {
    origin,
    publicUrl: readUrl("PUBLIC_URL", env.PUBLIC_URL),
    authorizationTtlMs: readWhole("AUTHORIZATION_TTL", env.AUTHORIZATION_TTL, 0) * 1000,
    imageMaxBytes: readWhole("IMAGE_MAX_BYTES", env.IMAGE_MAX_BYTES, DEFAULT_IMAGE_MAX_BYTES),
    sliceBytes,
    stallMs: stallSeconds * 1000,
  };
}

function requireBinding(env: Env, name: "BUCKET" | "CATALOG" | "FILL", kind: string, method: string): void {
  // The runtime hands over whatever wrangler.toml binds, whatever Env says: looked at as unknown on purpose.
  const bound: unknown = env[name];
  if (typeof bound !== "object" || bound === null || !(method in bound)) {
    throw new SettingError(name, `is not bound: wrangler.toml must bind ${kind} under this name`);
  }
}

function readUrl(name: string, value: string | undefined): string | null {
  if (value === undefined || value.trim() === "") return null;
  if (!URL.canParse(value)) throw new SettingError(name, "is not a URL");
  const url = new URL(value);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new SettingError(name, "must be http or https");
  if (url.username !== "" || url.password !== "") throw new SettingError(name, "must not hold credentials");
  if (url.search !== "" || url.hash !== "") throw new SettingError(name, "must not have a query or a fragment");
  return (url.origin + url.pathname).replace(/\/+$/, "");
}

function readWhole(name: string, value: string | undefined, fallback: number): number {
  if (value === undefined || value.trim() === "") return fallback;
  const number = /^\d+$/.test(value.trim()) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new SettingError(name, "must be a whole number, 0 or more");
  return number;
}
