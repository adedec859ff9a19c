import { beforeEach, describe, expect, it } from "vitest";
import { SOON } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { cacheList, expectEmpty, expectJson, manage } from "../../support/manage.ts";
import { startReader } from "../../support/readers.ts";
import {
  asks,
  bindings,
  cacheImage,
  committed,
  createImage,
  EDGE_URL,
  expectCalls,
  isCommitted,
  setFaults,
  settled,
} from "../../support/scenario.ts";
import {
  emptyStore,
  indexOnly,
  objectKeys,
  queue,
  storeImage,
  storeInParts,
  storeObject,
  storeSlices,
} from "../../support/store.ts";

keepLines();

beforeEach(emptyStore);

const uuid = () => crypto.randomUUID();
const listed = async () => (await cacheList()).cached_images.map(({ image_id }) => image_id);

describe("POST /v2/cache/clean", () => {
  const clean = async () => expectEmpty(await manage("POST /v2/cache/clean"), 200);

  it("is a success without a body, with nothing to do as well, and with a body that nobody reads", async () => {
    await clean();
    await expectEmpty(await manage("POST /v2/cache/clean", { body: "{}" }), 200);
  });

  it("removes what nobody is at and rows of what is not in R2, gives what is there its row, and leaves the rest", async () => {
    const [kept, bare, unknown] = [uuid(), uuid(), uuid()];
    await storeImage(kept, { size: 40 });
    await storeInParts(uuid(), 16, { size: 40 });
    await storeObject(unknown);
    const before = await objectKeys();
    await storeSlices(uuid());
    await indexOnly([bare]);
    await clean();
    expect(await listed()).toHaveLength(3);
    expect(await listed()).toEqual(expect.arrayContaining([kept, unknown]));
    expect(await objectKeys()).toEqual(before);
  });

  it("may be asked for twice at once", async () => {
    await storeSlices(uuid());
    await Promise.all([clean(), clean()]);
    expect(await objectKeys()).toEqual([]);
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

  it("to a cap of 0 empties the cache", async () => {
    expect(await prune(0)).toEqual({ total_files_pruned: 3, total_bytes_pruned: 60 });
    expect(await listed()).toEqual([]);
    expect(await objectKeys()).toEqual([]);
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
    const nothing = { bytes_stored: null, size: null, readers: 0, attempts: 0 };
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

  it("shows how far the fill of a download is and how many follow it, and no longer when it is done", async () => {
    const image = await createImage({ size: 20_000_000 });
    await setFaults(image.id, { rate: 2_000_000 });
    const readers = [await startReader(image.id), await startReader(image.id)];
    await readers[0]?.has(100_000);
    const of = { image_id: image.id, queued_at: null, not_before: null, attempts: 0, last_error: null };
    const filling = { ...of, state: "filling", bytes_stored: expect.any(Number), size: image.size };
    const fill = async () => (await fills()).fills[0] as { bytes_stored: number; readers: number } | undefined;
    await expect.poll(fill, SOON).toEqual({ ...filling, readers: 2 });
    const before = (await fill())?.bytes_stored ?? 0;
    expect(before).toBeGreaterThanOrEqual(524_288);
    expect(before).toBeLessThan(image.size);
    await expect.poll(async () => ((await fill())?.bytes_stored ?? 0) > before, SOON).toBe(true);
    await setFaults(image.id, { rate: 100_000_000 });
    for (const reader of readers) expect(await reader.ended).toBe("whole");
    await settled();
    await committed(image.id);
    expect(await fills()).toEqual({ fills: [] });
    await expectCalls(...asks(image.id), ...asks(image.id), `GET /v2/images/${image.id}/file`);
  });

  it("does not take a fill that is over for one of an image that is queued again", async () => {
    const { id } = await createImage({ size: 100_000 });
    await cacheImage(id);
    await bindings.CATALOG.prepare("DELETE FROM images").run();
    await queue.add(id, Date.now());
    expect(await fills()).toMatchObject({ fills: [{ image_id: id, state: "queued", bytes_stored: null, size: null }] });
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
    await expect.poll(() => isCommitted(image.id), SOON).toBe(true);
    expect(await fills()).toEqual({ fills: [] });
    const record = `GET /v2/images/${image.id}`;
    await expectCalls(record, record, `${record}/file`);
  });
});
