/**
 * Room for a fill before it stores anything: CACHE_MAX_BYTES is a hard cap. Where there is none, the least recently used
 * blobs go; where that would not be enough, nothing goes and the image is not stored.
 */
import type { Store } from "../store/store.ts";
import { removeCondemned } from "../store/store.ts";
import { giveUp, taken } from "../upkeep/prune.ts";

export type Admission = "admitted" | "no-room";

/** How long a refusal stands: what is in use now may not be so then. */
const REFUSED_MS = 10_000;
/** Room that was made may be taken by another fill before this one gets it. */
const TRIES = 3;
/** Left over by runs that died; more of them are the clean's. */
const CONDEMNED = 50;

export interface Applicant {
  readonly blob: string;
  readonly generation: string;
  readonly imageId: string;
  /** Bytes. */
  readonly size: number;
}

interface Application {
  readonly generation: string;
  readonly outcome: Promise<Admission>;
  admitted: boolean;
  /** ms since the epoch */
  validUntil: number;
}

/** The admission of one Fill's current generation, asked for once and remembered. */
export class Admissions {
  readonly #store: Store;
  readonly #cap: number;
  #last: Application | null = null;

  /** @param cap bytes */
  constructor(store: Store, cap: number) {
    this.#store = store;
    this.#cap = cap;
  }

  /** Whether this generation has its room. */
  has(generation: string): boolean {
    return this.#last?.generation === generation && this.#last.admitted;
  }

  /** @throws whatever D1 throws; the next call asks again */
  ask(applicant: Applicant): Promise<Admission> {
    const last = this.#last;
    if (last !== null && last.generation === applicant.generation && Date.now() < last.validUntil) return last.outcome;
    const outcome = admit(this.#store, this.#cap, applicant);
    const application: Application = {
      generation: applicant.generation,
      outcome,
      admitted: false,
      validUntil: Number.POSITIVE_INFINITY,
    };
    this.#last = application;
    outcome.then(
      (admission) => {
        application.admitted = admission === "admitted";
        if (!application.admitted) application.validUntil = Date.now() + REFUSED_MS;
      },
      () => {
        application.validUntil = 0;
      },
    );
    return outcome;
  }
}

async function admit(store: Store, cap: number, applicant: Applicant): Promise<Admission> {
  const { generations, log } = store;
  for (let tries = 0; tries < TRIES; tries++) {
    const now = Date.now();
    if (await generations.reserve(applicant, cap, now)) return "admitted";
    const room = await generations.room();
    if (room.filling + applicant.size > cap) break;
    const missing = taken(room) + applicant.size - cap;
    if (missing > 0) {
      const { bytes } = await giveUp(store, missing, "all-or-nothing", now);
      if (bytes === 0) break;
    }
    // What others gave up counts until its slices have gone.
    if (room.removing > 0) await removeCondemned(store, await generations.removing(CONDEMNED));
  }
  log.info("fill.no-room", { image_id: applicant.imageId, size: applicant.size, cap });
  return "no-room";
}
