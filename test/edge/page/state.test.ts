/** GET /edge/api/state: what the edge holds and does at this moment. */

import type * as v from "valibot";
import { beforeEach, expect, it } from "vitest";
import type { State } from "../../../src/page/schemas.ts";
import { keepLines } from "../../support/lines.ts";
import { got, NO_CATALOG } from "../../support/page.ts";
import { bindings, createImage, download, expectCalls, setFaults, settled, takeCalls } from "../../support/scenario.ts";
import { emptyStore, queue, storeImage } from "../../support/store.ts";

type Answer = v.InferOutput<typeof State>;

const lines = keepLines();
const state = (init?: Parameters<typeof got>[1]) => got<Answer>("GET state", init);

beforeEach(emptyStore);

it("of an empty edge has its clock, version and cap", async () => {
  const before = Date.now();
  const said = await state({ env: { CACHE_MAX_BYTES: "5000" } });
  expect(said).toEqual({
    now: expect.any(Number),
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    room: { used: 0, cap: 5000 },
    images: { count: 0, bytes: 0 },
    fills: [],
    queue: { count: 0, failing: 0, rows: [] },
    unknown: null,
  });
  expect(said.now).toBeGreaterThanOrEqual(before);
  expect(said.now).toBeLessThanOrEqual(Date.now());
});

it("counts stored images and tells of the queue, the oldest first, with what has failed", async () => {
  await storeImage(crypto.randomUUID(), { size: 30 });
  await storeImage(crypto.randomUUID(), { size: 12 });
  const [one, two] = [crypto.randomUUID(), crypto.randomUUID()];
  await queue.add(two, 2_000);
  await queue.add(one, 1_000);
  await queue.failed(two, "the origin answered 503", Date.now());
  const said = await state();
  expect(said.images).toEqual({ count: 2, bytes: 42 });
  expect(said.room.used).toBe(42);
  const waiting = { attempts: 0, not_before: 0, last_error: null, started_at: null };
  expect(said.queue).toEqual({
    count: 2,
    failing: 1,
    rows: [
      { ...waiting, image_id: one, queued_at: 1_000 },
      {
        ...waiting,
        image_id: two,
        queued_at: 2_000,
        attempts: 1,
        not_before: expect.any(Number),
        last_error: "the origin answered 503",
      },
    ],
  });
});

it("has of a queue of 20,000 images the number and the first 100", async () => {
  await bindings.CATALOG.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
     INSERT INTO queue (image_id, queued_at) SELECT printf('%08x-0000-4000-8000-000000000000', i), i FROM n`,
  ).run();
  const said = await state();
  expect(said.queue?.count).toBe(20_000);
  expect(said.queue?.rows.map(({ queued_at }) => queued_at)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
});

it("shows a running fill with its name, what is stored and its readers, and drops it when the image is kept", async () => {
  const name = "<img src=x onerror=alert(1)> образ";
  const size = 2_000_000;
  const image = await createImage({ size, overrides: { name } });
  await setFaults(image.id, { rate: 700_000 });
  const response = await download(image.id);
  const bytes = response.arrayBuffer();
  let shown: NonNullable<Answer["fills"]>[number] | undefined;
  for (const end = Date.now() + 10_000; Date.now() < end && !shown?.stored; await scheduler.wait(100)) {
    shown = (await state()).fills?.find(({ image_id }) => image_id === image.id);
  }
  expect(shown).toMatchObject({ image_id: image.id, size, readers: 1, state: "filling", name });
  expect(shown?.stored).toBeGreaterThan(0);
  expect(shown?.stored).toBeLessThan(size);
  expect(Math.abs((shown?.started_at ?? 0) - Date.now())).toBeLessThan(30_000);
  await bytes;
  await settled();
  for (const end = Date.now() + 10_000; Date.now() < end; await scheduler.wait(100)) {
    if ((await state()).fills?.length === 0) break;
  }
  expect((await state()).fills).toEqual([]);
  await takeCalls();
});

it("while D1 is away says what it knows, and of the rest that it is not known", async () => {
  expect(await state({ env: { ...NO_CATALOG, CACHE_MAX_BYTES: "7" } })).toEqual({
    now: expect.any(Number),
    version: expect.any(String),
    room: { used: null, cap: 7 },
    images: null,
    fills: null,
    queue: null,
    unknown: expect.stringMatching(/index \(D1\) does not answer/),
  });
  expect(lines("catalog.unavailable")).toHaveLength(1);
  await expectCalls();
});
