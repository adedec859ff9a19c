/** What the doctor found out about one thing. Pure. */

export interface Finding {
  /** A sentence that is good news where it is true. */
  readonly what: string;
  readonly verdict: "YES" | "NO" | "UNKNOWN";
  /** What it was seen by. */
  readonly seen: string;
  /** What to do about it; null: nothing. */
  readonly todo: string | null;
}

export function yes(what: string, seen: string): Finding {
  return { what, verdict: "YES", seen, todo: null };
}

export function no(what: string, seen: string, todo: string): Finding {
  return { what, verdict: "NO", seen, todo };
}

/** @param todo how it can be known */
export function unknown(what: string, seen: string, todo: string | null = null): Finding {
  return { what, verdict: "UNKNOWN", seen, todo };
}
