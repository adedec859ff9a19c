/** What a trial works with, wherever it takes place. */
import type { Unstable_RawConfig as RawConfig } from "wrangler";
import type { Trial } from "./plan.ts";
import type { Undo } from "./undo.ts";

export interface TrialTools {
  readonly trial: Trial;
  /** wrangler.toml */
  readonly raw: RawConfig;
  readonly undo: Undo;
  /** Writes a configuration for wrangler, which goes with the trial. @returns its path */
  readonly writeConfig: (config: RawConfig) => Promise<string>;
  readonly say: (line: string) => void;
}
