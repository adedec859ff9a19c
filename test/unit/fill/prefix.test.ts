/** A pull that goes on with an attempt: what is stored is read and digested once more before the origin is asked. */
import { expect, it } from "vitest";
import { BufferPool } from "../../../src/fill/object/pool.ts";
import { pull } from "../../../src/fill/object/pull.ts";
import { createLog } from "../../../src/lib/log.ts";
import { sliceLength } from "../../../src/store/slice-plan.ts";
import { SliceStore } from "../../../src/store/slices.ts";
import { bucketBut } from "../../support/bindings.ts";
import { attempt, SUBJECT } from "../../support/fill-states.ts";
import { bucket, slices } from "../../support/stored.ts";

const STORED = 20;
const SIZE = 20 * 1024;
const imageId = crypto.randomUUID();
const subject = { ...SUBJECT, imageId, size: SIZE };
const filling = { ...attempt(STORED, { subject, size: SIZE, sliceBytes: 1024 }), attempt: "one" };

/** Goes on with all slices but those named, until the origin, which is not there. @returns most gets at a time, and how it ended */
async function goOn(without: readonly number[] = []): Promise<{ most: number; gets: string[]; end: string }> {
  for (let slice = 0; slice < STORED; slice++) {
    if (!without.includes(slice))
      await slices.put({ imageId, attempt: "one" }, slice, new Uint8Array(sliceLength(filling, slice)));
  }
  let open = 0;
  let most = 0;
  const gets: string[] = [];
  const slow = bucketBut({
    get: async (...args: Parameters<R2Bucket["get"]>) => {
      gets.push(args[0].split("/").at(-1) ?? "");
      most = Math.max(most, ++open);
      await scheduler.wait(5);
      open--;
      return bucket.get(...args);
    },
  });
  const { end } = await pull({
    filling,
    rights: { target: { api: "v2", imageId }, headers: [] },
    at: { originUrl: new URL("http://origin.invalid"), stallMs: 1_000 } as unknown as Parameters<typeof pull>[0]["at"],
    stallMs: 1_000,
    slices: new SliceStore(slow),
    pool: new BufferPool(),
    owner: "one",
    signal: new AbortController().signal,
    log: createLog({}),
    admitted: Promise.resolve(true),
    stored: () => undefined,
  });
  return { most, gets, end };
}

it("slices are opened ahead of the one that is digested, each once, and no more than puts are under way", async () => {
  const { most, gets } = await goOn();
  expect(most).toBe(5);
  expect(gets).toEqual(Array.from({ length: STORED }, (_, slice) => String(slice)));
});

it("a slice that is gone ends the pull, whatever was opened ahead of it", async () => {
  await bucket.delete(`fills/${imageId}/one/7`);
  expect((await goOn([7])).end).toBe("slices-lost");
});
