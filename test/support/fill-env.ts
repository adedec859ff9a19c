/** What the Fills of ./main.ts that are made from now on have instead of the configuration's settings and bindings. */
import type { Env } from "../../src/settings.ts";

/** A test that is not about stalls has none, however busy the machine is. */
export const CALM: Partial<Env> = { STALL_SECONDS: "60" };

export const fillEnv: { changes: Partial<Env> } = { changes: CALM };
