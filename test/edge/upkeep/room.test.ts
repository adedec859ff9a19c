/** CACHE_MAX_BYTES is a hard cap: a fill has room for its slices and its object before it stores anything. */

import { evictDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import type { Env } from "../../../src/settings.ts";
import { fillStub } from "../../support/bindings.ts";
import {
  catalog,
  expectNotStored,
  expectRoom,
  file,
  room,
  type SmallEdge,
  slicesOf,
  smallEdge,
  storedIds,
} from "../../support/cap.ts";
import { SOON } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { catalogThat } from "../../support/manage.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import {
  ask,
  asks,
  bindings,
  committed,
  createImage,
  expectCalls,
  setFaults,
  settled,
} from "../../support/scenario.ts";
import { capped, keysOf, objectKeys, storeImage, use } from "../../support/store.ts";

const MB = 1_000_000;
const lines = keepLines();
let edge: SmallEdge;

/** Kept images of this size, the first one the least recently used. */
async function keptImages(count: number, size: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => crypto.randomUUID());
  for (const [index, id] of ids.entries()) await storeImage(id, { size, at: index + 1 });
  return ids;
}

/** Downloads a new image, which is stored. @returns its id */
async function storeAnother(size: number): Promise<string> {
  const image = await createImage({ size });
  const reader = await startReader(image.id, { env: edge.env });
  expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
  await expectImage(reader, image);
  await committed(image.id);
  await expectCalls(...asks(image.id), file(image));
  return image.id;
}

describe("a fill that fits", () => {
  it("has room for slices and object while it runs, for its slices a while longer, and then for its object", async () => {
    edge = await smallEdge(6 * MB);
    const image = await createImage({ size: 3 * MB });
    await setFaults(image.id, { rate: 3 * MB });
    const reader = await startReader(image.id, { env: edge.env });
    await reader.has(100_000);
    expect(await room.sums()).toEqual({ kept: 0, filling: 6 * MB });
    await expectImage(reader, image);
    await committed(image.id);
    expect(await room.sums()).toEqual({ kept: 3 * MB, filling: 3 * MB });
    await expectRoom(3 * MB);
    expect(await objectKeys()).toEqual([`images/${image.id}`]);
    expect(edge.peak()).toBeLessThanOrEqual(6 * MB);
    await expectCalls(...asks(image.id), file(image));
  });
});

describe("a fill that needs room", () => {
  it("takes that of the least recently used image, before it stores a slice, and no more than it needs", async () => {
    edge = await smallEdge(3 * MB);
    const [oldest = "", ...others] = await keptImages(3, 0.5 * MB);
    const [read = ""] = others;
    await use(read, 99);
    const before = edge.log.length;
    const id = await storeAnother(0.9 * MB);
    expect(await storedIds()).toEqual(new Set([...others, id]));
    const [first] = edge.log.slice(before);
    expect(first).toEqual({ what: "delete", key: `images/${oldest}` });
    expect(lines("image.evicted")).toMatchObject([{ image_id: oldest, why: "room is needed" }]);
  });

  it("never takes more than there is, however many run at once", async () => {
    edge = await smallEdge(4 * MB);
    await keptImages(4, MB);
    const images = await Promise.all(Array.from({ length: 6 }, () => createImage({ size: 0.6 * MB })));
    await Promise.all(images.map((image) => setFaults(image.id, { rate: MB })));
    const readers = await Promise.all(images.map((image) => startReader(image.id, { env: edge.env })));
    for (const [index, reader] of readers.entries()) {
      const image = images[index];
      if (image !== undefined) await expectImage(reader, image);
    }
    const stored = images.filter((_, index) => readers[index]?.cacheStatus === "glance-edge; fwd=uri-miss; stored");
    // 1.2 MB each as long as they run.
    expect(stored.length).toBe(3);
    await Promise.all(stored.map((image) => committed(image.id)));
    await expectRoom(await keptBytes());
    expect(edge.peak()).toBeLessThanOrEqual(4 * MB);
    await settled();
    await expectCalls(...images.flatMap((image) => [...asks(image.id), `*${file(image)}`]));
  });

  async function keptBytes(): Promise<number> {
    return (await catalog.list()).reduce((sum, { size }) => sum + size, 0);
  }

  it("does not take that of an image which is being downloaded, however old it is", async () => {
    edge = await smallEdge(3 * MB);
    const [slow = "", other = ""] = await keptImages(2, MB);
    await use(slow, 1, Date.now() + 60_000);
    const id = await storeAnother(MB);
    expect(await storedIds()).toEqual(new Set([slow, id]));
    expect(await keysOf(other)).toEqual([]);
  });
});

