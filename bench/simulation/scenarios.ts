/** What is simulated for docs/scale.md: each group is one table, its rows differ in what their names say. */
import { CLOUDFLARE, LOCAL, SLOW_R2 } from "./platform.ts";
import { type Figures, type Storm, simulate } from "./storm.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const MBIT = 1e6;

/** 1 GiB over 100 Mbit/s to machines with 1 Gbit/s that come within a minute. */
const USUAL: Storm = {
  platform: CLOUDFLARE,
  seed: 13,
  machines: 1_000,
  imageBytes: GIB,
  images: 1,
  originBits: 100 * MBIT,
  machineBits: 1_000 * MBIT,
  within: 60_000,
  sliceBytes: 4 * MIB,
  resetAt: null,
  outage: null,
  originMs: 100,
};

export interface Scenario {
  readonly name: string;
  readonly change: Partial<Storm>;
}

export interface Row {
  readonly name: string;
  readonly storm: Storm;
  readonly figures: Figures;
}

const MACHINES = [1, 10, 100, 1_000, 3_000, 10_000] as const;

/** What the goals are about; quick enough for a test. */
export const BY_MACHINES: readonly Scenario[] = MACHINES.map((machines) => ({
  name: machines.toLocaleString("en"),
  change: { machines },
}));

export const AT_ONCE: readonly Scenario[] = MACHINES.map((machines) => ({
  name: machines.toLocaleString("en"),
  change: { machines, within: 0 },
}));

export const LINKS = [100, 200, 400, 1_000, 10_000] as const;
export const SIZES = [1, 10, 50] as const;

/** @param gib of the image @param sliceMib the setting SLICE_BYTES */
export function byLink(gib: number, sliceMib: number): readonly Scenario[] {
  return LINKS.map((mbit) => ({
    name: `${gib} GiB, ${mbit >= 1_000 ? `${mbit / 1_000} Gbit/s` : `${mbit} Mbit/s`}, slices of ${sliceMib} MiB`,
    change: {
      machines: 100,
      within: 0,
      imageBytes: gib * GIB,
      originBits: mbit * MBIT,
      machineBits: Math.max(1_000, mbit) * MBIT,
      sliceBytes: sliceMib * MIB,
    },
  }));
}

export const TROUBLE: readonly Scenario[] = [
  { name: "nothing", change: {} },
  { name: "R2 at its worst: each get 1.2 s, each put 2 s", change: { platform: SLOW_R2 } },
  { name: "the object is reset half way", change: { resetAt: 0.5 } },
  { name: "the same, 10 GiB", change: { resetAt: 0.5, imageBytes: 10 * GIB } },
  { name: "the origin's line breaks half way for 3 s", change: { outage: { at: 0.5, ms: 3_000 } } },
  { name: "the origin's line breaks half way for 30 s", change: { outage: { at: 0.5, ms: 30_000 } } },
  { name: "four images at once, one isolate", change: { images: 4 } },
  { name: "the same over 1 Gbit/s", change: { images: 4, originBits: 1_000 * MBIT } },
  { name: "machines with 100 Mbit/s", change: { machineBits: 100 * MBIT } },
];

export async function run(scenarios: readonly Scenario[], base: Partial<Storm> = {}): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, change } of scenarios) {
    const storm = { ...USUAL, ...base, ...change };
    rows.push({ name, storm, figures: await simulate(storm) });
  }
  return rows;
}

/** A storm as it was measured, on the local simulator. @returns seconds until the last byte */
export async function predict(clients: number, bytesPerSecond: number, imageBytes: number): Promise<number> {
  const [row] = await run([{ name: "", change: { machines: clients, originBits: bytesPerSecond * 8, imageBytes } }], {
    platform: LOCAL,
    within: 0,
    machineBits: 1e11,
    originMs: 5,
  });
  return (row?.figures.lastMs ?? 0) / 1_000;
}
