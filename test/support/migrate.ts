/** Applies the catalog's migrations to the local D1 of each test file. */
import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";

const bound = env as unknown as { readonly CATALOG: D1Database; readonly MIGRATIONS: D1Migration[] };
await applyD1Migrations(bound.CATALOG, bound.MIGRATIONS);
