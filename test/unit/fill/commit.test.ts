/** The one put, on the real local R2: whatever happens to it, what is kept then is right. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type CommitJob, commit, SliceMissing } from "../../../src/fill/object/commit.ts";
import { ObjectStore } from "../../../src/store/objects.ts";
import { PartStore } from "../../../src/store/parts.ts";
import { sliceCount, sliceLength, sliceStart } from "../../../src/store/slice-plan.ts";
import { bucketBut } from "../../support/bindings.ts";
import { attempt, IMAGE_ID, SUBJECT } from "../../support/fill-states.ts";
import { bucket, bytesOf, content, digestOf, emptied, keep, objects, slices } from "../../support/stored.ts";

const parts = new PartStore(bucket);
const SIZE = 1_000;
const PLAN = { size: SIZE, sliceBytes: 256 };
const BYTES = content(SIZE);
const SOURCE = { imageId: IMAGE_ID, attempt: "mine" };

/** The job of a fill whose slices are all there. */
async function job(change: Partial<CommitJob> = {}, bytes = BYTES): Promise<CommitJob> {
  for (let slice = 0; slice < sliceCount(PLAN); slice++) {
    const start = sliceStart(PLAN, slice);
    await slices.put(SOURCE, slice, bytes.slice(start, start + sliceLength(PLAN, slice)));
  }
  const subject = { ...SUBJECT, size: SIZE, digest: await digestOf(BYTES) };
  const filling = attempt(sliceCount(PLAN), { ...PLAN, subject });
  return { filling, slices, objects, parts, rangesFrom: 0, pause: () => 0, stopped: () => false, ...change };
}

/** The store with a put of its own. */
const putting = (put: R2Bucket["put"]) => new ObjectStore(bucketBut({ put }));
const attemptThere = async () => {
  const there = await objects.head(IMAGE_ID);
  return there === null || there === "foreign" ? there : there.attempt;
};

beforeEach(emptied);
afterEach(() => {
  vi.restoreAllMocks();
});

describe("a complete fill", () => {
  it("is kept as one object of all its slices", async () => {
    expect(await commit(await job({ rangesFrom: 77 }))).toBe("kept");
    const open = await objects.open(IMAGE_ID, null);
    if (open === null) throw new Error("nothing is kept");
    expect(open.image).toMatchObject({ attempt: "mine", size: SIZE, rangesFrom: 77 });
    expect(await bytesOf(open.body)).toEqual(BYTES);
  });

  it("gives way before each slice", async () => {
    const waited = vi.spyOn(scheduler, "wait").mockResolvedValue();
    let asked = 0;
    expect(await commit(await job({ pause: () => (++asked % 2 === 0 ? 20 : 0) }))).toBe("kept");
    expect(asked).toBe(sliceCount(PLAN));
    expect(waited.mock.calls).toEqual(Array.from({ length: Math.floor(asked / 2) }, () => [20]));
  });

  it("that is kept already, by itself, is not put again", async () => {
    await keep(IMAGE_ID, BYTES, "mine");
    const never = putting(() => Promise.reject(new Error("it was put again")));
    expect(await commit(await job({ objects: never }))).toBe("kept");
  });

  it.each<[string, () => Promise<unknown>]>([
    ["another attempt's", () => keep(IMAGE_ID, content(10), "older")],
    ["nobody's", () => bucket.put(`images/${IMAGE_ID}`, "by hand")],
  ])("whose place is taken by %s has that removed, and is put the next time", async (_, take) => {
    await take();
    const all = await job();
    expect(await commit(all)).toBe("unknown");
    expect(await attemptThere()).toBeNull();
    expect(await commit(all)).toBe("kept");
    expect(await attemptThere()).toBe("mine");
  });

  it("whose place was taken while it was put does not overwrite it", async () => {
    const late = putting(async (key: string, value: unknown, options?: R2PutOptions) => {
      await keep(IMAGE_ID, content(10), "older");
      return bucket.put(key, value as ReadableStream, options);
    });
    expect(await commit(await job({ objects: late }))).toBe("unknown");
    expect(await attemptThere()).toBe("older");
  });
});

describe("a put whose answer is lost", () => {
  const lost = (head: "answers" | "fails") =>
    new ObjectStore(
      bucketBut({
        put: async (key: string, value: ReadableStream, options: R2PutOptions) => {
          await bucket.put(key, value, options);
          throw new Error("Network connection lost.");
        },
        head: async (key: string) => {
          const there = await bucket.head(key);
          if (there !== null && head === "fails") throw new Error("R2 is down");
          return there;
        },
      }),
    );

  it("is kept when it is there", async () => {
    expect(await commit(await job({ objects: lost("answers") }))).toBe("kept");
    expect(await attemptThere()).toBe("mine");
  });

  it("is unknown where R2 does not say, and is kept the next time", async () => {
    vi.spyOn(scheduler, "wait").mockResolvedValue();
    await expect(commit(await job({ objects: lost("fails") }))).rejects.toThrow("R2 is down");
    expect(await commit(await job())).toBe("kept");
  });
});

describe("a put that fails", () => {
  it("tells why, and nothing is there", async () => {
    const down = putting(() => Promise.reject(new Error("R2 is down")));
    await expect(commit(await job({ objects: down }))).rejects.toThrow("R2 is down");
    expect(await attemptThere()).toBeNull();
  });

  it("in the middle tells why, and nothing is there", async () => {
    const breaks = putting(async (_: string, value: unknown) => {
      const reader = (value as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      await reader.cancel(new Error("R2 is down"));
      throw new Error("R2 is down");
    });
    await expect(commit(await job({ objects: breaks }))).rejects.toThrow();
    expect(await attemptThere()).toBeNull();
  });

  it.each([0, 4, sliceCount(PLAN) - 1])("because slice %i is gone says so, and nothing is there", async (slice) => {
    const all = await job();
    await bucket.delete(`fills/${IMAGE_ID}/mine/${slice}`);
    await expect(commit(all)).rejects.toBeInstanceOf(SliceMissing);
    expect(await attemptThere()).toBeNull();
  });

  it.each([0, 500, SIZE - 1])("because byte %i is another one than was digested is a mismatch", async (at) => {
    const wrong = BYTES.slice();
    wrong[at] = (wrong[at] ?? 0) ^ 1;
    expect(await commit(await job({}, wrong))).toBe("wrong-digest");
    expect(await attemptThere()).toBeNull();
  });
});
