import { describe, expect, it } from "vitest";
import { bucketBut, sliceOf } from "../support/bindings.ts";
import { dataRanges, expectImage, startReader } from "../support/readers.ts";
import {
  asks,
  bindings,
  committed,
  createImage,
  expectCalls,
  goesOn,
  setFaults,
  settled,
} from "../support/scenario.ts";

const SIZE = 6_000_000;

type Get = (...get: Parameters<R2Bucket["get"]>) => Promise<R2ObjectBody | R2Object | null>;

const getBy = (get: Get) => ({ BUCKET: bucketBut({ get }) });

const file = (id: string) => `GET /v2/images/${id}/file`;

describe("a store that a sharer can't read", () => {
  it.each<[string, Get]>([
    ["fails from the start", () => Promise.reject(new Error("out of order"))],
    ["hangs from the start", () => new Promise<never>(() => undefined)],
    ["fails half way, once", once(10, () => Promise.reject(new Error("out of order")))],
    ["hangs half way, once", once(10, () => new Promise<never>(() => undefined))],
    ["fails half way and from then on", from(10, () => Promise.reject(new Error("out of order")))],
  ])("because it %s: it takes its bytes from the origin", async (_, get) => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000 });
    const puller = await startReader(image.id);
    const sharer = await startReader(image.id, { env: getBy(get) });
    expect(sharer.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    await expectImage(puller, image);
    await settledWithin(sharer.ended, 15_000);
    await expectImage(sharer, image);
    await settled();
    await committed(image.id);
    const seen = await expectCalls(...asks(image.id), ...asks(image.id), `*${file(image.id)}`, goesOn(image.id));
    expect(dataRanges(seen)).toHaveLength(2);
  });

  /** The Get for everything but the first read of one slice. */
  function once(slice: number, trouble: Get): Get {
    let had = false;
    return (...get) => {
      if (had || sliceOf(get[0]) !== slice) return bindings.BUCKET.get(...get);
      had = true;
      return trouble(...get);
    };
  }

  function from(slice: number, trouble: Get): Get {
    let broken = false;
    return (...get) => {
      broken ||= sliceOf(get[0]) >= slice;
      return broken ? trouble(...get) : bindings.BUCKET.get(...get);
    };
  }

  async function settledWithin(ended: Promise<unknown>, ms: number): Promise<void> {
    const late = scheduler.wait(ms).then(() => Promise.reject(new Error(`not over after ${ms} ms`)));
    late.catch(() => undefined);
    await Promise.race([ended, late]);
  }
});
