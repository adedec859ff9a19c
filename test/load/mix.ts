/** What many clients do at once: hits, ranges, misses, resumes, management, the page's API, and what is the origin's. */

import type { Random } from "../../bench/random.ts";
import type { Client, SeededImage } from "./client.ts";
import type { Counts } from "./counts.ts";
import type { Fresh } from "./images.ts";

export const METRICS_TOKEN = "a-token-for-the-load-test";
/** Before the next request, ms, at the most. */
const PAUSE_MS = 200;

export interface Mix {
  /** Kept by the edge, all the time. */
  readonly kept: readonly SeededImage[];
  /** The managers' own: they are queued and taken out again. */
  readonly managed: readonly SeededImage[];
  readonly fresh: Fresh;
  readonly random: Random;
  readonly counts: Counts;
}

type Action = (client: Client, mix: Mix) => Promise<void>;

/** How often, in relation to each other. */
const ACTIONS: readonly (readonly [share: number, kind: string, act: Action])[] = [
  [35, "hit", async (client, { kept, random, counts }) => counts.read(await client.read(random.one(kept)))],
  [20, "range", range],
  [8, "miss", (client, { fresh, counts }) => fresh.use(client, async (image) => counts.read(await client.read(image)))],
  [9, "resumed hit", async (client, mix) => resume(client, mix, mix.random.one(mix.kept))],
  [4, "resumed miss", (client, mix) => mix.fresh.use(client, (image) => resume(client, mix, image))],
  [8, "management", manage],
  [8, "page", lookAtPage],
  [8, "other", askOther],
];

export const KINDS = ACTIONS.map(([, kind]) => kind);

/**
 * One client, until the time is over; what goes wrong is counted, and it goes on.
 * @param kinds of requests
 * @param until ms of performance.now()
 */
export async function runClient(client: Client, mix: Mix, kinds: readonly string[], until: number): Promise<void> {
  const { random, counts } = mix;
  const actions = ACTIONS.flatMap((action) =>
    kinds.includes(action[1]) ? Array<typeof action>(action[0]).fill(action) : [],
  );
  while (performance.now() < until) {
    const [, kind, act] = random.one(actions);
    try {
      await act(client, mix);
      counts.count(kind);
    } catch (cause) {
      counts.fault(kind, cause);
    }
    await new Promise((resolve) => setTimeout(resolve, random.below(PAUSE_MS)));
  }
}

async function range(client: Client, { kept, random, counts }: Mix): Promise<void> {
  const image = random.one(kept);
  const from = random.below(image.size);
  counts.read(await client.read(image, from, Math.min(image.size, from + 1 + random.below(4 * 2 ** 20))));
}

/** Hangs up somewhere, as often as it takes to have it whole. */
async function resume(client: Client, { random, counts }: Mix, image: SeededImage): Promise<void> {
  for (let at = 0; at < image.size; ) {
    const read = await client.read(image, at, image.size, 1 + random.below(image.size));
    counts.read(read);
    at += read.bytes;
  }
}

async function manage(client: Client, { managed, random }: Mix): Promise<void> {
  const { id } = random.one(managed);
  const token = "admin";
  switch (random.below(6)) {
    case 0:
      return void (await client.ask("/v2/cache", 200, { token }));
    case 1:
      return void (await client.ask("/v2/cache/fills?limit=20", 200, { token }));
    case 2:
      return void (await client.ask(`/v2/cache/${id}`, 202, { token, method: "PUT" }));
    case 3:
      return void (await client.ask(`/v2/cache/${id}`, 204, { token, method: "DELETE" }));
    case 4:
      return void (await client.ask("/v2/cache/prune", 200, { token, method: "POST" }));
    default:
      return void (await client.ask("/v2/cache", 403));
  }
}

async function lookAtPage(client: Client, { kept, random }: Mix): Promise<void> {
  const token = "admin";
  switch (random.below(6)) {
    case 0: {
      const state: unknown = JSON.parse(await client.ask("/edge/api/state", 200, { token }));
      const unknown = typeof state === "object" && state !== null && "unknown" in state ? state.unknown : "no state";
      if (unknown !== null) throw new Error(`the page's state: ${String(unknown)}`);
      return;
    }
    case 1:
      return void (await client.ask("/edge/api/images?sort=size&limit=10", 200, { token }));
    case 2:
      return void (await client.ask("/edge/api/traffic", 200, { token }));
    case 3: {
      const method = random.below(2) === 0 ? "PUT" : "DELETE";
      return void (await client.ask(`/edge/api/pins/${random.one(kept).id}`, 200, { token, method }));
    }
    case 4: {
      const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
      return void (await client.ask("/edge/metrics", 200, { token: null, headers }));
    }
    default:
      return void (await client.ask("/edge/ready", 200, { token: null }));
  }
}

/** What the origin answers, and refuses. */
async function askOther(client: Client, { kept, random }: Mix): Promise<void> {
  const { id, size } = random.one(kept);
  switch (random.below(6)) {
    case 0:
      return void (await client.ask("/v2/images?limit=5", 200));
    case 1:
      return void (await client.ask(`/v2/images/${id}`, 200));
    case 2:
      return void (await client.ask(`/v2/images/${id}/file`, 404, { token: "other" }));
    case 3:
      return void (await client.ask(`/v2/images/${id}/file`, 403, { token: "barred" }));
    case 4:
      return void (await client.ask(`/v2/images/${id}/file`, 401, { token: "nobody's" }));
    default:
      return void (await client.ask(`/v2/images/${id}/file`, 416, { headers: { range: `bytes=${size}-` } }));
  }
}
