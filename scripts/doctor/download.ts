/** One whole download: its time, and whether its bytes are the image's. */
import { createHash } from "node:crypto";
import type { Digest } from "../../src/digest/algorithms.ts";
import { withDeadline } from "../../src/lib/deadline.ts";
import { NoAnswer, open, reasonOf } from "./ask.ts";
import type { Measured } from "./line.ts";

/** A store far away needs its time for the first byte; nothing for so long is a hang. */
const SILENCE_MS = 120_000;

export interface Download extends Measured {
  readonly status: number;
  readonly headers: Headers;
  readonly isRight: boolean;
}

/** @throws NoAnswer */
export async function download(url: string, token: string, digest: Digest): Promise<Download> {
  const began = performance.now();
  const leave = new AbortController();
  try {
    const opening = open(url, { headers: { "x-auth-token": token } }, leave.signal);
    const { status, headers, body } = await withDeadline("the answer", SILENCE_MS, opening);
    const hash = createHash(digest.algorithm);
    const reader = body?.getReader();
    let bytes = 0;
    for (;;) {
      const { done, value } = (await (reader && withDeadline("the data", SILENCE_MS, reader.read()))) ?? { done: true };
      if (done || value === undefined) break;
      hash.update(value);
      bytes += value.byteLength;
    }
    return { status, headers, bytes, ms: performance.now() - began, isRight: hash.digest("hex") === digest.hex };
  } catch (cause) {
    leave.abort();
    throw cause instanceof NoAnswer ? cause : new NoAnswer(`the download broke off: ${reasonOf(cause)}`, { cause });
  }
}
