/** Where a task that goes through everything has got to, so that its next run goes on there. In D1, table `upkeep`. */
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
}
