/** A reader of a fill, before slices in R2. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Reader } from "../../../src/download/reader.ts";
import type { Answer, FillCalls } from "../../../src/fill/protocol.ts";
import { sliceCount, sliceLength } from "../../../src/store/slice-plan.ts";
import { bucketBut } from "../../support/bindings.ts";
import { bucket, slices } from "../../support/stored.ts";
import { toldReader } from "../../support/told-reader.ts";

const CUT = { attempt: "one", size: 20 * 1024, sliceBytes: 1024 };
const EACH_MS = 3_000;

afterEach(() => {
  vi.restoreAllMocks();
});

/** @param follow the Fill's answer to each question of a reader */
function readerOf(imageId: string, follow: FillCalls["follow"], store = bucket): Reader {
  return toldReader({ imageId, size: CUT.size, follow, store });
}

describe("a reader of a fill that has just begun", () => {
  it("waits for the first slice in its first question, rather than for a turn behind all others that came", async () => {
    const asked: number[] = [];
    const reader = readerOf(crypto.randomUUID(), async (_, waitMs): Promise<Answer> => {
      asked.push(waitMs);
      // A slice that comes 300 ms later.
      if (waitMs < 300) return { do: "wait", attempt: CUT.attempt, askAgainMs: 0 };
      return { do: "read", stored: 1, began: false, askAgainMs: 0, ...CUT };
    });
    expect(await reader.first()).toEqual({ do: "send" });
    expect(asked).toHaveLength(1);
  });
});

describe("a reader that sends slowly what is stored", () => {
  it("asks again within what makes the Fill take it for gone, and sends all", async () => {
    const imageId = crypto.randomUUID();
    for (let n = 0; n < sliceCount(CUT); n++) {
      await slices.put({ imageId, attempt: CUT.attempt }, n, new Uint8Array(sliceLength(CUT, n)));
    }
    let now = 1_000_000;
    vi.spyOn(Date, "now").mockImplementation(() => now);
    const askedAt: number[] = [];
    // Each slice takes its time.
    const slow = bucketBut({
      get: async (...args: Parameters<R2Bucket["get"]>) => {
        now += EACH_MS;
        return bucket.get(...args);
      },
    });
    const answerAll = async (): Promise<Answer> => {
      askedAt.push(now);
      return { do: "read", stored: sliceCount(CUT), began: true, askAgainMs: 0, ...CUT };
    };
    const reader = readerOf(imageId, answerAll, slow);
    expect(await reader.first()).toEqual({ do: "send" });
    const { readable, writable } = new FixedLengthStream(CUT.size);
    const [data] = await Promise.all([new Response(readable).arrayBuffer(), reader.run(writable)]);
    expect(data.byteLength).toBe(CUT.size);
    const pauses = askedAt.slice(1).map((at, n) => at - (askedAt[n] ?? 0));
    expect(pauses.length).toBeGreaterThan(3);
    for (const pause of pauses) expect(pause).toBeLessThan(30_000);
  });
});
