/** What all isolates have counted, per hour, in D1: it only grows. Schema: migrations/0002_traffic.sql. */

import { type Count, hourOf } from "./tally.ts";

/** Hours that are kept apart: charts of 30 days, and some days to look back. */
const KEPT_HOURS = 35 * 24;

/** A figure over all time. */
export type Total = Omit<Count, "hour">;

export class Traffic {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  /** Adds what was counted, all in one statement. @param counts at most one for each hour, figure and label */
  async add(counts: readonly Count[]): Promise<void> {
    await this.#db
      .prepare(
        `INSERT INTO traffic (hour, figure, label, value)
         SELECT value ->> 'hour', value ->> 'figure', value ->> 'label', value ->> 'value' FROM json_each(?1) WHERE true
         ON CONFLICT (hour, figure, label) DO UPDATE SET value = traffic.value + excluded.value`,
      )
      .bind(JSON.stringify(counts))
      .run();
  }

  /** What was counted in these hours, the oldest first. @param from @param to hours since the epoch, both included */
  async hours(from: number, to: number): Promise<Count[]> {
    const { results } = await this.#db
      .prepare(
        `SELECT hour, figure, label, value FROM traffic WHERE hour BETWEEN MAX(1, ?1) AND ?2
          ORDER BY hour, figure, label`,
      )
      .bind(from, to)
      .all<{ hour: number; figure: string; label: string; value: number }>();
    return results;
  }

  async totals(): Promise<Total[]> {
    const { results } = await this.#db
      .prepare("SELECT figure, label, SUM(value) AS value FROM traffic GROUP BY figure, label")
      .all<{ figure: string; label: string; value: number }>();
    return results;
  }

  /**
   * Folds old hours into one row for each figure and label, in one transaction, so that no sum ever goes back.
   * @param now ms since the epoch
   * @returns number of rows that went
   */
  async fold(now: number): Promise<number> {
    const old = hourOf(now) - KEPT_HOURS;
    const [, gone] = await this.#db.batch([
      this.#db
        .prepare(
          `INSERT INTO traffic (hour, figure, label, value)
           SELECT 0, figure, label, SUM(value) FROM traffic WHERE hour > 0 AND hour < ?1 GROUP BY figure, label
           ON CONFLICT (hour, figure, label) DO UPDATE SET value = traffic.value + excluded.value`,
        )
        .bind(old),
      this.#db.prepare("DELETE FROM traffic WHERE hour > 0 AND hour < ?1").bind(old),
    ]);
    return gone?.meta.changes ?? 0;
  }
}