describe("a fill for which there is no room", () => {
  it.each([
    ["larger than the cap", 2 * MB + 2],
    ["larger than half of the cap", MB + 1],
  ])("because the image is %s is none, and nothing goes for it", async (_, size) => {
    edge = await smallEdge(2 * MB);
    const ids = await keptImages(1, 0.5 * MB);
    await expectNotStored(edge, await createImage({ size }));
    expect(await storedIds()).toEqual(new Set(ids));
    await expectRoom(0.5 * MB);
  });

  it("but for half of the cap is one", async () => {
    edge = await smallEdge(2 * MB);
    await storeAnother(MB);
    await expectRoom(MB);
  });

  it("because all that is kept is in use is none, and nothing goes for it", async () => {
    edge = await smallEdge(3 * MB);
    const [idle = "", used = ""] = await keptImages(2, 0.7 * MB);
    await use(used, 1, Date.now() + 60_000);
    await expectNotStored(edge, await createImage({ size: 1.3 * MB }));
    expect(await storedIds()).toEqual(new Set([idle, used]));
  });

  it("because other fills hold it is none, until they end", async () => {
    edge = await smallEdge(2 * MB);
    await room.take({ imageId: "holder", attempt: "holder", size: 0.8 * MB }, capped(2 * MB), 1);
    await expectNotStored(edge, await createImage({ size: 0.4 * MB }));
    await room.release("holder");
    await storeAnother(0.4 * MB);
  });

  it("with a cap of 0 is every one", async () => {
    edge = await smallEdge(0);
    await expectNotStored(edge, await createImage({ size: MB }));
    await expectNotStored(edge, await createImage({ size: 1 }));
    expect(await objectKeys()).toEqual([]);
  });
});

describe("the room of a fill", () => {
  beforeEach(async () => {
    edge = await smallEdge(20 * MB);
  });

  it("of data that was wrong is given back", async () => {
    const image = await createImage({ size: MB });
    await setFaults(image.id, { corruptAt: 10 });
    const reader = await startReader(image.id, { env: edge.env });
    expect(await reader.ended).toBe("cut");
    await settled();
    await expectRoom(0);
    expect(await keysOf(image.id)).toEqual([]);
    await expectCalls(...asks(image.id), file(image));
  });

  it("of an image that is deleted half way is given back, when its readers are through", async () => {
    const image = await createImage({ size: 3 * MB });
    await setFaults(image.id, { rate: 3 * MB });
    const reader = await startReader(image.id, { env: edge.env });
    await reader.has(100_000);
    const response = await ask(`/v2/images/${image.id}`, { method: "DELETE", env: edge.env });
    expect(response.status).toBe(204);
    await response.arrayBuffer();
    await reader.ended;
    await settled();
    await expectRoom(0);
    expect(await keysOf(image.id)).toEqual([]);
    expect(await storedIds()).toEqual(new Set());
    await expectCalls(
      ...asks(image.id),
      `*${file(image)}`,
      `*${file(image)} bytes=N-`,
      `DELETE /v2/images/${image.id}`,
    );
  });

  it("is taken once, though its object is put away half way", async () => {
    const image = await createImage({ size: 3 * MB });
    await setFaults(image.id, { rate: 3 * MB });
    const reader = await startReader(image.id, { env: edge.env });
    await reader.has(100_000);
    await evictDurableObject(fillStub(image.id));
    expect(await room.sums()).toEqual({ kept: 0, filling: 6 * MB });
    expect((await room.takers(9)).length).toBe(1);
    await expectImage(reader, image);
    await committed(image.id);
    await expectRoom(3 * MB);
    await expectCalls(...asks(image.id), `*${file(image)}`, `*${file(image)} bytes=N-`);
  });
});

describe("a D1 that does not say whether there is room", () => {
  const isTaking = (sql: string) => sql.trim().startsWith("INSERT INTO fills");

  /** A D1 that has a fault with what takes room, for so many times. */
  function faulty(times: number, fault: () => Promise<void>): Partial<Env> {
    let left = times;
    // Batches go through `batch`, which sees prepared statements only: so the fault is in preparing.
    const watched = catalogThat(async () => undefined).CATALOG;
    const CATALOG = new Proxy(bindings.CATALOG, {
      get(target, name) {
        if (name === "prepare") {
          return (sql: string) => {
            taking ||= isTaking(sql);
            return target.prepare(sql);
          };
        }
        if (name === "batch") {
          return async (statements: D1PreparedStatement[]) => {
            if (taking && left-- > 0) {
              taking = false;
              await fault();
            }
            taking = false;
            return target.batch(statements);
          };
        }
        const value: unknown = Reflect.get(watched, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    let taking = false;
    return { CATALOG };
  }

  it("since it fails keeps no download from its fill, and the image is kept once it says yes", async () => {
    edge = await smallEdge(
      20 * MB,
      faulty(1, () => Promise.reject(new Error("D1 is down"))),
    );
    const image = await createImage({ size: MB });
    const reader = await startReader(image.id, { env: edge.env });
    expect(reader.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    await expectImage(reader, image);
    await committed(image.id);
    await expectRoom(MB);
    await expectCalls(...asks(image.id), file(image));
  });

  it("since it is silent keeps no download from its fill", async () => {
    edge = await smallEdge(
      20 * MB,
      faulty(1, () => scheduler.wait(6_000)),
    );
    const image = await createImage({ size: MB });
    const reader = await startReader(image.id, { env: edge.env });
    await expectImage(reader, image);
    expect(reader.endedAt - reader.askedAt).toBeLessThan(5_900);
    await committed(image.id);
    await expectRoom(MB);
    await expectCalls(...asks(image.id), file(image));
  });

  it("and says no in the end has the image's slices go, and nothing kept", async () => {
    edge = await smallEdge(
      MB,
      faulty(1, () => Promise.reject(new Error("D1 is down"))),
    );
    const image = await createImage({ size: MB });
    const reader = await startReader(image.id, { env: edge.env });
    await expectImage(reader, image);
    await expect.poll(() => slicesOf(image), SOON).toEqual([]);
    expect(await objectKeys()).toEqual([]);
    await expectRoom(0);
    await expectCalls(...asks(image.id), file(image));
  });
});
