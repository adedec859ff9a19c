/** The edges of an invocation: one that most runs share, and some that a run has for itself. */
import { type DemoOrigin, startDemoOrigin } from "../../demo/origin.ts";
import { Lane } from "./lane.ts";
import type { Plan } from "./plan.ts";
import { type RunResult, run } from "./run.ts";

/** Of one invocation: each image has a namespace at the origin. To drop it would cut connections that others' requests use by then. */
const MAX_RUNS = 100_000;
/** Runs under way on the shared edge: most of a run is waiting. */
const SHARED_AT_ONCE = 16;
/** Edges for runs that need one of their own. */
const OWN = 3;

export class Fleet {
  readonly #script: string;
  readonly #origin: DemoOrigin;
  readonly #shared: Lane;
  readonly #own: Lane[] = [];
  readonly #free: Lane[] = [];

  static async start(script: string): Promise<Fleet> {
    const origin = await startDemoOrigin({ maxNamespaces: MAX_RUNS });
    return new Fleet(script, origin, await Lane.start(script, origin.url));
  }

  private constructor(script: string, origin: DemoOrigin, shared: Lane) {
    this.#script = script;
    this.#origin = origin;
    this.#shared = shared;
  }

  /** Runs all of them, some at a time, in their order. @param ended told of each; whether more are wanted */
  async runAll(plans: Iterable<Plan>, ended: (result: RunResult) => boolean): Promise<void> {
    const shared: Plan[] = [];
    const alone: Plan[] = [];
    for (const plan of plans) (plan.alone ? alone : shared).push(plan);
    const work = async (left: Plan[], runOne: (plan: Plan) => Promise<RunResult>) => {
      for (let plan = left.shift(); plan !== undefined; plan = left.shift()) {
        if (ended(await runOne(plan))) continue;
        shared.length = 0;
        alone.length = 0;
      }
    };
    await Promise.all([
      ...Array.from({ length: SHARED_AT_ONCE }, () => work(shared, (plan) => runOn(this.#shared, plan, this.#origin))),
      ...Array.from({ length: OWN }, () => work(alone, (plan) => this.#runAlone(plan))),
    ]);
  }

  async run(plan: Plan): Promise<RunResult> {
    return plan.alone ? this.#runAlone(plan) : runOn(this.#shared, plan, this.#origin);
  }

  /** What is left in the stores behind all runs: nothing may be. */
  async leftovers(): Promise<string[]> {
    const left: string[] = [];
    for (const lane of [this.#shared, ...this.#own]) {
      const { keys, ...rows } = await lane.sums();
      if (keys.length > 0 || Object.values(rows).some((count) => count > 0))
        left.push(JSON.stringify({ keys, ...rows }));
    }
    return left;
  }

  async end(): Promise<void> {
    await Promise.all([this.#shared, ...this.#own].map((lane) => lane.end()));
    await this.#origin.close();
  }

  async #runAlone(plan: Plan): Promise<RunResult> {
    let lane = this.#free.pop();
    if (lane === undefined) {
      lane = await Lane.start(this.#script, this.#origin.url);
      this.#own.push(lane);
    }
    const result = await runOn(lane, plan, this.#origin);
    this.#free.push(lane);
    return result;
  }
}

/** A runner that fails itself has found something as well. Never rejects. */
async function runOn(lane: Lane, plan: Plan, origin: DemoOrigin): Promise<RunResult> {
  try {
    return await run(plan, lane, origin);
  } catch (cause) {
    const failure = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    return {
      plan,
      failures: [`the run broke off: ${failure}`],
      reached: [],
      busy: false,
      slowest: 0,
      ms: 0,
      clients: [],
      lines: [],
    };
  }
}
