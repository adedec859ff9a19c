/** A client of a run: asks, and where its plan says so comes again until it has the image. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Answered, ask } from "./ask.ts";
import type { Lane } from "./lane.ts";
import type { ClientPlan, Doing } from "./plan.ts";

/** Between two tries, ms. */
const AGAIN_MS = 250;

export interface Try extends Answered {
  /** The image's byte that was asked for first; null: all of it was asked for. */
  readonly range: string | null;
}

export interface Outcome {
  readonly client: ClientPlan;
  readonly tries: readonly Try[];
  /** What it has put together of an image that it wanted all of; null: it has not all. */
  readonly file: Buffer | null;
}

export interface Patience {
  /** Of one try, ms. */
  readonly oneMs: number;
  /** Of one that comes again and again, ms. */
  readonly allMs: number;
}

/** @param again whether it may still come again */
export async function runClient(lane: Lane, imageId: string, client: ClientPlan, patience: Patience): Promise<Outcome> {
  const deadline = Date.now() + patience.allMs;
  const tries: Try[] = [];
  let have: Buffer = Buffer.alloc(0);
  const { does } = client;
  const isV1 = does.what === "whole" && does.api === "v1";
  const wantsAll = does.what === "whole" || does.what === "crawl";
  for (;;) {
    const goesOn = wantsAll && have.length > 0 && !isV1;
    const range = goesOn ? `bytes=${have.length}-` : rangeOf(does);
    const answer = await askFor(lane, imageId, does, range, patience.oneMs);
    tries.push({ ...answer, range });
    if (wantsAll) {
      if (answer.status === 206 && goesOn) have = Buffer.concat([have, answer.bytes]);
      else if (answer.status === 200) have = answer.bytes;
      // What it has may be wrong: it begins anew.
      else if (isLeftAlone(answer)) have = Buffer.alloc(0);
    }
    const done = answer.ended === "well" && answer.status > 0 && answer.status < 400;
    if (done) return { client, tries, file: wantsAll ? have : null };
    if (!client.persists || answer.ended === "left" || isFinal(does, answer) || Date.now() > deadline) {
      return { client, tries, file: null };
    }
    await sleep(AGAIN_MS);
  }
}

/** A part of an image whose data was wrong: refused, since it may complete what is wrong. */
export function isLeftAlone(answer: Answered): boolean {
  return answer.status === 502 && ["left-alone", "digest-mismatch"].includes(detailOf(answer) ?? "");
}

/** Why the cache kept out of an answer, or gave none. */
export function detailOf({ headers }: Answered): string | null {
  return /detail=([a-z-]+)/.exec(cacheStatusOf({ headers }))?.[1] ?? null;
}

export function cacheStatusOf({ headers }: Pick<Answered, "headers">): string {
  return String(headers["cache-status"] ?? "");
}

/** A refusal that is an answer. */
function isFinal(does: Doing, { status }: Answered): boolean {
  return does.what === "only-if-cached" && status === 504;
}

async function askFor(
  lane: Lane,
  imageId: string,
  does: Doing,
  range: string | null,
  patience: number,
): Promise<Answered> {
  const managing = does.what === "delete" || does.what === "prefetch";
  const headers: Record<string, string> = { "x-auth-token": managing ? "admin" : "demo" };
  if (range !== null) headers.range = range;
  if (does.what === "only-if-cached") headers["cache-control"] = "only-if-cached";
  if (does.what === "crawl") headers["x-faults-crawl"] = String(does.ms);
  let url: string;
  try {
    url = lane.url;
  } catch {
    return { status: 0, headers: {}, bytes: Buffer.alloc(0), ended: "cut", at: Date.now(), ms: 0 };
  }
  return ask(url, {
    method: METHODS[does.what] ?? "GET",
    path: pathOf(imageId, does),
    headers,
    patience,
    ...(does.what === "leave" ? { leaveAfter: does.after } : {}),
  });
}

const METHODS: Partial<Record<Doing["what"], string>> = { head: "HEAD", delete: "DELETE", prefetch: "PUT" };

function pathOf(imageId: string, does: Doing): string {
  if (does.what === "delete" || does.what === "prefetch") return `/v2/cache/${imageId}`;
  return does.what === "whole" && does.api === "v1" ? `/v1/images/${imageId}` : `/v2/images/${imageId}/file`;
}

function rangeOf(does: Doing): string | null {
  if (does.what !== "range") return null;
  return `bytes=${does.from ?? ""}-${does.to ?? ""}`;
}
