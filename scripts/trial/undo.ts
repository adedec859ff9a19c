/** What has to be undone when a trial ends, however it ends: last made, first removed. */

export class Undo {
  readonly #steps: { readonly what: string; readonly how: () => Promise<void> }[] = [];

  /** To be called before the thing is made: a maker that fails may have made it. */
  add(what: string, how: () => Promise<void>): void {
    this.#steps.push({ what, how });
  }

  get isEmpty(): boolean {
    return this.#steps.length === 0;
  }

  /** @returns what could not be undone, and why */
  async all(): Promise<string[]> {
    const left: string[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.how();
      } catch (error) {
        left.push(`${step.what}: ${error instanceof Error ? error.message : error}`);
      }
    }
    return left;
  }
}
