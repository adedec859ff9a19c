/**
 * The configuration that wrangler deploys with: wrangler.toml, with what only this deployment knows (the database's id, the
 * place, what flags and answers said). A file of its own, which git ignores: wrangler.toml is under version control, its
 * comments would not survive being written by a program, and an account's ids belong in nobody's pull request.
 */
import type { Unstable_RawConfig as RawConfig, Unstable_RawEnvironment as RawEnvironment } from "wrangler";
import type { Target } from "./target.ts";

/** Beside wrangler.toml, so that the paths in it stay right. */
export function configFile(target: Target): string {
  return `wrangler.${target.name}.json`;
}

/** @param databaseId null: not known yet. Pure */
export function configFor(
  raw: RawConfig,
  env: string,
  {
    target,
    route,
    databaseId,
  }: { readonly target: Target; readonly route: string | null; readonly databaseId: string | null },
): RawConfig {
  const section: RawEnvironment = env === "" ? raw : (raw.env?.[env] ?? {});
  const filled: RawEnvironment = {
    ...section,
    vars: { ...section.vars, ...target.vars },
    r2_buckets: (section.r2_buckets ?? []).map((bucket) =>
      bucket.binding === "BUCKET" && "jurisdiction" in target.place
        ? { ...bucket, jurisdiction: target.place.jurisdiction }
        : bucket,
    ),
    d1_databases: (section.d1_databases ?? []).map((database) =>
      database.binding === "CATALOG" && databaseId !== null ? { ...database, database_id: databaseId } : database,
    ),
    ...(route === null ? {} : { routes: [{ pattern: route, custom_domain: true }] }),
  };
  return env === "" ? { ...raw, ...filled } : { ...raw, env: { ...raw.env, [env]: filled } };
}
