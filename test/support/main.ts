/**
 * The Worker as the tests inside workerd run it: src/index.ts, with a Fill that a test can give other settings and
 * bindings than those of the configuration. The platform makes a Durable Object with the env of its Worker only.
 */

import { Fill as ConfiguredFill } from "../../src/fill/object/fill.ts";
import type { Env } from "../../src/settings.ts";
import { fillEnv } from "./fill-env.ts";

export { default } from "../../src/index.ts";

export class Fill extends ConfiguredFill {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, { ...env, ...fillEnv.changes });
  }
}
