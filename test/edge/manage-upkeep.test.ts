import { beforeEach, describe, expect, it } from "vitest";
import { sliceCount } from "../../src/store/slice-plan.ts";
import { cacheList, expectEmpty, expectJson, manage } from "../support/manage.ts";
import { startReader } from "../support/readers.ts";
import {
  asks,
  bindings,
  cacheImage,
  committed,
  createImage,
  EDGE_URL,
  expectCalls,
  goesOn,
  isCommitted,
  setFaults,
  settled,
  storedSlices,
} from "../support/scenario.ts";
import { emptyStore, queue, storeImage, storeSlices } from "../support/store.ts";

beforeEach(emptyStore);

const uuid = () => crypto.randomUUID();
const listed = async () => (await cacheList()).cached_images.map(({ image_id }) => image_id);

describe("POST /v2/cache/clean", () => {
  const clean = async () => expectEmpty(await manage("POST /v2/cache/clean"), 200);

  it("is a success without a body, with nothing to do as well, and with a body that nobody reads", async () => {
    await clean();
    await expectEmpty(await manage("POST /v2/cache/clean", { body: "{}" }), 200);
  });

  it("removes slices that nothing names and rows whose slices are gone, and leaves the rest", async () => {
    const [kept, bare] = [uuid(), uuid()];
    const image = await storeImage(kept, { size: 40 });
    const slices = await storedSlices();
    await storeSlices(uuid(), { size: 40 });
    const gone = await storeImage(bare, { size: 40 });
    await bindings.BUCKET.delete(await storedSlices(`blobs/${gone.blob}/`));
    expect(await storedSlices()).not.toEqual(slices);
    await clean();
    expect(await listed()).toEqual([kept]);
    expect(await storedSlices()).toEqual(slices);
    expect(await storedSlices(`blobs/${image.blob}/`)).toEqual(slices);
  });

  it("may be asked for twice at once", async () => {
    await storeSlices(uuid());
    await Promise.all([clean(), clean()]);
    expect(await storedSlices()).toEqual([]);
  });
});

describe("POST /v2/cache/prune", () => {
  const prune = async (cap: number) =>
    expectJson(await manage("POST /v2/cache/prune", { env: { CACHE_MAX_BYTES: String(cap) } }));
  const nothing = { total_files_pruned: 0, total_bytes_pruned: 0 };
  const [first, second, third] = [uuid(), uuid(), uuid()];

  beforeEach(async () => {
    await storeImage(third, { size: 30, at: 3_000 });
    await storeImage(first, { size: 10, at: 1_000 });
    await storeImage(second, { size: 20, at: 2_000 });
  });

  it("has nothing to do below the cap, and at it", async () => {
    expect(await prune(1_000)).toEqual(nothing);
    expect(await prune(60)).toEqual(nothing);
    expect(await listed()).toEqual([first, second, third]);
  });

  it("takes the least recently used until the cap is kept, and says how many and how much", async () => {
    expect(await prune(59)).toEqual({ total_files_pruned: 1, total_bytes_pruned: 10 });
    expect(await listed()).toEqual([second, third]);
    expect(await prune(49)).toEqual({ total_files_pruned: 1, total_bytes_pruned: 20 });
    expect(await prune(49)).toEqual(nothing);
    expect(await listed()).toEqual([third]);
  });

  it("counts a download as use, and a commit as well", async () => {
    await bindings.CATALOG.prepare("UPDATE images SET last_accessed = 9000 WHERE image_id = ?").bind(first).run();
    expect(await prune(40)).toEqual({ total_files_pruned: 1, total_bytes_pruned: 20 });
    expect(await listed()).toEqual([third, first]);
  });

  it("counts images, and each copy's bytes once", async () => {
    await storeImage(uuid(), { size: 10, seed: first, at: 1_500 });
    expect(await prune(55)).toEqual({ total_files_pruned: 2, total_bytes_pruned: 10 });
    expect(await listed()).toEqual([second, third]);
  });

  it("to a cap of 0 empties the cache, its slices too", async () => {
    expect(await prune(0)).toEqual({ total_files_pruned: 3, total_bytes_pruned: 60 });
    await settled();
    expect(await listed()).toEqual([]);
    expect(await storedSlices()).toEqual([]);
  });
});

