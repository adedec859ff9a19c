/** Harms calls of one image as its registration says. Counts live as long as the isolate. */
import type { Called, Injection, Registration } from "../injection.ts";

export interface Call {
  readonly on: Exclude<Called, "any">;
  readonly by: "fill" | "worker";
  readonly key?: string;
}

/** Resets the Fill that makes a call. */
export type Reset = () => never;

interface Counted {
  readonly injection: Injection;
  seen: number;
  reached: number;
}

export class Harms {
  readonly settings: Readonly<Record<string, string>>;
  #counted: Counted[];

  constructor({ injections, settings }: Registration) {
    this.settings = settings;
    this.#counted = injections.map((injection) => ({ injection, seen: 0, reached: 0 }));
  }

  get reached(): number[] {
    return this.#counted.map(({ reached }) => reached);
  }

  /** Nothing is harmed any more. */
  end(): void {
    this.#counted = this.#counted.map((counted) => ({ ...counted, injection: { ...counted.injection, times: 0 } }));
  }

  /** Makes a call, or harms it. @param broken the same answer with a body that breaks off */
  async around<T>(call: Call, reset: Reset | null, run: () => Promise<T>, broken: (answer: T) => T): Promise<T> {
    const injection = this.#hit(call);
    if (injection === null) return run();
    switch (injection.how) {
      case "fails":
        throw failure(call);
      case "hangs":
        await scheduler.wait(injection.ms);
        throw failure(call);
      case "slow":
        await scheduler.wait(injection.ms);
        return run();
      case "answer-lost":
        await run();
        throw failure(call);
      case "breaks":
        return broken(await run());
      case "reset-before":
        return reset === null ? run() : reset();
      case "reset-after":
        await run();
        return reset === null ? run() : reset();
    }
  }

  /** The same of a call that does not wait. */
  aroundSync<T>(call: Call, reset: Reset | null, run: () => T): T {
    const injection = this.#hit(call);
    if (injection?.how === "reset-before") reset?.();
    const value = run();
    if (injection?.how === "reset-after") reset?.();
    return value;
  }

  #hit(call: Call): Injection | null {
    for (const counted of this.#counted) {
      const { injection } = counted;
      if (!isMeant(injection, call)) continue;
      counted.seen++;
      if (counted.seen < injection.nth || counted.seen >= injection.nth + injection.times) continue;
      counted.reached++;
      return injection;
    }
    return null;
  }
}

function isMeant({ on, by, root, how }: Injection, call: Call): boolean {
  // A Fill's storage is in its process: there is nothing that could fail by itself but the object.
  if (call.on === "storage" && !how.startsWith("reset")) return false;
  if (on !== "any" && on !== call.on) return false;
  if (by !== "any" && by !== call.by) return false;
  return root === undefined || call.key?.startsWith(root) === true;
}

function failure({ on }: Call): Error {
  // As R2 and D1 word what is wrong with themselves.
  return new Error(`${on}: internal error; injected (10001)`);
}
