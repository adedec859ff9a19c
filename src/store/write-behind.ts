/**
 * What an isolate counts in memory reaches D1 in batches, behind answers: a count costs no write on the path of a download, and
 * a thousand of them cost a handful.
 */
import { withDeadline } from "../lib/deadline.ts";

/** A database that is silent for so long has failed, ms: nothing behind an answer may hang. */
const WRITE_MS = 5_000;
/** A request that was to write and has not by then is gone. */
const PATIENCE_MS = 2_000;

/** Who of an isolate's requests writes, and when. Pure: no clock, no I/O. */
export class WriteTurns {
  readonly #intervalMs: number;
  readonly #restMs: number;
  #lastWrite = 0;
  /** When the request that took it on writes; null when nobody has. */
  #planned: number | null = null;

  /**
   * @param intervalMs no more than one write in so long
   * @param restMs so long after a count, at the least: what is written at once is more then, and not beside the first bytes of
   * the download that was counted
   */
  constructor(intervalMs: number, restMs = 0) {
    this.#intervalMs = intervalMs;
    this.#restMs = restMs;
  }

  /**
   * Whether the asking request is the one to write what is counted.
   * @returns ms that it waits before it does; null when another one does it
   */
  plan(now: number): number | null {
    if (this.#planned !== null && now < this.#planned + PATIENCE_MS) return null;
    this.#planned = Math.max(now + this.#restMs, this.#lastWrite + this.#intervalMs);
    return this.#planned - now;
  }

  /** It writes now. */
  begin(now: number): void {
    this.#planned = null;
    this.#lastWrite = now;
  }
}

/** What is counted in memory until it is written. */
export interface Counted<Row> {
  readonly planWrite: (now: number) => number | null;
  readonly take: (now: number) => Row[];
  readonly giveBack: (rows: readonly Row[]) => void;
}

/**
 * Writes what is counted, if it is this request's turn.
 * @param failed told when it could not be written, which the next write does then
 * @returns null when it is not; never rejects
 */
export function writeBehind<Row>(
  counted: Counted<Row>,
  write: (rows: readonly Row[]) => Promise<void>,
  now: () => number,
  failed: (cause: unknown, rows: number) => void,
): Promise<void> | null {
  const delay = counted.planWrite(now());
  return delay === null ? null : writeIn(delay, counted, write, now, failed);
}

async function writeIn<Row>(
  delay: number,
  counted: Counted<Row>,
  write: (rows: readonly Row[]) => Promise<void>,
  now: () => number,
  failed: (cause: unknown, rows: number) => void,
): Promise<void> {
  if (delay > 0) await scheduler.wait(delay);
  const rows = counted.take(now());
  if (rows.length === 0) return;
  try {
    await withDeadline("writing to D1", WRITE_MS, write(rows));
  } catch (cause) {
    counted.giveBack(rows);
    failed(cause, rows.length);
  }
}
