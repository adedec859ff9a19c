/**
 * Room for a fill before it stores anything: CACHE_MAX_BYTES is a hard cap. Where there is none, the least recently used
 * blobs go; where that would not be enough, nothing goes and the image is not stored.
 */
import type { Filling, Room } from "../store/generations.ts";
import { giveUp, taken } from "../store/give-up.ts";
import { removeCondemned, type Store } from "../store/store.ts";

export type Admission = "admitted" | "no-room";

/** How long a refusal stands: what is in use now may not be so then. */
const REFUSED_MS = 10_000;
/** Room that was made may be taken by another fill before this one gets it, and so may what was to be given up. */
const TRIES = 10;
/** Left over by runs that died; more of them are the clean's. */
const CONDEMNED = 50;

interface Application {
  readonly generation: string;
  /** ms since the epoch */
  readonly askedAt: number;
  readonly outcome: Promise<Admission>;
  admitted: boolean;
  /** ms since the epoch */
  validUntil: number;
}

/** The admission of one Fill's current generation, asked for once and remembered. */
export class Admissions {
  readonly #store: Store;
  readonly #cap: number;
  readonly #answered: (applicant: Filling) => Promise<void>;
  #last: Application | null = null;

  /**
   * @param cap bytes
   * @param answered gives the room back if nobody needs it any more; never rejects
   */
  constructor(store: Store, cap: number, answered: (applicant: Filling) => Promise<void>) {
    this.#store = store;
    this.#cap = cap;
    this.#answered = answered;
  }

  /** Whether this generation has its room. */
  has(generation: string): boolean {
    return this.#last?.generation === generation && this.#last.admitted;
  }

  /** When this generation's room was asked for, in ms since the epoch; null when it was not. */
  askedAt(generation: string): number | null {
    return this.#last?.generation === generation ? this.#last.askedAt : null;
  }

  /** @throws whatever D1 throws; the next call asks again */
  ask(applicant: Filling): Promise<Admission> {
    const last = this.#last;
    if (last !== null && last.generation === applicant.generation && Date.now() < last.validUntil) return last.outcome;
    const outcome = this.#admit(applicant);
    const application: Application = {
      generation: applicant.generation,
      askedAt: Date.now(),
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

  async #admit(applicant: Filling): Promise<Admission> {
    const admission = await admit(this.#store, this.#cap, applicant);
    await this.#answered(applicant);
    return admission;
  }
}

async function admit(store: Store, cap: number, applicant: Filling): Promise<Admission> {
  const { generations, log } = store;
  let before: Room | null = null;
  for (let tries = 0; tries < TRIES; tries++) {
    const now = Date.now();
    if (await generations.reserve(applicant, cap, now)) return "admitted";
    const room = await generations.room();
    if (room.filling + applicant.size > cap || (before !== null && same(room, before))) break;
    before = room;
    const missing = taken(room) + applicant.size - cap;
    const { orphans } = await giveUp(store, missing, "all-or-nothing", now);
    await removeCondemned(store, orphans);
    // What others gave up counts until its slices have gone.
    if (room.removing > 0) await removeCondemned(store, await generations.removing(CONDEMNED));
  }
  log.info("fill.no-room", { image_id: applicant.imageId, size: applicant.size, cap });
  return "no-room";
}

/** Nothing that was tried has helped, and nobody else has changed anything either. */
function same(room: Room, before: Room): boolean {
  return room.committed === before.committed && room.filling === before.filling && room.removing === before.removing;
}
