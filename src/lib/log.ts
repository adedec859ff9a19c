/**
 * The edge's log: one line of JSON per event, so that it can be searched by field. No function here takes headers or
 * a request: a token can't get into a line by accident.
 */

export type Fields = Readonly<Record<string, string | number | boolean | null>>;

export interface Log {
  /** Something the operator should know; nothing is broken. */
  info(event: string, fields?: Fields): void;
  /** A failure, with what was caught. Its stack stays here and never reaches a client. */
  error(event: string, cause: unknown, fields?: Fields): void;
}

/** @param base fields of every line, such as `request_id` */
export function createLog(base: Fields): Log {
  return {
    info(event, fields = {}) {
      console.log(JSON.stringify({ level: "info", event, ...base, ...fields }));
    },
    error(event, cause, fields = {}) {
      console.error(JSON.stringify({ level: "error", event, ...base, ...fields, error: describe(cause) }));
    },
  };
}

/** Name and message of what was thrown, and of its cause. URLs are cut at `?`: a query may hold a secret. */
export function describe(cause: unknown, depth = 0): string {
  if (!(cause instanceof Error)) return redact(String(cause));
  // Two causes deep tells enough, and a chain may be a circle.
  const inner = cause.cause === undefined || depth === 2 ? "" : ` (${describe(cause.cause, depth + 1)})`;
  return redact(`${cause.name}: ${cause.message}`) + inner;
}

function redact(text: string): string {
  return text.replace(/(https?:\/\/[^\s?"']+)\?[^\s"']*/gi, "$1?…");
}
