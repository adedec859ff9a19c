/** Questions to a Fill, and puts to R2, that a test holds back and lets go at the worst moment. */
import type { Ask } from "../../src/fill/protocol.ts";
import type { Env } from "../../src/settings.ts";
import { bucketBut, countAsks, sliceOf } from "./bindings.ts";
import { CALM, fillEnv } from "./fill-env.ts";
import { bindings } from "./scenario.ts";

/** Holds back some of a reader's questions to its Fill. */
export class Holding {
  held = 0;
  #asks = 0;
  #open = false;
  readonly env: Partial<Env>;

  /** @param which @param count the questions before it */
  constructor(which: (ask: Ask, count: number) => boolean) {
    const { fills } = countAsks(async (ask) => {
      if (!which(ask, this.#asks++)) return;
      this.held++;
      // Looked at again and again: a promise that another request settles would go on in that one's context.
      while (!this.#open) await scheduler.wait(20);
    });
    this.env = { FILL: fills };
  }

  open(): void {
    this.#open = true;
  }
}

/** A put that R2 has taken in, and does when the test says so. */
export interface HeldPut {
  readonly key: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly options: R2PutOptions | undefined;
}

/** Fills whose puts of one slice are held back for ever; R2 has them. */
export function holdPutsOf(slice: number): HeldPut[] {
  const held: HeldPut[] = [];
  const put = (...args: Parameters<R2Bucket["put"]>): Promise<R2Object | null> => {
    const [key, body, options] = args;
    if (!key.startsWith("fills/") || sliceOf(key) !== slice || held.length > 0) return bindings.BUCKET.put(...args);
    held.push({ key, bytes: (body as Uint8Array<ArrayBuffer>).slice(), options });
    return new Promise<never>(() => undefined);
  };
  fillEnv.changes = { ...CALM, BUCKET: bucketBut({ put }) };
  return held;
}
