/** The slices of running fills in R2. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { SliceStore } from "../../../src/store/slices.ts";
import { bucketBut } from "../../support/bindings.ts";
import { bucket, slices, text } from "../../support/stored.ts";

const bytes = (word: string) => Uint8Array.from(new TextEncoder().encode(word));
const WHOLE = { slice: 0, size: 5, offset: 0, length: 5 };
/** An image of its own for each test: they share one bucket. */
const newAttempt = () => ({ imageId: crypto.randomUUID(), attempt: "one" });

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a slice that is put", () => {
  it("is there under its image, attempt and number", async () => {
    const source = newAttempt();
    expect(await slices.put(source, 7, bytes("hello"))).toBe(true);
    expect(await text((await bucket.get(`fills/${source.imageId}/one/7`))?.body)).toBe("hello");
    expect(await text(await slices.open(source, { ...WHOLE, slice: 7 }))).toBe("hello");
  });

  it("once more with the same bytes is as good", async () => {
    const source = newAttempt();
    await slices.put(source, 0, bytes("hello"));
    expect(await slices.put(source, 0, bytes("hello"))).toBe(true);
  });

  it("with other bytes than are there is refused, and changes nothing", async () => {
    const source = newAttempt();
    await slices.put(source, 0, bytes("hello"));
    expect(await slices.put(source, 0, bytes("other"))).toBe(false);
    expect(await text(await slices.open(source, WHOLE))).toBe("hello");
  });

  it("of another attempt is another slice", async () => {
    const source = newAttempt();
    const other = { ...source, attempt: "two" };
    await slices.put(source, 0, bytes("hello"));
    expect(await slices.put(other, 0, bytes("other"))).toBe(true);
    expect(await text(await slices.open(source, WHOLE))).toBe("hello");
    expect(await text(await slices.open(other, WHOLE))).toBe("other");
  });

  it("by two at the same time is one of theirs, and the other one knows", async () => {
    const source = newAttempt();
    const put = await Promise.all(["hello", "world"].map((word) => slices.put(source, 0, bytes(word))));
    expect(put.sort()).toEqual([false, true]);
  });

  it("tells when R2 does not take it", async () => {
    const down = new SliceStore(bucketBut({ put: () => Promise.reject(new Error("R2 is down")) }));
    await expect(down.put(newAttempt(), 0, bytes("hello"))).rejects.toThrow("R2 is down");
  });
});

describe("opening a slice", () => {
  it("gives all of it, or a piece", async () => {
    const source = newAttempt();
    await slices.put(source, 0, bytes("hello"));
    expect(await text(await slices.open(source, WHOLE))).toBe("hello");
    expect(await text(await slices.open(source, { ...WHOLE, offset: 1, length: 3 }))).toBe("ell");
    expect(await text(await slices.open(source, { ...WHOLE, offset: 4, length: 1 }))).toBe("o");
  });

  it.each([
    ["all of it", WHOLE],
    ["a piece", { ...WHOLE, offset: 1, length: 3 }],
  ])("that is missing gives null: %s", async (_, piece) => {
    expect(await slices.open(newAttempt(), piece)).toBeNull();
  });

  it.each([
    ["shorter", "hell"],
    ["longer", "hello!"],
    ["so short that the piece is behind its end", "h"],
    ["empty", ""],
  ])("that is %s than it should be gives null", async (_, word) => {
    const source = newAttempt();
    await bucket.put(`fills/${source.imageId}/one/0`, word);
    expect(await slices.open(source, WHOLE)).toBeNull();
    expect(await slices.open(source, { ...WHOLE, offset: 2, length: 2 })).toBeNull();
  });

  it("is tried again once, and then tells", async () => {
    vi.spyOn(scheduler, "wait").mockResolvedValue();
    const source = newAttempt();
    await slices.put(source, 0, bytes("hello"));
    let gets = 0;
    const failing = (times: number) =>
      new SliceStore(
        bucketBut({
          get: (key: string, options: R2GetOptions) =>
            ++gets <= times ? Promise.reject(new Error("R2 is down")) : bucket.get(key, options),
        }),
      );
    expect(await text(await failing(1).open(source, WHOLE))).toBe("hello");
    gets = 0;
    await expect(failing(9).open(source, WHOLE)).rejects.toThrow("R2 is down");
    expect(gets).toBe(2);
  });
});

describe("going through all attempts", () => {
  it("names each once, with where to go on", async () => {
    const source = newAttempt();
    for (const slice of [0, 1, 10]) await slices.put(source, slice, bytes("hello"));
    await slices.put({ ...source, attempt: "two" }, 0, bytes("hello"));
    const { found, next } = await slices.attemptsAfter(`fills/${source.imageId}`);
    expect(found.filter(({ imageId }) => imageId === source.imageId)).toEqual([source, { ...source, attempt: "two" }]);
    // The parts of large images come behind.
    expect(next).toBe("parts/");
    expect(await slices.attemptsAfter("parts/")).toEqual({ found: [], next: null });
  });
});

describe("removing", () => {
  it("takes all slices of one attempt, and of no other", async () => {
    const source = newAttempt();
    const neighbour = { ...source, attempt: "one2" };
    const other = { imageId: `${source.imageId}0`, attempt: "one" };
    for (const each of [source, neighbour, other]) await slices.put(each, 0, bytes("hello"));
    await slices.removeAll(source.imageId, "one");
    await slices.removeAll(source.imageId, "one");
    expect(await slices.open(source, WHOLE)).toBeNull();
    expect(await text(await slices.open(neighbour, WHOLE))).toBe("hello");
    expect(await text(await slices.open(other, WHOLE))).toBe("hello");
  });

  // More than a thousand puts: on a busy machine that takes its time.
  it("takes more slices than one list or one delete does", { timeout: 60_000 }, async () => {
    const source = newAttempt();
    for (let at = 0; at < 1_050; at += 150) {
      await Promise.all(
        Array.from({ length: 150 }, (_, index) => bucket.put(`fills/${source.imageId}/one/${at + index}`, "")),
      );
    }
    await slices.removeAll(source.imageId, "one");
    expect((await bucket.list({ prefix: `fills/${source.imageId}/` })).objects).toEqual([]);
  });
});
