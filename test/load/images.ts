/** The images of a load: small ones, each with content of its own. */
import type { Origin } from "../../bench/origin.ts";
import type { Random } from "../../bench/random.ts";
import type { Client, SeededImage } from "./client.ts";

const MIB = 2 ** 20;
/** As many contents as the demo origin's generator remembers: making one costs more than sending it. */
const SEEDS = 48;

export class Images {
  readonly #origin: Origin;
  readonly #random: Random;
  #made = 0;

  constructor(origin: Origin, random: Random) {
    this.#origin = origin;
    this.#random = random;
  }

  /** @param most MiB: it has from one to so many, and is no whole number of slices */
  async make(most: number): Promise<SeededImage> {
    const seed = 1 + (this.#made++ % SEEDS);
    const size = Math.round((1 + this.#random.next() * (most - 1)) * MIB) + 1;
    return { ...(await this.#origin.makeImage(size, seed)), seed };
  }
}

/**
 * Images that nobody asked for before: each is for a few clients, and the last of them deletes it, so that what a load makes
 * does not pile up.
 */
export class Fresh {
  readonly #make: () => Promise<SeededImage>;
  readonly #readers: number;
  #newest: { readonly image: Promise<SeededImage>; left: number; reading: number } | null = null;

  constructor(readers: number, make: () => Promise<SeededImage>) {
    this.#readers = readers;
    this.#make = make;
  }

  async use(client: Client, read: (image: SeededImage) => Promise<void>): Promise<void> {
    this.#newest ??= { image: this.#make(), left: this.#readers, reading: 0 };
    const mine = this.#newest;
    mine.left--;
    mine.reading++;
    if (mine.left === 0) this.#newest = null;
    const image = await mine.image;
    await read(image);
    mine.reading--;
    if (mine.left > 0 || mine.reading > 0) return;
    await client.ask(`/v2/images/${image.id}`, 204, { method: "DELETE" });
  }
}
