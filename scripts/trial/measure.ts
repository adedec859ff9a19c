/** What a trial measures, at an edge that answers. Each figure is a line of the report; a promise that is not kept, a NO. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Stop } from "../deploy/stop.ts";
import { type Download, download, megabytesPerSecond, type Source } from "./download.ts";
import { HIT_IMAGE, SLOW_IMAGE, STORM_IMAGE } from "./images.ts";
import type { Trial } from "./plan.ts";

export interface Line {
  readonly what: string;
  readonly figure: string;
  /** Whether a promise was kept; null: it is only a figure. */
  readonly kept: boolean | null;
}

export interface Stage {
  readonly url: string;
  /** Deploys the edge anew, or starts it anew. */
  readonly replace: () => Promise<void>;
  /** CPU of the edge so far, ms; null: nobody can tell here. */
  readonly cpuMs: () => Promise<number | null>;
}

const HITS = 5;
const STORM = 16;
/** Until an image that came whole is kept. */
const KEPT_MS = 120_000;
/** Until what was counted can be read. */
const COUNTED_MS = 30_000;

export async function measure(stage: Stage, trial: Trial, say: (line: Line) => void): Promise<void> {
  const source: Source = { url: stage.url, token: trial.token };
  const right = ({ sha512, cut }: Download) => cut === null && sha512 === trial.sha512;

  const cold = await download(source, HIT_IMAGE);
  if (cold.status !== 200)
    throw new Stop(
      `The first download was answered with status ${cold.status}${cold.cut === null ? "" : ` (${cold.cut})`}.`,
    );
  say({ what: "first download", figure: `${rate(cold)}, first byte ${seconds(cold.firstByteMs)}`, kept: right(cold) });

  await untilKept(source, HIT_IMAGE);
  const before = await stage.cpuMs();
  const hits: Download[] = [];
  for (let i = 0; i < HITS; i++) hits.push(await download(source, HIT_IMAGE, { digest: false }));
  const after = await stage.cpuMs();
  const median = hits.toSorted((a, b) => a.ms - b.ms)[Math.floor(HITS / 2)] ?? cold;
  const whole = hits.every(
    ({ cut, bytes, cacheStatus }) => cut === null && bytes === trial.size && cacheStatus.includes("hit"),
  );
  say({
    what: `hit, median of ${HITS}`,
    figure: `${rate(median)}, first byte ${seconds(median.firstByteMs)}`,
    kept: whole,
  });
  say({ what: "hit, its bytes", figure: "SHA-512 of the record", kept: right(await download(source, HIT_IMAGE)) });
  const cpu = before === null || after === null ? null : (after - before) / 1000 / ((HITS * trial.size) / 2 ** 30);
  say({
    what: "hit, CPU",
    figure: cpu === null ? "in the dashboard: Workers, Metrics, CPU time" : `${cpu.toFixed(2)} s/GiB`,
    kept: null,
  });

  const storm = await Promise.all(Array.from({ length: STORM }, () => download(source, STORM_IMAGE)));
  const last = storm.reduce((a, b) => (a.ms > b.ms ? a : b));
  const first = Math.max(...storm.map(({ firstByteMs }) => firstByteMs));
  say({
    what: `storm of ${STORM}`,
    figure: `last ends after ${seconds(last.ms)} (alone ${seconds(cold.ms)}), last first byte ${seconds(first)}`,
    kept: storm.every(right),
  });
  const fromOrigin = await originBytes(source.url, trial, 2 * trial.size);
  say({
    what: "origin sent for both",
    figure: `${(fromOrigin / trial.size).toFixed(2)} images`,
    kept: fromOrigin <= 2.05 * trial.size,
  });

  say(await throughReplacement(stage, source, trial));
}

/** A fill in whose middle the edge is replaced: whoever is cut resumes, as clients do, and gets the image. */
async function throughReplacement(stage: Stage, source: Source, trial: Trial): Promise<Line> {
  const hash = createHash("sha512");
  const begun = download(source, SLOW_IMAGE, { hash });
  await sleep((trial.slowSeconds * 1000) / 4);
  await stage.replace();
  let got = await begun;
  let resumed = 0;
  for (let bytes = got.bytes; bytes < trial.size && resumed < 20; bytes += got.bytes) {
    if (got.bytes === 0) await sleep(1000);
    got = await download(source, SLOW_IMAGE, { hash, from: bytes });
    // What is no image data would spoil the digest.
    if (got.status !== 206 && got.bytes > 0) break;
    resumed++;
  }
  const how = resumed === 0 ? "the download was not cut" : `cut, and resumed ${resumed} times`;
  return { what: "a fill through a deploy", figure: how, kept: got.sha512 === trial.sha512 };
}

async function untilKept({ url, token }: Source, imageId: string): Promise<void> {
  const headers = { "x-auth-token": token, "cache-control": "only-if-cached" };
  for (const deadline = Date.now() + KEPT_MS; Date.now() < deadline; await sleep(500)) {
    const response = await fetch(`${url}/v2/images/${imageId}/file`, { method: "HEAD", headers });
    if (response.headers.get("cache-status")?.includes("; hit")) return;
  }
  throw new Stop("The image came whole, but was not kept within two minutes.");
}

/** As the edge counts it, some seconds behind. @param atLeast what must have come */
async function originBytes(url: string, { metricsToken }: Trial, atLeast: number): Promise<number> {
  for (const deadline = Date.now() + COUNTED_MS; ; await sleep(1000)) {
    const response = await fetch(`${url}/edge/metrics`, { headers: { authorization: `Bearer ${metricsToken}` } });
    const counted = /^glance_edge_image_bytes_total\{[^}]*origin[^}]*\} (\d+)$/m.exec(await response.text())?.[1];
    if (Number(counted ?? 0) >= atLeast || Date.now() > deadline) return Number(counted ?? Number.NaN);
  }
}

function rate(one: Download): string {
  return `${megabytesPerSecond(one).toFixed(0)} MB/s`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
