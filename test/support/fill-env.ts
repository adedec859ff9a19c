/** What the Fills of ./main.ts that are made from now on have instead of the configuration's settings and bindings. */
import type { Env } from "../../src/config.ts";

export const fillEnv: { changes: Partial<Env> } = { changes: {} };
