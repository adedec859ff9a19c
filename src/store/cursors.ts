/**
 * Where a task that goes through everything has got to, so that its next run goes on there, and when each last succeeded. In
 * D1, table `upkeep`.
 */

/** What a task's last success is under. */
const SUCCESS = "success.";

export class Cursors {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  /** @returns "" at the beginning */
  async read(task: string): Promise<string> {
    const cursor = await this.#db
      .prepare("SELECT cursor FROM upkeep WHERE task = ?1")
      .bind(task)
      .first<string>("cursor");
    return cursor ?? "";
  }

  /** @param cursor "" to begin again */
  async write(task: string, cursor: string): Promise<void> {
    await this.#db
      .prepare("INSERT INTO upkeep (task, cursor) VALUES (?1, ?2) ON CONFLICT (task) DO UPDATE SET cursor = ?2")
      .bind(task, cursor)
      .run();
  }

  /** A run of a task has come to its end. @param now ms since the epoch */
  async succeeded(task: string, now: number): Promise<void> {
    await this.write(SUCCESS + task, String(now));
  }

  /** When each task last succeeded, ms since the epoch. */
  async successes(): Promise<{ readonly task: string; readonly at: number }[]> {
    const { results } = await this.#db
      .prepare("SELECT task, cursor FROM upkeep WHERE task LIKE ?1 ORDER BY task")
      .bind(`${SUCCESS}%`)
      .all<{ task: string; cursor: string }>();
    return results.map(({ task, cursor }) => ({ task: task.slice(SUCCESS.length), at: Number(cursor) }));
  }
}
