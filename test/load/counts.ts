/** How often what was done, and what went wrong. */

export interface Tally {
  /** By kind of request. */
  readonly done: Readonly<Record<string, number>>;
  /** Downloads, by what the edge said of them. */
  readonly cacheStatus: Readonly<Record<string, number>>;
  readonly bytes: number;
  readonly faults: readonly string[];
}

export class Counts implements Tally {
  readonly done: Record<string, number> = {};
  readonly cacheStatus: Record<string, number> = {};
  readonly faults: string[] = [];
  bytes = 0;

  count(kind: string): void {
    this.done[kind] = (this.done[kind] ?? 0) + 1;
  }

  read({ cacheStatus, bytes }: { readonly cacheStatus: string; readonly bytes: number }): void {
    const said = cacheStatus.replace(/^glance-edge; /, "");
    this.cacheStatus[said] = (this.cacheStatus[said] ?? 0) + 1;
    this.bytes += bytes;
  }

  fault(kind: string, cause: unknown): void {
    this.faults.push(`${kind}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}
