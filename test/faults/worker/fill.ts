/** The Fill with harm in its bindings and in its storage. */
import { Fill as RealFill } from "../../../src/fill/object/fill.ts";
import type { FillState } from "../../../src/fill/object/state.ts";
import type { Env } from "../../../src/settings.ts";
import type { HeldFill } from "../injection.ts";
import { type Harming, harmedEnv } from "./bindings.ts";
import { clock } from "./clock.ts";
import { harmsOf, known, withOriginOf } from "./known.ts";

/** When the alarm of each object rings, by the edge's clock, ms since the epoch. */
const alarms = new WeakMap<DurableObjectState, number>();

export class Fill extends RealFill {
  readonly #real: DurableObjectStorage;

  constructor(ctx: DurableObjectState, env: Env) {
    const real = ctx.storage;
    const imageId = ctx.id.name ?? real.kv.get<FillState>("fill")?.imageId ?? "";
    const reset = () => {
      ctx.abort("reset; injected");
      throw new Error("this object is gone");
    };
    const harming: Harming = { harms: harmsOf(imageId), by: "fill", reset };
    Object.defineProperty(ctx, "storage", { value: harmedStorage(ctx, real, harming) });
    super(
      ctx,
      harmedEnv(withOriginOf(env, imageId), harming, () => known.d1Away),
    );
    this.#real = real;
  }

  /** What is on disk; null: nothing. */
  async onDisk(): Promise<HeldFill | null> {
    const state = this.#real.kv.get<FillState>("fill");
    if (state === undefined) return null;
    const { phase, tombstones, leftAloneUntil } = state;
    const slices = phase.is === "kept" ? phase.slices : phase.is !== "idle";
    return { phase: phase.is, slices, tombstones: tombstones.length, leftAloneUntil };
  }

  /** All memory is gone, as after an eviction. */
  async reset(): Promise<void> {
    this.ctx.abort("reset by the test");
  }

  /** The clock has jumped: what is due by now rings now. */
  async clockJumped(): Promise<void> {
    const at = alarms.get(this.ctx);
    if (at !== undefined && (await this.#real.getAlarm()) !== null) await this.#real.setAlarm(clock.toReal(at));
  }
}

function harmedStorage(ctx: DurableObjectState, real: DurableObjectStorage, harming: Harming): DurableObjectStorage {
  const { harms, by, reset } = harming;
  const call = { on: "storage", by } as const;
  const sync = <T>(run: () => T) => harms.aroundSync(call, reset, run);
  const waited = <T>(run: () => Promise<T>) => harms.around(call, reset, run, (answer) => answer);
  const replaced: Record<string, unknown> = {
    kv: {
      get: (key: string) => sync(() => real.kv.get(key)),
      put: (key: string, value: unknown) => sync(() => real.kv.put(key, value)),
    },
    setAlarm: (at: number) => {
      alarms.set(ctx, at);
      return waited(() => real.setAlarm(clock.toReal(at)));
    },
    sync: () => waited(() => real.sync()),
    deleteAll: () => waited(() => real.deleteAll()),
  };
  return replaced as unknown as DurableObjectStorage;
}
