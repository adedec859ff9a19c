/** How long a kept image takes to its first byte, with the origin 100 ms away: asked each time, and remembered. */
import { type Bench, fillEdge, fillObjectFloor, MIB, measure, median, verify } from "../bench.ts";
import { FarAway } from "../far.ts";
import { dataPath, type Image } from "../origin.ts";
import type { Line } from "../report.ts";
import { startBare, startEdge, type Workerd } from "../workerd.ts";

const ROUND_TRIP_MS = 100;
/** Downloads of each Worker, one after the other; the figure is their median. */
const DOWNLOADS = 30;

export async function firstByte(bench: Bench): Promise<Line[]> {
  const { origin, quick, note } = bench;
  const far = await FarAway.start(origin.url, ROUND_TRIP_MS);
  try {
    const [asking, remembering, floor] = await Promise.all([
      startEdge({ ORIGIN_URL: far.url }),
      startEdge({ ORIGIN_URL: far.url, AUTHORIZATION_TTL: "3600" }),
      startBare("bench/floors/r2-object.ts"),
    ]);
    const image = await origin.makeImage((quick ? 1 : 8) * MIB);
    await fillEdge(bench, asking, image);
    await fillEdge(bench, remembering, image);
    await fillObjectFloor(bench, floor, image);
    const path = dataPath(image);
    const ask = `/?ask=${encodeURIComponent(`${far.url}/v2/images/${image.id}`)}`;
    const [asked, bareAsked] = await alternate(bench, image, [asking, path], [floor, ask]);
    const [remembered, bare] = await alternate(bench, image, [remembering, path], [floor, "/"]);
    note(`first byte: ${asked.toFixed(0)} ms, floor ${bareAsked.toFixed(0)} ms`);
    note(`first byte, remembered: ${remembered.toFixed(0)} ms, floor ${bare.toFixed(0)} ms`);
    return [
      {
        case: "hit, origin 100 ms away",
        figure: "time to the first byte / round trip",
        goal: { most: 1.15 },
        value: asked / ROUND_TRIP_MS,
        floor: bareAsked / ROUND_TRIP_MS,
        from: `${asked.toFixed(0)} ms; a bare Worker that asks one thing: ${bareAsked.toFixed(0)} ms`,
      },
      {
        case: "the same, remembered",
        figure: "time to the first byte",
        goal: { most: 15 },
        value: remembered,
        floor: bare,
        unit: "ms",
        from: "a bare Worker that asks nothing",
      },
    ];
  } finally {
    far.stop();
  }
}

/** Medians of the times to the first byte, ms, of two Workers that take turns. */
async function alternate(
  bench: Bench,
  image: Image,
  ...sides: readonly [readonly [Workerd, string], readonly [Workerd, string]]
): Promise<readonly [number, number]> {
  for (const [worker, path] of sides) await verify(bench, worker, path, image, 1);
  const times: [number[], number[]] = [[], []];
  for (let download = 0; download < (bench.quick ? 3 : DOWNLOADS); download++) {
    for (const side of [0, 1] as const) {
      const [worker, path] = sides[side];
      const { fetched } = await measure(bench, worker, path, image, 1);
      times[side].push(...fetched.map((one) => one.firstByteMs));
    }
  }
  return [median(times[0]), median(times[1])];
}