describe("GET /v2/cache/nodes/{id}", () => {
  const nodes = async (id: string, env = {}, below = "") =>
    expectJson(await manage(`GET ${below}/v2/cache/nodes/${id}`, { env }));

  it("is a bare list: of this edge when it holds the image, else empty", async () => {
    const image = await createImage({ size: 100_000 });
    expect(await nodes(image.id)).toEqual([]);
    await expectCalls(`GET /v2/images/${image.id}`);
    await cacheImage(image.id);
    expect(await nodes(image.id)).toEqual([EDGE_URL]);
    expect(await nodes(image.id, { PUBLIC_URL: "https://images.test:8443/glance/" }, "/glance")).toEqual([
      "https://images.test:8443/glance",
    ]);
    await expectCalls(`GET /v2/images/${image.id}`, `GET /v2/images/${image.id}`);
  });

  it("is empty for an image that is only queued", async () => {
    const { id } = await createImage({ size: 1, status: "queued" });
    await queue.add(id, Date.now());
    expect(await nodes(id)).toEqual([]);
    await expectCalls(`GET /v2/images/${id}`);
  });
});

describe("GET /v2/cache/fills", () => {
  const fills = async () => (await expectJson(await manage("GET /v2/cache/fills"))) as { fills: unknown[] };

  it("is empty when nothing is queued and nothing runs", async () => {
    expect(await fills()).toEqual({ fills: [] });
  });

  it("tells of queued images, the oldest first, and of why and until when one waits", async () => {
    const [one, two] = [uuid(), uuid()];
    const at = 1_700_000_000_500;
    const later = Date.now() + 60_000;
    await queue.add(two, at + 1_000);
    await queue.add(one, at);
    await queue.postpone(two, "it has no data", later);
    const nothing = { slices_stored: null, slices_total: null, size: null, attempts: 0 };
    expect(await fills()).toEqual({
      fills: [
        { ...nothing, image_id: one, state: "queued", queued_at: at / 1000, not_before: null, last_error: null },
        {
          ...nothing,
          image_id: two,
          state: "waiting",
          queued_at: at / 1000 + 1,
          not_before: later / 1000,
          last_error: "it has no data",
        },
      ],
    });
  });

  it("shows how far the fill of a download is, and no longer when it is done", async () => {
    const image = await createImage({ size: 3_000_000 });
    await setFaults(image.id, { rate: 1_500_000 });
    const reader = await startReader(image.id);
    await reader.has(1_200_000);
    const of = { image_id: image.id, queued_at: null, not_before: null, attempts: 0, last_error: null };
    const slices_total = sliceCount({ size: image.size, sliceBytes: 512 * 1024 });
    expect(await fills()).toEqual({
      fills: [{ ...of, state: "filling", slices_stored: expect.any(Number), slices_total, size: image.size }],
    });
    const stored = async () => ((await fills()).fills[0] as { slices_stored: number } | undefined)?.slices_stored ?? 0;
    const before = await stored();
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(slices_total);
    await expect.poll(stored, { timeout: 5_000 }).toBeGreaterThan(before);
    expect(await reader.ended).toBe("whole");
    await settled();
    await committed(image.id);
    expect(await fills()).toEqual({ fills: [] });
    await expectCalls(...asks(image.id), `GET /v2/images/${image.id}/file`, goesOn(image.id));
  });

  it("does not take a fill that is over for one of an image that is queued again", async () => {
    const { id } = await createImage({ size: 100_000 });
    await cacheImage(id);
    await bindings.CATALOG.prepare("DELETE FROM images").run();
    await queue.add(id, Date.now());
    const queued = { image_id: id, state: "queued", slices_stored: null, slices_total: null, size: null };
    expect(await fills()).toMatchObject({ fills: [queued] });
  });

  it("shows how far a queued image is", async () => {
    const image = await createImage({ size: 2_000_000 });
    await setFaults(image.id, { rate: 2_000_000 });
    const since = Date.now() / 1000;
    await expectEmpty(await manage(`PUT /v2/cache/${image.id}`), 202);
    const filling = { image_id: image.id, state: "filling", size: image.size, attempts: 0, last_error: null };
    await expect.poll(fills, { timeout: 5_000 }).toMatchObject({ fills: [filling] });
    const [fill] = (await fills()).fills as { queued_at: number }[];
    expect(fill?.queued_at).toBeGreaterThanOrEqual(since);
    expect(fill?.queued_at).toBeLessThanOrEqual(Date.now() / 1000);
    await expect.poll(() => isCommitted(image.id), { timeout: 10_000 }).toBe(true);
    expect(await fills()).toEqual({ fills: [] });
    const record = `GET /v2/images/${image.id}`;
    await expectCalls(record, record, `${record}/file`, goesOn(image.id));
  });
});
