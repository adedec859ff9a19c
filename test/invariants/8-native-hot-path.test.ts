/** Invariant 8: a hit is R2's own body, opened at the part that is asked for; no byte of it passes through JavaScript. */
import { beforeAll, describe, expect, it } from "vitest";
import { bucketBut } from "../support/bindings.ts";
import { keptImage } from "../support/kept.ts";
import { keepLines } from "../support/lines.ts";
import { asks, bindings, download, expectCalls, type Image } from "../support/scenario.ts";

const SIZE = 3_000_007;
let image: Image;

beforeAll(async () => {
  image = await keptImage({ size: SIZE });
});
keepLines();

describe("what is kept is opened", () => {
  /** The ranges that R2 was asked for. */
  async function opened(headers: Record<string, string>): Promise<unknown[]> {
    const ranges: unknown[] = [];
    const get = (key: string, options: R2GetOptions) => {
      ranges.push(options.range ?? null);
      return bindings.BUCKET.get(key, options);
    };
    const response = await download(image.id, { headers, env: { BUCKET: bucketBut({ get }) } });
    await response.arrayBuffer();
    await expectCalls(...asks(image.id));
    return ranges;
  }

  it.each([
    [{}, [null]],
    [{ range: "bytes=7-9" }, [{ offset: 7, length: 3 }]],
    [{ range: "bytes=7-" }, [{ offset: 7 }]],
    [{ range: "bytes=-7" }, [{ suffix: 7 }]],
    // What can't be known before the record has come is opened again.
    [{ range: "bytes=7-9", "if-range": '"x"' }, [null]],
    [{ "content-range": "bytes 7-9/*" }, [null, { offset: 7, length: 3 }]],
  ] as [Record<string, string>, unknown[]][])("for %j by %j", async (headers, ranges) => {
    expect(await opened(headers)).toEqual(ranges);
  });
});

describe("the body of a hit", () => {
  it.each([{}, { range: "bytes=7-99" }])(
    "is the very stream that R2 gave, unread: %j",
    async (headers: Record<string, string>) => {
      const bodies: ReadableStream[] = [];
      const get = async (key: string, options: R2GetOptions) => {
        const object = await bindings.BUCKET.get(key, options);
        if (object !== null && "body" in object) bodies.push(object.body);
        return object;
      };
      const response = await download(image.id, { headers, env: { BUCKET: bucketBut({ get }) } });
      expect(response.headers.get("cache-status")).toBe("glance-edge; hit");
      expect(bodies).toHaveLength(1);
      expect(response.body).toBe(bodies[0]);
      await response.arrayBuffer();
      await expectCalls(...asks(image.id));
    },
  );
});
