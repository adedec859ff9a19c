/**
 * Finds out which messages of a refused batch the receiver will not have. A 4xx may be about one message in it, or (401,
 * 403, 404, 405, but a receiver may say 400 as well) about everything that comes from here; the status does not tell, only
 * what becomes of smaller parts does.
 */
import type { Reception } from "./post.ts";

/**
 * One bad message among a hundred (the largest batch of Queues) takes at most 14 posts, and ten some 80. What is not decided
 * after so many is tried again like a batch that nobody took: each run gets some of it done.
 */
const POSTS = 100;
/**
 * A receiver that has taken nothing of so many parts, the smallest of one message, takes nothing at all now, and is not asked
 * once for each message at each retry. A good message among many bad ones is tried again with them, and the parts are other
 * ones then; only where hardly one in twenty is good may it go to the dead letters with the others.
 */
const FRUITLESS = 16;

export interface Split<T> {
  readonly taken: readonly T[];
  /** Refused alone. Where nothing was taken, that is no word about them. */
  readonly refused: readonly T[];
  /** Not decided. */
  readonly left: readonly T[];
  /** Why what is left was not posted: the receiver wants no more for now. */
  readonly later: Extract<Reception, { kind: "later" }> | null;
}

/**
 * Halves a refused batch until each part was taken, or is one refused message.
 * @param send posts a part
 * @param late says when to stop
 * @param random gives a number from 0 to below 1
 */
export async function split<T>(
  batch: readonly T[],
  send: (part: readonly T[]) => Promise<Reception>,
  late: () => boolean,
  random: () => number,
): Promise<Split<T>> {
  const taken: T[] = [];
  // One message needs no other word than it has had.
  const refused: T[] = batch.length < 2 ? [...batch] : [];
  const parts = halves(shuffled(batch, random));
  let later: Split<T>["later"] = null;
  for (let posts = 0; posts < POSTS && (taken.length > 0 || posts < FRUITLESS) && !late(); posts++) {
    const part = parts.pop();
    if (part === undefined) break;
    const reception = await send(part);
    if (reception.kind === "later") {
      parts.push(part);
      later = reception;
      break;
    }
    if (reception.kind === "taken") taken.push(...part);
    else if (part.length === 1) refused.push(...part);
    else parts.push(...halves(part));
  }
  return { taken, refused, left: parts.flat(), later };
}

/** Two parts; nothing of what is one already. */
function halves<T>(part: readonly T[]): (readonly T[])[] {
  if (part.length < 2) return [];
  const middle = part.length >> 1;
  return [part.slice(middle), part.slice(0, middle)];
}

/** In an order by chance (Fisher and Yates): a run that came to no end does not begin with the same ones again. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let at = result.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    const [one, two] = [result[at], result[other]];
    if (one !== undefined && two !== undefined) [result[at], result[other]] = [two, one];
  }
  return result;
}
