/**
 * What a Fill keeps in its own SQLite: its subject, its state, and the etag of each stored slice. Schema: docs/fills.md.
 */
import type { Subject } from "./protocol.ts";
import type { FillState } from "./rules.ts";

export interface SavedFill {
  readonly subject: Subject;
  readonly state: FillState;
}

const FILL_KEY = "fill";

export class FillStorage {
  readonly #storage: DurableObjectStorage;
  /** The alarm as this object set it last: saves a write for each sign of life. */
  #alarmAt: number | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#createTables();
  }

  load(): SavedFill | null {
    return this.#storage.kv.get<SavedFill>(FILL_KEY) ?? null;
  }

  save(subject: Subject, state: FillState): void {
    this.#storage.kv.put<SavedFill>(FILL_KEY, { subject, state });
  }

  addSlice(slice: number, etag: string): void {
    this.#storage.sql.exec("INSERT OR REPLACE INTO slices (slice, etag) VALUES (?, ?)", slice, etag);
  }

  etag(slice: number): string {
    return this.#storage.sql.exec<{ etag: string }>("SELECT etag FROM slices WHERE slice = ?", slice).one().etag;
  }

  /** The etags of all stored slices, in order. */
  etags(): string[] {
    const rows = this.#storage.sql.exec<{ etag: string }>("SELECT etag FROM slices ORDER BY slice");
    return rows.toArray().map((row) => row.etag);
  }

  clearSlices(): void {
    this.#storage.sql.exec("DELETE FROM slices");
  }

  /** Forgets the fill and its alarm. */
  async clear(): Promise<void> {
    this.#storage.kv.delete(FILL_KEY);
    this.clearSlices();
    this.#alarmAt = null;
    await this.#storage.deleteAlarm();
  }

  /** Sets the alarm, unless it rings early enough already: it then sees for itself what is to do. */
  async wakeAt(time: number): Promise<void> {
    const now = Date.now();
    if (this.#alarmAt !== null && this.#alarmAt > now && this.#alarmAt <= time) return;
    this.#alarmAt = time;
    await this.#storage.setAlarm(time);
  }

  /** The alarm has rung, perhaps before its time: there is none set any more. */
  rang(): void {
    this.#alarmAt = null;
  }

  #createTables(): void {
    this.#storage.sql.exec("CREATE TABLE IF NOT EXISTS slices (slice INTEGER PRIMARY KEY, etag TEXT NOT NULL)");
  }
}
