/** The bindings and settings of wrangler.toml, as the tests inside workerd get them. */
import { env } from "cloudflare:workers";
import type { Env } from "../../src/config.ts";

export const bindings = env as unknown as Env;
