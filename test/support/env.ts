/** The bindings and settings of wrangler.toml, as the tests inside workerd get them. */
import { env } from "cloudflare:workers";
import type { Env } from "../../src/settings.ts";

export const bindings = env as unknown as Env;
