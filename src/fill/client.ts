/**
 * The Fill as a Worker sees it: its calls with a bound on each and a new stub for each try, so that an object which is slow,
 * or was reset, never holds up a download (invariant 4).
 */
import { DeadlineExceeded, withDeadline } from "../lib/deadline.ts";
import type { Log } from "../lib/log.ts";
import { retry } from "../lib/retry.ts";
import type { Place } from "../settings.ts";
import type { Answer, Ask, CleanAnswer, FillCalls, FillLook, RemoveAnswer, Rights } from "./protocol.ts";

/** A call that does not wait takes some ms, even from another continent well below a second. */
const CALL_MS = 5_000;
/** Pauses before further tries, ms: an object that was reset is there again at once. */
const AGAIN_MS = [50, 500];

/** Fills by the names of their images. */
export type Fills = Pick<DurableObjectNamespace, "idFromName" | "get">;

/**
 * Fills of this place: a Fill is made there by the first call to it, and an id of a jurisdiction is another one. The
 * platform is asked for a jurisdiction with each call: one that it has not costs the Fills, no download.
 */
export function placedFills(fills: DurableObjectNamespace, { location, jurisdiction }: Place): Fills {
  const within = () => (jurisdiction === null ? fills : fills.jurisdiction(jurisdiction));
  return {
    idFromName: (name) => within().idFromName(name),
    get: (id) => within().get(id, location === null ? {} : { locationHint: location }),
  };
}

export class FillClient {
  readonly #namespace: Fills;
  readonly #imageId: string;
  readonly #log: Log;

  /**
   * One Fill for one image. Not one for a content: who may read image B must not get bytes that were fetched under a
   * right to image A, only because B's record claims the same digest.
   */
  constructor(namespace: Fills, imageId: string, log: Log) {
    this.#namespace = namespace;
    this.#imageId = imageId;
    this.#log = log;
  }

  /** Asks for a download; `alone` when the Fill can't be asked. */
  async follow(ask: Ask, waitMs: number): Promise<Answer> {
    const answer = await this.#call("follow", waitMs, (fill) => fill.follow(ask, waitMs));
    return answer ?? { do: "alone", why: "fill-unavailable" };
  }

  /** Something of what is kept of this attempt is not there. */
  async missed(attempt: string): Promise<void> {
    await this.#call("missed", 0, (fill) => fill.missed(this.#imageId, attempt));
  }

  async left(reader: string): Promise<void> {
    await this.#call("left", 0, (fill) => fill.left(reader));
  }

  /** Takes the image out of the cache. @returns null when the Fill can't be reached, or R2 does not remove it */
  async remove(rule: "always" | "unless-read"): Promise<Exclude<RemoveAnswer, "failed"> | null> {
    const answer = await this.#call("remove", 0, (fill) => fill.remove(this.#imageId, rule));
    return answer === "failed" ? null : answer;
  }

  /** Ends what is being fetched for the queue alone. @returns whether the Fill was told */
  async unqueue(): Promise<boolean> {
    const told = await this.#call("unqueue", 0, async (fill) => {
      await fill.unqueue(this.#imageId);
      return true;
    });
    return told ?? false;
  }

  async lend(rights: Rights): Promise<void> {
    await this.#call("lend", 0, (fill) => fill.lend(this.#imageId, rights));
  }

  /** The image's turn in the queue has come. @returns whether the Fill knows of it */
  async prefetch(): Promise<boolean> {
    const told = await this.#call("prefetch", 0, async (fill) => {
      await fill.prefetch(this.#imageId);
      return true;
    });
    return told ?? false;
  }

  async progress(): Promise<FillLook> {
    const look = await this.#call("progress", 0, async (fill): Promise<FillLook> => {
      const progress = await fill.progress();
      return progress === null ? { fill: "none" } : { fill: "running", progress };
    });
    return look ?? { fill: "unreachable" };
  }

  /**
   * Removes what is stored of an attempt, unless the Fill is at it. @returns null when the Fill can't be reached
   * @param attempt null: what is kept, if no Fill has put it
   */
  clean(attempt: string | null): Promise<CleanAnswer | null> {
    return this.#call("clean", 0, (fill) => fill.clean(this.#imageId, attempt));
  }

  /** @returns null when the Fill can't be reached */
  async #call<T>(name: string, waitMs: number, call: (fill: FillCalls) => Promise<T>): Promise<T | null> {
    try {
      return await retry(() => withDeadline(`the fill's ${name}`, waitMs + CALL_MS, call(this.#stub())), {
        delaysMs: AGAIN_MS,
        // One that is silent has taken all the time that a download has for it.
        retryable: (cause) => !(cause instanceof DeadlineExceeded),
      });
    } catch (cause) {
      this.#log.error("fill.unavailable", cause, { image_id: this.#imageId, call: name });
      return null;
    }
  }

  #stub(): FillCalls {
    // The binding does not know its class: wrangler.toml names Fill, whose calls these are.
    return this.#namespace.get(this.#namespace.idFromName(this.#imageId)) as unknown as FillCalls;
  }
}
