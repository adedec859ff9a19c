/** One storm: so many machines download images that nobody has downloaded before, over one line to the origin. */
import { BufferPool } from "../../src/fill/object/pool.ts";
import type { Subject } from "../../src/fill/protocol.ts";
import { Random } from "../random.ts";
import { Clock } from "./clock.ts";
import { type Counts, dollars } from "./costs.ts";
import { Drawn } from "./drawn.ts";
import { SimulatedFill } from "./fill.ts";
import type { Platform } from "./platform.ts";
import { SimulatedReader } from "./reader.ts";
import { Line, Thread } from "./resources.ts";

export interface Storm {
  readonly platform: Platform;
  readonly seed: number;
  readonly machines: number;
  readonly imageBytes: number;
  /** Each machine wants one of them. They are filled by one isolate: one pool of memory, one thread. */
  readonly images: number;
  /** Bits a second: of the line to the origin, and of each machine's own. */
  readonly originBits: number;
  readonly machineBits: number;
  /** The machines come evenly within so long, ms; 0: all at once. */
  readonly within: number;
  /** The setting SLICE_BYTES. */
  readonly sliceBytes: number;
  /** The object is made anew when the line has carried this share of its time; null: it is not. */
  readonly resetAt: number | null;
  /** The line breaks then for so long. */
  readonly outage: { readonly at: number; readonly ms: number } | null;
  /** Until the origin's first byte, and until it has allowed a download, ms. */
  readonly originMs: number;
}

export interface Figures {
  /** What the lines alone would take for the last machine, and what it took, ms; and the worst machine's ratio of these. */
  readonly linkMs: number;
  readonly lastMs: number;
  readonly ratio: number;
  readonly worstFirstByteMs: number;
  /** Calls at the Fill: each machine's first one, and those at their turns. */
  readonly firstCalls: number;
  readonly turnCalls: number;
  readonly callsPerSecond: number;
  readonly worstSecond: number;
  /** The same without first calls. */
  readonly worstSecondOfTurns: number;
  /** R2 operations. */
  readonly classA: number;
  readonly classB: number;
  /** The most that slices took of the isolate's memory, bytes. */
  readonly poolBytes: number;
  /** The most that the Fill's thread had to do, as a share of the time. */
  readonly busy: number;
  readonly dollars: number;
  /** Machines that went to the origin by themselves. */
  readonly alone: number;
  /** Times that the line carried the image. */
  readonly overTheLine: number;
}

const BITS = 8;

export async function simulate(storm: Storm): Promise<Figures> {
  const { platform, machines, imageBytes, images, within } = storm;
  const clock = new Clock();
  const random = new Random(storm.seed);
  const gets = new Drawn(platform.get, random);
  const puts = new Drawn(platform.put, random);
  const thread = new Thread(clock);
  const alone = (imageBytes * images * BITS * 1_000) / storm.originBits;
  const at = (share: number) => share * alone;
  const outage = storm.outage === null ? null : { at: at(storm.outage.at), ms: storm.outage.ms };
  const line = new Line(storm.originBits / BITS, outage);
  const pool = new BufferPool(undefined, () => clock.now);
  const counts: Counts = {
    requests: machines,
    calls: 0,
    rows: 0,
    classA: 0,
    classB: 0,
    sentBytes: machines * imageBytes,
  };
  let poolBytes = 0;
  const firsts: number[] = [];
  const turns: number[] = [];
  const called = (which: "first" | "turn") => {
    counts.calls++;
    const seconds = which === "first" ? firsts : turns;
    const second = Math.floor(clock.now / 1_000);
    seconds[second] = (seconds[second] ?? 0) + 1;
  };
  const fills = Array.from({ length: images }, (_, image) => {
    const parts = { clock, platform, thread, line, pool, owner: `fill-${image}`, gets, puts, originMs: storm.originMs };
    const count = (what: "get" | "put") => {
      if (what === "put") counts.classA++;
      else counts.classB++;
      poolBytes = Math.max(poolBytes, pool.used);
    };
    const written = () => counts.rows++;
    return new SimulatedFill({ ...parts, count, sliceBytes: storm.sliceBytes, written }, subjectOf(image, imageBytes));
  });
  let left = machines;
  const ended = () => left--;
  const readers = Array.from({ length: machines }, (_, machine) => {
    const image = machine % images;
    const fill = fills[image];
    if (fill === undefined) throw new RangeError("no such image");
    const parts = {
      clock,
      platform,
      fill,
      subject: subjectOf(image, imageBytes),
      gets,
      bytesPerMs: storm.machineBits / BITS / 1_000,
      permissionMs: storm.originMs,
      thread: platform.oneThread === null ? null : thread,
      count: () => counts.classB++,
      called,
      ended,
    };
    return new SimulatedReader(parts, `machine-${machine}`, (machine * within) / machines);
  });
  if (storm.resetAt !== null) clock.at(at(storm.resetAt), () => fills[0]?.reset());
  await clock.run();
  if (left !== 0) throw new Error(`${left} machines have no end`);
  const machineMs = (imageBytes * BITS * 1_000) / storm.machineBits;
  const done = readers.filter(({ doneAt }) => doneAt !== null);
  const bounds = done.map(({ arrivedAt }) => Math.max(alone, arrivedAt + machineMs));
  const lastMs = Math.max(0, ...done.map(({ doneAt }) => doneAt ?? 0));
  const seconds = Math.max(1, lastMs / 1_000);
  const perSecond = Array.from({ length: Math.max(firsts.length, turns.length) }, (_, second) => ({
    turns: turns[second] ?? 0,
    all: (firsts[second] ?? 0) + (turns[second] ?? 0),
  }));
  const turnCalls = perSecond.reduce((sum, one) => sum + one.turns, 0);
  return {
    linkMs: Math.max(0, ...bounds),
    lastMs,
    ratio: Math.max(0, ...done.map(({ doneAt }, reader) => (doneAt ?? 0) / (bounds[reader] ?? 1))),
    worstFirstByteMs: Math.max(0, ...done.map(({ firstByteAt, arrivedAt }) => (firstByteAt ?? 0) - arrivedAt)),
    firstCalls: counts.calls - turnCalls,
    turnCalls,
    callsPerSecond: counts.calls / seconds,
    worstSecond: Math.max(0, ...perSecond.map(({ all }) => all)),
    worstSecondOfTurns: Math.max(0, ...perSecond.map((one) => one.turns)),
    classA: counts.classA,
    classB: counts.classB,
    poolBytes,
    busy: thread.busyMs / lastMs,
    dollars: dollars(counts, seconds * images),
    alone: readers.filter((one) => one.alone !== null).length,
    overTheLine: line.carried / (imageBytes * images),
  };
}

function subjectOf(image: number, size: number): Subject {
  return { imageId: `image-${image}`, size, digest: { algorithm: "sha512", hex: "a".repeat(128) }, checksum: null };
}
