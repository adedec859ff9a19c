/**
 * The Fill as a Worker sees it: the stub's calls with a bound on each, so that an object which is slow or gone never
 * holds up a download (invariant 4).
 */
import { withDeadline } from "../deadline.ts";
import type { Log } from "../observe/log.ts";
import type { Fill } from "./fill.ts";
import type { Ask, CleanAnswer, Errand, FillLook, Subject, Turn } from "./protocol.ts";
import type { LeaseHolder } from "./slice-writer.ts";

/** A call that does not wait takes some ms, even from another continent well below a second. */
const CALL_MS = 5_000;

export class FillClient {
  readonly #stub: DurableObjectStub<Fill>;
  readonly #imageId: string;
  readonly #log: Log;

  /**
   * One Fill for one image. Not one for a content: who may read image B must not get bytes that were pulled under a
   * right to image A, only because B's record claims the same digest.
   */
  constructor(namespace: DurableObjectNamespace, imageId: string, log: Log) {
    // The binding does not know its class: wrangler.toml names Fill.
    const fills = namespace as DurableObjectNamespace<Fill>;
    this.#stub = fills.get(fills.idFromName(imageId));
    this.#imageId = imageId;
    this.#log = log;
  }

  /** Asks for a turn; `alone` when the Fill can't be asked. */
  async turn(subject: Subject, ask: Ask, waitMs: number, errand: Errand): Promise<Turn> {
    try {
      return await this.#call("turn", waitMs, async () => this.#stub.turn(subject, ask, waitMs, errand));
    } catch (cause) {
      this.#log.error("fill.unavailable", cause, { image_id: this.#imageId });
      return { do: "alone", why: "fill-unavailable" };
    }
  }

  /** The Fill for the holder of a lease. Its calls throw when the Fill can't be reached. */
  lease({ lease, generation, blob }: Extract<Turn, { do: "pull" }>): LeaseHolder {
    return {
      stored: (slice, etag, foreign) =>
        this.#call("stored", 0, async () => this.#stub.stored(lease, generation, blob, slice, etag, foreign)),
      alive: (received) => this.#call("alive", 0, async () => this.#stub.alive(lease, generation, received)),
      release: (quiet) => this.#call("release", 0, async () => this.#stub.release(lease, generation, quiet)),
      quiet: (ended) => this.#call("quiet", 0, async () => this.#stub.quiet(generation, ended)),
    };
  }

  agreed(lease: string, generation: string): Promise<void> {
    return this.#tell("agreed", () => this.#stub.agreed(lease, generation));
  }

  disagreed(generation: string): Promise<void> {
    return this.#tell("disagreed", () => this.#stub.disagreed(generation));
  }

  missing(generation: string): Promise<void> {
    return this.#tell("missing", () => this.#stub.missing(generation));
  }

  left(reader: string): Promise<void> {
    return this.#tell("left", () => this.#stub.left(reader));
  }

  /** Ends the fill and removes what it stored. */
  stop(): Promise<void> {
    return this.#tell("stop", () => this.#stub.stop());
  }

  /** As {@link stop}, unless clients download through it. @returns whether the Fill knows of it */
  async stopUnused(): Promise<boolean> {
    const told = await this.#ask("stopUnused", async () => {
      await this.#stub.stopUnused();
      return true;
    });
    return told ?? false;
  }

  /** Lends the rights of who queues the image. */
  lend(errand: Errand): Promise<void> {
    return this.#tell("lend", () => this.#stub.lend(errand));
  }

  /** The image's turn in the queue has come. @returns whether the Fill knows of it */
  async prefetch(): Promise<boolean> {
    const told = await this.#ask("prefetch", async () => {
      await this.#stub.prefetch(this.#imageId);
      return true;
    });
    return told ?? false;
  }

  async progress(): Promise<FillLook> {
    const look = await this.#ask("progress", async (): Promise<FillLook> => {
      const progress = await this.#stub.progress();
      return progress === null ? { fill: "none" } : { fill: "running", progress };
    });
    return look ?? { fill: "unreachable" };
  }

  /** Drops a generation that has stalled. @returns null when the Fill can't be reached */
  clean(generation: string, stallMs: number): Promise<CleanAnswer | null> {
    return this.#ask("clean", async () => this.#stub.clean(generation, stallMs));
  }

  async #call<T>(name: string, waitMs: number, call: () => Promise<T>): Promise<T> {
    return withDeadline(`the fill's ${name}`, waitMs + CALL_MS, call());
  }

  /** Says what the Fill can do without: its own watchdog finds out later. */
  async #tell(name: string, call: () => Promise<void>): Promise<void> {
    await this.#ask(name, call);
  }

  /** @returns null when the Fill can't be reached */
  async #ask<T>(name: string, call: () => Promise<T>): Promise<T | null> {
    try {
      return await this.#call(name, 0, call);
    } catch (cause) {
      this.#log.error("fill.unavailable", cause, { image_id: this.#imageId, call: name });
      return null;
    }
  }
}
