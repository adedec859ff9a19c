/** One run: its images are made, its clients come, its faults happen, and all is looked at when it is over. */
import { setTimeout as sleep } from "node:timers/promises";
import type { DemoOrigin } from "../../demo/origin.ts";
import { checkAfter, checkClients } from "./checks.ts";
import { type Outcome, type Patience, runClient } from "./client.ts";
import { excusesOf } from "./excuses.ts";
import { type Fault, kindOf } from "./faults.ts";
import type { Lane } from "./lane.ts";
import { ImageAtOrigin } from "./origin.ts";
import type { Plan } from "./plan.ts";
import { untilQuiet } from "./quiet.ts";
import { settle } from "./settle.ts";

export interface RunResult {
  readonly plan: Plan;
  /** What was not as it must be; none: all was well. */
  readonly failures: readonly string[];
  /** Of each fault of the plan: whether it has hit something. */
  readonly reached: readonly boolean[];
  /** The machine was too slow for a deadline of the edge's, which excuses some things. */
  readonly busy: boolean;
  /** The slowest answer to a ping, ms. */
  readonly slowest: number;
  readonly ms: number;
  /** How each client fared. */
  readonly clients: readonly string[];
  /** What the edge has logged of its images, where it failed. */
  readonly lines: readonly string[];
}

/** A try that takes longer than this, with nothing wrong, hangs: no wait of the edge's own is longer than ten seconds, but the machine may be busy, ms. */
const ONE_TRY_MS = 60_000;
const ALL_TRIES_MS = 20_000;
/** The commit and what goes behind it takes a second here. */
const BEHIND_MS = 2_500;
/** Of one that is kept before anything happens. */
const WARM_MS = 30_000;

/** @throws when the runner itself fails */
export async function run(plan: Plan, lane: Lane, origin: DemoOrigin): Promise<RunResult> {
  const began = Date.now();
  const images = plan.images.map((image) => new ImageAtOrigin(origin, image));
  const reached = new Array<boolean>(plan.faults.length).fill(false);
  const failures: string[] = [];
  const lines: string[] = [];
  const clients: string[] = [];
  let busy = false;
  try {
    for (const image of images) await prepare(lane, image, plan);
    const outcomes = await play(plan, lane, images, reached);
    clients.push(...outcomes.map((outcome) => describe(plan, outcome)));
    // What a fill does behind its readers is to be harmed as well.
    for (const image of images) await untilQuiet(lane, image, () => true, BEHIND_MS);
    for (const image of images) await image.mend();
    for (const [index, image] of images.entries()) {
      const held = await lane.held(image.id);
      for (const [which, count] of held.reached.entries()) {
        const fault = callsOf(plan, index)[which];
        if (fault !== undefined && count > 0) reached[plan.faults.indexOf(fault)] = true;
      }
      await lane.endHarms(image.id);
      const mine = outcomes.filter(({ client }) => client.image === index);
      const excuses = excusesOf(plan, index, lane.slowestSince(began), lane.linesOf(image.id));
      busy ||= excuses.busy;
      const last = await settle(lane, image, excuses);
      const found = [
        ...checkClients(plan, excuses, image, mine),
        ...last.failures,
        ...(await checkAfter(lane, image, excuses, mine, last.tries)),
      ];
      failures.push(...found.map((what) => `image ${index}: ${what}`));
    }
  } finally {
    if (failures.length > 0) for (const image of images) lines.push(...lane.linesOf(image.id));
    for (const image of images) {
      await lane.forget(image.id).catch(() => undefined);
      await image.forgetSent().catch(() => undefined);
    }
  }
  return { plan, failures, reached, busy, slowest: lane.slowestSince(began), ms: Date.now() - began, clients, lines };
}

function describe(plan: Plan, { client, tries }: Outcome): string {
  const answers = tries.map(({ at, ms, range, status, ended, headers, bytes }) => {
    const when = `${new Date(at).toISOString().slice(17, 23)} +${ms} ms`;
    return `${when} ${range ?? "whole"}: ${status} ${bytes.length} bytes ${ended} ${headers["cache-status"]}`;
  });
  return `client ${plan.clients.indexOf(client)} ${JSON.stringify(client.does)}\n  ${answers.join("\n  ")}`;
}

/** Faults of one image that are harm to calls, as they were told to the edge. */
function callsOf(plan: Plan, image: number): Fault[] {
  return plan.faults.filter((fault) => fault.image === image && fault.act.do === "call");
}

async function prepare(lane: Lane, image: ImageAtOrigin, plan: Plan): Promise<void> {
  await image.make();
  await lane.tell(image.id, { injections: [], settings: {} });
  if (image.plan.kept) {
    const client = { image: 0, at: 0, does: { what: "whole", api: "v2" }, persists: true } as const;
    const { file } = await runClient(lane, image.id, client, { oneMs: WARM_MS, allMs: WARM_MS });
    if (file === null) throw new Error(`seed ${plan.seed}: the image was not given before anything went wrong`);
    for (
      const deadline = Date.now() + WARM_MS;
      (await lane.held(image.id)).fill?.phase === "complete";
      await sleep(50)
    ) {
      if (Date.now() > deadline)
        throw new Error(`seed ${plan.seed}: the image was not kept before anything went wrong`);
    }
    await image.forgetSent();
  }
  const index = plan.images.indexOf(image.plan);
  const injections = callsOf(plan, index).flatMap(({ act }) => (act.do === "call" ? [act.injection] : []));
  await lane.tell(image.id, { injections, settings: {} });
}

async function play(plan: Plan, lane: Lane, images: readonly ImageAtOrigin[], reached: boolean[]): Promise<Outcome[]> {
  const waits = plan.faults.reduce((sum, { name }) => sum + kindOf(name).waits, 0);
  const patience: Patience = { oneMs: ONE_TRY_MS + waits, allMs: ALL_TRIES_MS + waits };
  const clients = plan.clients.map(async (client): Promise<Outcome> => {
    await sleep(client.at);
    const image = images[client.image];
    if (image === undefined) throw new Error("a client of no image");
    return runClient(lane, image.id, client, patience);
  });
  const faults = plan.faults.map(async (fault, index) => {
    const image = images[fault.image];
    if (image === undefined) throw new Error("a fault of no image");
    await sleep(fault.at);
    if (await happen(fault, lane, image)) reached[index] = true;
  });
  const [outcomes] = await Promise.all([Promise.all(clients), Promise.all(faults)]);
  return outcomes;
}

/** Resolves when it is over. @returns whether it has hit something, as far as is known by then */
async function happen({ act, at }: Fault, lane: Lane, image: ImageAtOrigin): Promise<boolean> {
  switch (act.do) {
    case "call":
      return false;
    case "origin": {
      const end = await image.goesWrong(act.faults);
      const before = (await image.sent()).calls.length;
      await sleep(act.until - at);
      await end();
      return (await image.sent()).calls.length > before;
    }
    case "line":
      await image.setLine(true);
      await sleep(act.until - at);
      await image.setLine(false);
      return true;
    case "tamper":
      return lane.tamper(image.id, act.tampering);
    case "reset":
      await lane.reset(image.id);
      return true;
    case "kill":
      await lane.kill();
      return true;
    case "jump":
      await lane.jump(act.ms);
      return true;
    case "d1-away":
      await lane.setD1Away(true);
      await sleep(act.until - at);
      await lane.setD1Away(false);
      return true;
    case "d1-emptied":
      await lane.emptyD1();
      return true;
    case "clean":
      await lane.clean();
      return true;
  }
}
