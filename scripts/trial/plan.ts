/** What a trial is made of: names, and what wrangler is told of its two Workers. Pure. */
import type { Unstable_RawConfig as RawConfig } from "wrangler";

export interface Trial {
  /** Of the edge's Worker, its bucket and its database. */
  readonly name: string;
  readonly originName: string;
  /** Good at the made-up Glance alone. */
  readonly token: string;
  /** Reads the edge's metrics. */
  readonly metricsToken: string;
  readonly size: number;
  readonly sha512: string;
  readonly slowSeconds: number;
}

const PREFIX = "glance-edge-trial-";

export function trialNames(suffix: string): { readonly name: string; readonly originName: string } {
  return { name: `${PREFIX}${suffix}`, originName: `${PREFIX}${suffix}-origin` };
}

/** Of the configuration: a trial has an address of its own, and the ways of a binding lead to the operator's own Glance. */
const NOT_TRIED = ["routes", "route", "env", "queues", "ratelimits", "services", "vpc_services", "mtls_certificates"];

/** wrangler.toml, under other names, on workers.dev and without what would work beside the trial. */
export function edgeConfig(
  raw: RawConfig,
  { name, metricsToken }: Trial,
  vars: Readonly<Record<string, string>>,
): RawConfig {
  return {
    ...without(raw, NOT_TRIED),
    name,
    workers_dev: true,
    // On workers.dev one Worker does not reach another otherwise.
    compatibility_flags: [...(raw.compatibility_flags ?? []), "global_fetch_strictly_public"],
    triggers: { crons: [] },
    // What is stored at all is the operator's choice of images, and the made-up one is none of them.
    vars: { ...raw.vars, CACHE_IMAGES: "", ...vars, METRICS_TOKEN: metricsToken },
    r2_buckets: (raw.r2_buckets ?? []).map((bucket) => ({ ...bucket, bucket_name: name })),
    d1_databases: (raw.d1_databases ?? []).map((database) => ({ ...database, database_name: name })),
  };
}

function without(raw: RawConfig, names: readonly string[]): RawConfig {
  return Object.fromEntries(Object.entries(raw).filter(([name]) => !names.includes(name)));
}

export function originConfig(raw: RawConfig, trial: Trial, jurisdiction: string | undefined): RawConfig {
  const { name, originName, token, size, sha512, slowSeconds } = trial;
  return {
    name: originName,
    main: "scripts/trial/worker/origin.ts",
    ...(raw.compatibility_date === undefined ? {} : { compatibility_date: raw.compatibility_date }),
    workers_dev: true,
    vars: { TOKEN: token, SIZE: String(size), SHA512: sha512, SLOW_SECONDS: String(slowSeconds) },
    r2_buckets: [{ binding: "BUCKET", bucket_name: name, ...(jurisdiction === undefined ? {} : { jurisdiction }) }],
  };
}
