/**
 * What runs by the clock. Each task is bounded in time and goes on in its next run; each leaves one line in the log, and
 * one that fails keeps none of the others from running.
 */
import { type Edge, roomTools } from "../context.ts";
import { FillClient } from "../fill/client.ts";
import { advanceQueue } from "../fill/next.ts";
import type { Fields } from "../lib/log.ts";
import { clean } from "./clean.ts";
import { removeCleared } from "./cleared.ts";
import { prune } from "./prune.ts";
import { reconcile } from "./reconcile.ts";
import { scrub } from "./scrub.ts";
import { warm } from "./warm.ts";

/**
 * The expressions of wrangler.toml, `[triggers] crons`: the platform tells a run by its expression only. A run that comes
 * hourly may use 15 minutes of CPU, a more frequent one 30 seconds (Workers limits page), so the scrub is hourly.
 */
export const CRONS = { minutely: "* * * * *", tenMinutely: "*/10 * * * *", hourly: "23 * * * *" } as const;

/** The next run is a minute away, and queued images wait for their turn behind this. */
const WARM_MS = 20_000;
/** Well within the 15 minutes that a run may last, together with the task beside it. */
const CLEAN_MS = 4 * 60_000;
const SCRUB_MS = 8 * 60_000;
const PRUNE_MS = 4 * 60_000;
const RECONCILE_MS = 2 * 60_000;
/** A queued image whose Fill has not been at work for so long is lost: the object was stopped, or never began. */
const LOST_MS = 5 * 60_000;

/** Runs the tasks of one cron expression. Never throws. */
export async function runUpkeep(edge: Edge, cron: string): Promise<void> {
  switch (cron) {
    case CRONS.minutely:
      if (edge.settings.prefetchImages.length > 0) {
        await run(edge, "warm", async () => {
          const warmed = await warm(edge, edge.now() + WARM_MS);
          return warmed === null ? { skipped: "no service credentials" } : { ...warmed };
        });
      }
      return run(edge, "prefetch", () => prefetch(edge));
    case CRONS.tenMinutely:
      await run(edge, "prune", () => pruneToCap(edge));
      return run(edge, "reconcile", async () => {
        const reconciled = await reconcile(edge, edge.now() + RECONCILE_MS);
        return reconciled === null ? { skipped: "no service credentials" } : { ...reconciled };
      });
    case CRONS.hourly:
      await run(edge, "figures", async () => ({ folded: await edge.traffic.fold(edge.now()) }));
      await run(edge, "clean", async () => ({ ...(await clean(edge, edge.now() + CLEAN_MS)) }));
      return run(edge, "scrub", async () => {
        const scrubbed = await scrub(edge, edge.now() + SCRUB_MS);
        edge.meter.add("mismatches", "scrub", scrubbed.bad);
        return { ...scrubbed };
      });
    default:
      edge.log.error(
        "upkeep.unknown-cron",
        new Error("wrangler.toml names an expression that src/upkeep/cron.ts does not"),
      );
  }
}

async function run({ cursors, log, now }: Edge, task: string, work: () => Promise<Fields>): Promise<void> {
  const started = now();
  try {
    const summary = await work();
    log.info(`upkeep.${task}`, { ...summary, ms: now() - started });
    // For the metrics: no failure of the task.
    await cursors.succeeded(task, now()).catch((cause: unknown) => log.error("upkeep.not-noted", cause, { task }));
  } catch (cause) {
    log.error(`upkeep.${task}-failed`, cause, { ms: now() - started });
  }
}

async function pruneToCap(edge: Edge): Promise<Fields> {
  const { room, settings, now } = edge;
  const deadline = now() + PRUNE_MS;
  const cleared = await removeCleared(edge, deadline);
  const { files, bytes } = await prune(roomTools(edge), settings, deadline);
  return { cleared, files, bytes, cap: settings.cacheMaxBytes, ...(await room.sums()) };
}

async function prefetch(edge: Edge): Promise<Fields> {
  const { queue, now } = edge;
  // No more of them than PREFETCH_CONCURRENCY allows, or did before it was lowered.
  const old = await queue.startedUntil(now() - LOST_MS);
  const findings = await Promise.all(old.map((imageId) => isLost(edge, imageId)));
  const lost = findings.filter(Boolean).length;
  const started = await advanceQueue(edge, now());
  return { started, lost, ...(await queue.counts()) };
}

async function isLost({ queue, fills, log, now }: Edge, imageId: string): Promise<boolean> {
  const look = await new FillClient(fills, imageId, log).progress();
  // Who does not answer now may well be at work.
  if (look.fill === "unreachable" || (look.fill === "running" && look.progress.queued)) return false;
  await queue.failed(imageId, "the fill was stopped", now());
  return true;
}
