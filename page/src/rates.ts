/** How fast fills are, from what one state after the other says of them. Pure. */

/** How far back a rate looks, ms: what is stored grows in steps of a slice. */
const WINDOW_MS = 20_000;

interface Sample {
  readonly at: number;
  readonly stored: number;
}

export class Rates {
  readonly #samples = new Map<string, Sample[]>();

  /** @param now by the edge's clock, ms */
  saw(fills: readonly { readonly image_id: string; readonly stored: number | null }[], now: number): void {
    const ids = new Set(fills.map(({ image_id }) => image_id));
    for (const id of this.#samples.keys()) if (!ids.has(id)) this.#samples.delete(id);
    for (const { image_id, stored } of fills) {
      if (stored === null) continue;
      const before = this.#samples.get(image_id) ?? [];
      const last = before.at(-1);
      // It began anew, or the clock was set back.
      const fresh = last !== undefined && (stored < last.stored || now <= last.at) ? [] : before;
      this.#samples.set(image_id, [...fresh.filter(({ at }) => now - at <= WINDOW_MS), { at: now, stored }]);
    }
  }

  /** Bytes a second; null while nobody can say. */
  of(imageId: string): number | null {
    const samples = this.#samples.get(imageId) ?? [];
    const first = samples[0];
    const last = samples.at(-1);
    if (first === undefined || last === undefined || last.at === first.at) return null;
    return ((last.stored - first.stored) * 1000) / (last.at - first.at);
  }
}
