/**
 * A fill that nobody pulls, pulled by its Durable Object: the same puller, without a client, under the rights of whoever
 * pulled last.
 */
import type { Log } from "../observe/log.ts";
import { ImageBody } from "../origin/image-body.ts";
import type { SliceStore } from "../store/slices.ts";
import { type Errand, errandHeaders, type Subject, type Turn } from "./protocol.ts";
import { Pull, type PullEnd } from "./puller.ts";
import type { LeaseHolder } from "./slice-writer.ts";

/** A run ends well before the platform's 15 minutes of an alarm (Durable Objects docs, alarms); the next one goes on. */
const RUN_MS = 10 * 60_000;

export interface BackgroundJob {
  readonly subject: Subject;
  readonly turn: Extract<Turn, { do: "pull" }>;
  readonly errand: Errand;
  /** Base URL of the origin. */
  readonly origin: string;
  readonly slices: SliceStore;
  readonly lease: LeaseHolder;
  readonly log: Log;
}

/** Pulls from the turn's slice on. @throws ImageBodyError, OriginUnreachable: the lease is given back then */
export async function pullInBackground(job: BackgroundJob): Promise<PullEnd> {
  const { subject, turn, errand, origin, slices, lease, log } = job;
  const deadline = Date.now() + RUN_MS;
  const pull = new Pull({
    plan: { size: subject.size, sliceBytes: turn.sliceBytes },
    blob: turn.blob,
    generation: turn.generation,
    slice: turn.slice,
    body: new ImageBody({
      target: errand.target,
      caller: errandHeaders(errand),
      origin,
      size: subject.size,
    }),
    slices,
    lease,
    client: null,
    log,
    expired: () => Date.now() >= deadline,
  });
  const end = await pull.run();
  log.info("fill.background", { image_id: subject.imageId, end, from_slice: turn.slice });
  return end;
}
