/** Servers take turns at one task: how a run is measured, and what it must not get wrong. */
import type { Image } from "./origin.ts";
import type { Sample, Series, Task } from "./results.ts";
import type { Server, Site } from "./servers/server.ts";
import type { ServerName } from "./servers/servers.ts";

/** How often a server that is no floor takes its turn, at most. */
const PEER_ROUNDS = 3;
/** All that a median of the edge's may be compared with at 5 %. */
const EVERY_ROUND = new Set<ServerName>(["edge", "r2-object", "fill", "store", "edge-without-store", "digest-proxy"]);

export interface Contest {
  /** For a person who watches. */
  readonly name: string;
  readonly task: Task;
  readonly servers: ReadonlyMap<ServerName, Server>;
  /** What all of them keep; null: each run has an image that nobody asked for before. */
  readonly kept: Image | null;
  /** Rounds of each, in place of the usual ones. */
  readonly rounds?: number;
}

/** @throws WrongBytes, and Error when a server did something else than it was to */
export async function takeTurns(site: Site, contest: Contest): Promise<Series[]> {
  const { task, servers, name } = contest;
  const at = new Date().toISOString();
  const samples = new Map<ServerName, Sample[]>();
  await site.origin.limit(task.rate);
  for (let round = 0; round < (contest.rounds ?? site.rounds); round++) {
    // There and back again: none has always the same one before it.
    for (const [server, it] of round % 2 === 0 ? servers : [...servers].reverse()) {
      if (contest.rounds === undefined && round >= PEER_ROUNDS && !EVERY_ROUND.has(server)) continue;
      const sample = await (contest.kept === null
        ? runFresh(site, it, task)
        : run(site, it, contest.kept, task.clients, "kept"));
      checkOrigin(server, sample, contest);
      samples.set(server, [...(samples.get(server) ?? []), sample]);
      if (contest.rounds === undefined) site.note(`${name}, round ${round + 1}: ${server} ${show(sample, task)}`);
    }
  }
  await site.origin.limit(null);
  return [...samples].map(([server, samples]) => ({ server, ...task, at, samples }));
}

async function runFresh(site: Site, server: Server, { size, clients }: Task): Promise<Sample> {
  const image = await site.origin.makeImage(size);
  await server.prepare?.(image);
  try {
    return await run(site, server, image, clients, "fresh");
  } finally {
    await server.drop(image);
  }
}

async function run(
  site: Site,
  server: Server,
  image: Image,
  clients: number,
  expected: "kept" | "fresh",
): Promise<Sample> {
  await site.origin.forgetRequests();
  const before = server.meters.map((meter) => meter.cpuSeconds());
  const startedAt = performance.now();
  let firstByte: number | null = null;
  let seconds: number;
  let clientsCpu = 0;
  if (server.work === undefined) {
    const { url, token } = server.at(image);
    const digest = site.short && server.otherBytes !== true;
    const { fetched, cpu } = await site.clients.download(url, image, clients, digest, token);
    const says = server.says?.[expected] ?? /^/;
    if (!fetched.every(({ cacheStatus }) => says.test(cacheStatus ?? ""))) {
      throw new Error(`${url}: Cache-Status ${fetched.map(({ cacheStatus }) => cacheStatus)}, not ${says}`);
    }
    firstByte = Math.max(...fetched.map((one) => one.firstByteMs)) / 1000;
    seconds = Math.max(...fetched.map((one) => one.doneMs)) / 1000;
    clientsCpu = cpu;
  } else {
    await server.work(image);
    seconds = (performance.now() - startedAt) / 1000;
  }
  const cpu = server.meters.map((meter, at) => [meter.name, round(meter.cpuSeconds() - (before[at] ?? 0))] as const);
  return {
    seconds: round(seconds),
    firstByte: firstByte === null ? null : round(firstByte),
    cpu: Object.fromEntries(cpu),
    clientsCpu: round(clientsCpu),
    originBytes: await site.origin.sent(),
  };
}

/** What the edge promises of the origin's bytes, here where nothing fails. */
function checkOrigin(server: ServerName, { originBytes }: Sample, { task, kept }: Contest): void {
  // A relay goes to the origin by itself while the edge is too busy to answer its checks.
  if (server !== "edge" && (server !== "relay" || kept === null)) return;
  const expected = kept === null ? task.size : 0;
  if (originBytes !== expected) {
    throw new Error(`${server}: the origin sent ${originBytes} bytes, not ${expected}`);
  }
}

/** As precise as it is worth in a file. */
function round(value: number): number {
  return Number(value.toFixed(5));
}

function show(sample: Sample, { size, clients }: Task): string {
  const cpu = Object.entries(sample.cpu).map(([name, seconds]) => `${name} ${seconds.toFixed(2)} s`);
  const firstByte = sample.firstByte === null ? "" : `, first byte ${sample.firstByte.toFixed(2)} s`;
  const speed = ((size * clients) / 1e6 / sample.seconds).toFixed(0);
  return `${sample.seconds.toFixed(2)} s, ${speed} MB/s${firstByte}, origin ${(sample.originBytes / size).toFixed(3)}, CPU ${cpu.join(", ")}, clients ${sample.clientsCpu.toFixed(2)} s`;
}
