/** A reader of a fill that so many follow that its turn to ask is far off. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Reader } from "../../../src/download/reader.ts";
import type { Answer, Ask } from "../../../src/fill/protocol.ts";
import { sliceCount, sliceLength } from "../../../src/store/slice-plan.ts";
import { bucketBut } from "../../support/bindings.ts";
import { bucket, slices } from "../../support/stored.ts";
import { toldReader } from "../../support/told-reader.ts";

const CUT = { attempt: "one", size: 20 * 1024, sliceBytes: 1024 };
const COUNT = sliceCount(CUT);
const FAR = 60_000;
let imageId = "";
let now = 0;
/** Slices that have been put so far, and how many more are with each second that goes by. */
let put = 0;
let perSecond = 0;
const asks: Ask[] = [];

async function putUpTo(count: number): Promise<void> {
  for (; put < Math.min(count, COUNT); put++) {
    await slices.put({ imageId, attempt: CUT.attempt }, put, new Uint8Array(sliceLength(CUT, put)).fill(put));
  }
}

function read(stored: number): Answer {
  return { do: "read", stored, began: true, askAgainMs: FAR, ...CUT };
}

function readerOf(
  answers: Answer[],
  store: R2Bucket = bucket,
  range: { from: number; to: number } | null = null,
): Reader {
  const follow = async (ask: Ask) => {
    asks.push(ask);
    const next = answers.shift();
    if (next === undefined) throw new Error("asked once too often");
    return next;
  };
  return toldReader({ imageId, size: CUT.size, follow, store, range });
}

/** All that it sends. */
async function sentBy(reader: Reader): Promise<Uint8Array> {
  const { readable, writable } = new FixedLengthStream(CUT.size);
  const [data] = await Promise.all([new Response(readable).arrayBuffer(), reader.run(writable)]);
  return new Uint8Array(data);
}

async function expectImage(reader: Reader): Promise<void> {
  const sent = await sentBy(reader);
  const whole = new Uint8Array(CUT.size);
  for (let slice = 0, at = 0; slice < COUNT; at += sliceLength(CUT, slice), slice++)
    whole.fill(slice, at, at + sliceLength(CUT, slice));
  expect(sent).toEqual(whole);
}

beforeEach(() => {
  imageId = crypto.randomUUID();
  now = 1_000_000;
  put = 0;
  perSecond = 3;
  asks.length = 0;
  vi.spyOn(Date, "now").mockImplementation(() => now);
  vi.spyOn(scheduler, "wait").mockImplementation(async (ms) => {
    now += ms;
    await putUpTo(put + Math.floor((ms / 1_000) * perSecond));
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("a reader whose turn is far off", () => {
  it("finds what is stored meanwhile by itself, to the last slice", async () => {
    await putUpTo(2);
    const reader = readerOf([read(2)]);
    expect(await reader.first()).toEqual({ do: "send" });
    await expectImage(reader);
    expect(asks.length).toBe(1);
  });

  it("that waits for the first slice finds that by itself too", async () => {
    const reader = readerOf([{ do: "wait", askAgainMs: FAR, ...CUT }]);
    expect(await reader.first()).toEqual({ do: "send" });
    expect(now - 1_000_000).toBeLessThan(5_000);
    await expectImage(reader);
    expect(asks.length).toBe(1);
  });

  it("asks at its turn where it finds nothing more, with what it has", async () => {
    perSecond = 0;
    await putUpTo(5);
    const reader = readerOf([read(2), read(COUNT)]);
    await reader.first();
    vi.mocked(scheduler.wait).mockImplementation(async (ms) => {
      now += ms;
      if (now >= 1_000_000 + FAR) await putUpTo(COUNT);
    });
    await expectImage(reader);
    expect(now).toBe(1_000_000 + FAR);
    expect(asks[1]).toMatchObject({ attempt: "one", sent: true, at: 5 * 128 });
  });

  it("catches up at once with what was stored in one go, and then opens little in vain", async () => {
    await putUpTo(1);
    const opened: string[] = [];
    const counted = bucketBut({
      get: async (...args: Parameters<R2Bucket["get"]>) => {
        opened.push(args[0].split("/").at(-1) ?? "");
        return bucket.get(...args);
      },
    });
    const reader = readerOf([read(1)], counted);
    await reader.first();
    perSecond = 0;
    let looks = 0;
    vi.mocked(scheduler.wait).mockImplementation(async (ms) => {
      now += ms;
      if (looks++ === 0) await putUpTo(16);
      else await putUpTo(put + 2);
    });
    await expectImage(reader);
    // 15 at the first look, and two at each of the others.
    expect(looks).toBe(1 + Math.ceil((COUNT - 16) / 2));
    expect(opened.length).toBeLessThan(COUNT + 5 + 2 * looks);
  });

  it("waits for its turn where its Fill does not say how the image is cut", async () => {
    await putUpTo(COUNT);
    const reader = readerOf([{ do: "wait", askAgainMs: FAR, attempt: "one" }, read(COUNT)]);
    await reader.first();
    expect(now).toBe(1_000_000 + FAR);
    await expectImage(reader);
  });

  it("sends all that it knows of before, however long that takes", async () => {
    await putUpTo(COUNT);
    const slow = bucketBut({
      get: async (...args: Parameters<R2Bucket["get"]>) => {
        now += 1_000;
        return bucket.get(...args);
      },
    });
    const reader = readerOf([read(COUNT)], slow);
    await reader.first();
    await expectImage(reader);
    expect(now - 1_000_000).toBeGreaterThan(2 * 10_000);
    expect(asks.length).toBe(1);
  });

  it("and who reads a part does not look: its last bytes wait for the whole image", async () => {
    await putUpTo(3);
    const reader = readerOf([read(3), read(COUNT)], bucket, { from: 0, to: 300 });
    await reader.first();
    const { readable, writable } = new FixedLengthStream(300);
    const [data] = await Promise.all([new Response(readable).arrayBuffer(), reader.run(writable)]);
    expect(data.byteLength).toBe(300);
    expect(now).toBe(1_000_000 + FAR);
  });
});
