/** The state of the edge at this moment, for the page: room, running fills, the queue. */
import type * as v from "valibot";
import type { Edge } from "../context.ts";
import { FillClient } from "../fill/client.ts";
import { USER_AGENT } from "../http/user-agent.ts";
import { withDeadline } from "../lib/deadline.ts";
import { BEGINNING } from "../store/queue.ts";
import type { RunningFill } from "../store/room.ts";
import { INDEX_AWAY } from "./answers.ts";
import type { State } from "./schemas.ts";

type Answer = v.InferOutput<typeof State>;

/** Fills whose progress is asked for, and rows of the queue: each fill costs a call. */
const SHOWN = 100;
/** D1 takes some ms; the page asks again soon. */
const INDEX_MS = 5_000;

export async function readState(edge: Edge): Promise<Answer> {
  const now = edge.now();
  const version = USER_AGENT.replace("glance-edge/", "");
  const cap = edge.settings.cacheMaxBytes;
  try {
    const [sums, images, counts, rows, running] = await withDeadline(
      "the index",
      INDEX_MS,
      Promise.all([
        edge.room.sums(),
        edge.images.sums(),
        edge.queue.counts(),
        edge.queue.page(BEGINNING, SHOWN),
        edge.room.running(SHOWN),
      ]),
    );
    const fills = await Promise.all(running.map((fill) => look(edge, fill)));
    return {
      now,
      version,
      room: { used: sums.kept + sums.filling, cap },
      images,
      fills: fills.filter((fill) => fill !== null),
      queue: {
        count: counts.queued,
        failing: counts.failing,
        rows: rows.map(({ imageId, queuedAt, attempts, notBefore, lastError, startedAt }) => ({
          image_id: imageId,
          queued_at: queuedAt,
          attempts,
          not_before: notBefore,
          last_error: lastError,
          started_at: startedAt,
        })),
      },
      unknown: null,
    };
  } catch (cause) {
    edge.log.error("catalog.unavailable", cause);
    const room = { used: null, cap };
    return { now, version, room, images: null, fills: null, queue: null, unknown: INDEX_AWAY };
  }
}

type Fill = NonNullable<Answer["fills"]>[number];

/** @returns null where its Fill knows of none: its room is given back in a moment */
async function look({ fills, log }: Edge, { imageId, size, since }: RunningFill): Promise<Fill | null> {
  const found = await new FillClient(fills, imageId, log).progress();
  const shown = { image_id: imageId, size, started_at: since };
  if (found.fill === "unreachable") return { ...shown, name: null, stored: null, readers: 0, state: "unknown" };
  if (found.fill === "none" || found.progress.state === "kept") return null;
  const { name, bytesStored, readers, state } = found.progress;
  return { ...shown, name, stored: bytesStored, readers, state: state === "complete" ? "storing" : "filling" };
}
