/**
 * One pull, as src/fill/object/pull.ts does it: the origin's bytes through the gate into slices, some puts at a time, each
 * slice's memory from the isolate's pool. Pool, slice plan and number of puts are the real ones.
 */
import { type BufferPool, MAX_PUTS } from "../../src/fill/object/pool.ts";
import type { Filling } from "../../src/fill/object/state.ts";
import { sliceCount, sliceLength } from "../../src/store/slice-plan.ts";
import type { Clock } from "./clock.ts";
import type { Drawn } from "./drawn.ts";
import type { Platform } from "./platform.ts";
import type { Line, Thread } from "./resources.ts";

const MIB = 2 ** 20;
/** What runtime and kernel take of the origin's body while nobody reads it. An assumption: a MiB is what a long fat line needs. */
const READ_AHEAD_BYTES = MIB;
/** A connection that broke is opened again once (REOPEN_ONCE_MS in src/fill/object/pull.ts). */
const REOPEN_MS = 200;

export interface PullParts {
  readonly clock: Clock;
  readonly platform: Platform;
  readonly thread: Thread;
  readonly line: Line;
  readonly pool: BufferPool;
  readonly owner: string;
  readonly gets: Drawn;
  readonly puts: Drawn;
  /** Until the origin's first byte, ms. */
  readonly originMs: number;
  readonly count: (what: "get" | "put") => void;
}

/** The connection to the origin broke, and did not come back at once. */
class Broken extends Error {}

export class SimulatedPull {
  readonly #parts: PullParts;
  readonly #filling: Filling;
  readonly #stored: (stored: number) => void;
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #early = new Set<number>();
  #upTo: number;
  /** When the byte before the next one had arrived. */
  #arrivedAt = 0;

  /** @param stored told of the number of slices that are stored without a gap */
  constructor(parts: PullParts, filling: Filling, stored: (stored: number) => void) {
    this.#parts = parts;
    this.#filling = filling;
    this.#stored = stored;
    this.#upTo = filling.stored;
  }

  /** The object is gone, and this with it. */
  abort(): void {
    this.#abort.abort(new Error("aborted"));
  }

  async run(): Promise<"complete" | "broken" | "aborted"> {
    try {
      const give = await this.#parts.pool.take(this.#length(this.#upTo), this.#abort.signal, this.#parts.owner);
      await this.#digestStored();
      await this.#open();
      await this.#cut(give);
      await Promise.all(this.#running);
      return this.#abort.signal.aborted ? "aborted" : "complete";
    } catch (cause) {
      if (this.#abort.signal.aborted) return "aborted";
      if (cause instanceof Broken) return "broken";
      throw cause;
    }
  }

  #length(slice: number): number {
    return sliceLength(this.#filling, slice);
  }

  async #wait(until: number): Promise<void> {
    await this.#parts.clock.until(until);
    this.#abort.signal.throwIfAborted();
  }

  /** What was stored before is read once more, some slices opened ahead. */
  async #digestStored(): Promise<void> {
    const { clock, gets, count, thread, platform } = this.#parts;
    const ready: number[] = [];
    for (let slice = 0; slice < this.#upTo; slice++) {
      for (let next = ready.length; next < Math.min(this.#upTo, slice + MAX_PUTS); next++) {
        count("get");
        ready.push(clock.now + gets.next());
      }
      await this.#wait(ready[slice] ?? clock.now);
      await this.#wait(thread.job((this.#length(slice) / MIB) * platform.pullMsPerMib));
    }
  }

  async #open(): Promise<void> {
    const { clock, line, originMs } = this.#parts;
    await this.#wait(clock.now + originMs);
    if (line.isDown(clock.now)) throw new Broken("the origin is not there");
    this.#arrivedAt = clock.now;
  }

  async #cut(first: () => void): Promise<void> {
    const { pool, owner, thread, platform } = this.#parts;
    let give = first;
    for (let slice = this.#upTo; slice < sliceCount(this.#filling); slice++) {
      const bytes = this.#length(slice);
      if (slice > this.#filling.stored) {
        while (this.#running.size >= MAX_PUTS) await Promise.race(this.#running);
        give = await pool.take(bytes, this.#abort.signal, owner);
      }
      await this.#receive(bytes);
      await this.#wait(thread.job((bytes / MIB) * platform.pullMsPerMib));
      this.#store(slice, bytes, give);
    }
  }

  async #receive(bytes: number): Promise<void> {
    const { clock, line } = this.#parts;
    for (let opened = 1; ; opened++) {
      const sent = line.send(bytes, Math.max(this.#arrivedAt, clock.now - line.ms(READ_AHEAD_BYTES)));
      if ("arrived" in sent) {
        this.#arrivedAt = sent.arrived;
        return this.#wait(sent.arrived);
      }
      await this.#wait(sent.broke);
      if (opened > 1) throw new Broken("the origin's connection broke again");
      await this.#wait(clock.now + REOPEN_MS);
      await this.#open();
    }
  }

  #store(slice: number, bytes: number, give: () => void): void {
    const { clock, puts, count, thread, platform } = this.#parts;
    count("put");
    const cpu = ((platform.oneThread?.putMsPerMib ?? 0) * bytes) / MIB;
    const done = (async () => {
      await clock.until(Math.max(clock.now + puts.next(), cpu === 0 ? 0 : thread.job(cpu)));
      give();
      if (this.#abort.signal.aborted) return;
      this.#early.add(slice);
      while (this.#early.delete(this.#upTo)) this.#upTo++;
      this.#stored(this.#upTo);
    })();
    this.#running.add(done);
    void done.then(() => this.#running.delete(done));
  }
}
