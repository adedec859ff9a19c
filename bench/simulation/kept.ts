/** A kept image to many machines: no Fill and no index on the way, two questions to the origin and one get each. */

import { Random } from "../random.ts";
import { Clock } from "./clock.ts";
import { type Counts, dollars } from "./costs.ts";
import { Drawn } from "./drawn.ts";
import type { Platform } from "./platform.ts";
import { Thread } from "./resources.ts";

export interface Kept {
  readonly platform: Platform;
  readonly seed: number;
  readonly machines: number;
  readonly imageBytes: number;
  readonly machineBits: number;
  /** The machines come evenly within so long, ms. */
  readonly within: number;
  /** Until the origin has answered, ms; and how many questions it answers a second. */
  readonly originMs: number;
  readonly questionsPerSecond: number;
}

export interface KeptFigures {
  readonly worstFirstByteMs: number;
  readonly lastMs: number;
  readonly questions: number;
  readonly classB: number;
  readonly dollars: number;
}

/** Record and right, asked at the same time (src/download/ask.ts). */
const QUESTIONS = 2;
/** An image above that is in parts, each a get (the setting OBJECT_MAX_BYTES). */
const OBJECT_BYTES = 4 * 2 ** 30;

export async function serveKept(kept: Kept): Promise<KeptFigures> {
  const { machines, imageBytes, machineBits } = kept;
  const clock = new Clock();
  const gets = new Drawn(kept.platform.get, new Random(kept.seed));
  const origin = new Thread(clock);
  const perMachine = Math.max(1, Math.ceil(imageBytes / OBJECT_BYTES));
  const counts: Counts = {
    requests: machines,
    calls: 0,
    rows: 0,
    classA: 0,
    classB: machines * perMachine,
    sentBytes: machines * imageBytes,
  };
  let worstFirstByteMs = 0;
  let lastMs = 0;
  for (let machine = 0; machine < machines; machine++) {
    clock.at((machine * kept.within) / machines, () => {
      let allowed = 0;
      for (let n = 0; n < QUESTIONS; n++) allowed = origin.job(1_000 / kept.questionsPerSecond) + kept.originMs;
      const first = Math.max(allowed, clock.now + gets.next());
      worstFirstByteMs = Math.max(worstFirstByteMs, first - clock.now);
      lastMs = Math.max(lastMs, first + (imageBytes * 8_000) / machineBits);
    });
  }
  await clock.run();
  return {
    worstFirstByteMs,
    lastMs,
    questions: machines * QUESTIONS,
    classB: counts.classB,
    dollars: dollars(counts, 0),
  };
}
