/** The bindings and settings of wrangler.toml, as the tests inside workerd get them. */
import { env } from "cloudflare:workers";
import type { Env } from "../../src/settings.ts";

export const bindings = env as unknown as Env & { readonly ORIGIN_URL: string };

/** The control of this workerd's demo origin, without /_demo. */
export const { CONTROL_URL } = env as unknown as { readonly CONTROL_URL: string };
