/** What must never be in a world of ./fill-model.ts. */

/** The invariants, by the name of the test that holds them. */
export type Invariant = "one-attempt" | "agreed" | "ends" | "left-over";

export class Violation extends Error {
  override readonly name = "Violation";
  readonly invariant: Invariant;

  constructor(invariant: Invariant, what: string) {
    super(what);
    this.invariant = invariant;
  }
}

/** @throws Violation unless it holds */
export function must(holds: boolean, invariant: Invariant, what: string): void {
  if (!holds) throw new Violation(invariant, what);
}
