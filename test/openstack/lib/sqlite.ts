/** SQLite as the database of services that were made for a real one. */
import { DatabaseSync } from "node:sqlite";

/**
 * Puts a database into WAL mode, which it keeps: readers then never block a writer (sqlite.org/wal.html). In SQLite's
 * default mode a read that a service has left open makes another connection's commit fail with "database is locked".
 */
export function useWriteAheadLog(file: string): void {
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA journal_mode = WAL");
  } finally {
    database.close();
  }
}
