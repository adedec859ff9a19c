import { afterEach, describe, expect, it, vi } from "vitest";
import type { Env } from "../../../src/settings.ts";
import { keptImage } from "../../support/kept.ts";
import { catalogThat, entryOf } from "../../support/manage.ts";
import { asks, bindings, download, expectCalls, isCommitted, settled } from "../../support/scenario.ts";

const SIZE = 200_000;

async function stored(): Promise<string> {
  return (await keptImage({ size: SIZE })).id;
}

/** A download to its end. @returns its status */
async function read(id: string, init: Parameters<typeof download>[1] = {}): Promise<number> {
  const response = await download(id, init);
  await response.arrayBuffer();
  return response.status;
}

const isWrite = (sql: string) => /^\s*(INSERT|UPDATE|DELETE|REPLACE)\b/i.test(sql);

afterEach(() => vi.restoreAllMocks());

describe("hits", () => {
  it("are counted for whole downloads and for ranges, and last_accessed moves", async () => {
    const id = await stored();
    const before = await entryOf(id);
    expect(await read(id)).toBe(200);
    expect(await read(id, { headers: { range: "bytes=0-9" } })).toBe(206);
    const since = Date.now() / 1000;
    expect(await read(id, { headers: { range: "bytes=-1" } })).toBe(206);
    await settled();
    const after = await entryOf(id);
    expect(after).toEqual({ ...before, hits: 3, last_accessed: expect.any(Number) });
    expect(before.last_accessed).toBeLessThan(after.last_accessed);
    expect(after.last_accessed).toBeGreaterThanOrEqual(since - 0.001);
    expect(after.last_accessed).toBeLessThanOrEqual(Date.now() / 1000);
    await expectCalls(...asks(id), ...asks(id), ...asks(id));
  });

  it("are there within seconds, while the downloads behind them still run", async () => {
    const id = await stored();
    const response = await download(id);
    await expect.poll(() => entryOf(id), { timeout: 3_000 }).toMatchObject({ hits: 1 });
    await response.arrayBuffer();
    await settled();
    expect(await entryOf(id)).toMatchObject({ hits: 1 });
    await expectCalls(...asks(id));
  });

  it("of a client that leaves count as well, as with Glance", async () => {
    const id = await stored();
    await (await download(id)).body?.cancel();
    await settled();
    expect(await entryOf(id)).toMatchObject({ hits: 1 });
    await expectCalls(...asks(id));
  });

  it("are what moved bytes out of the store: no refusal, no 304, and no miss is one", async () => {
    const id = await stored();
    expect(await read(id, { token: "other" })).toBe(404);
    expect(await read(id, { token: null })).toBe(401);
    expect(await read(id, { headers: { "if-none-match": "*" } })).toBe(304);
    expect(await read(id, { headers: { range: `bytes=${SIZE}-` } })).toBe(416);
    await settled();
    const entry = await entryOf(id);
    expect([entry.hits, entry.last_accessed]).toEqual([0, entry.last_modified]);
    await expectCalls(
      ...[1, 2, 3, 4].flatMap(() => asks(id)),
      `GET /v2/images/${id}/file`,
      `GET /v2/images/${id}/file`,
      `GET /v2/images/${id}/file bytes=${SIZE}-`,
    );
  });

  it("of images that are taken out before they are written down bring nothing back", async () => {
    const id = await stored();
    const evicted = catalogThat(async (sql) => {
      if (!isWrite(sql)) return;
      await bindings.CATALOG.prepare("DELETE FROM images WHERE image_id = ?").bind(id).run();
    });
    expect(await read(id, { env: evicted })).toBe(200);
    await settled();
    expect(await isCommitted(id)).toBe(false);
    await expectCalls(...asks(id));
  });
});

describe("writing them down", () => {
  it("takes a handful of writes for a thousand hits of several images", async () => {
    const ids = [await stored(), await stored()];
    const writes: number[] = [];
    const since = Date.now();
    const catalog = catalogThat(async (sql) => {
      // Figures are written by themselves, more often in tests.
      if (isWrite(sql) && !sql.includes("traffic")) writes.push(Date.now() - since);
    });
    const env: Partial<Env> = { ...catalog, AUTHORIZATION_TTL: "600" };
    const client = async (index: number) => {
      for (let hit = 0; hit < 50; hit++) {
        expect(await read(ids[index % 2] ?? "", { env, headers: { range: "bytes=0-9" } })).toBe(206);
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, index) => client(index)));
    await settled();
    const took = Date.now() - since;
    expect((await Promise.all(ids.map(entryOf))).map(({ hits }) => hits)).toEqual([500, 500]);
    // At most one a second, for all images together.
    expect(writes.length, `writes at ${writes} of ${took} ms`).toBeLessThanOrEqual(Math.ceil(took / 1000) + 1);
    expect(writes.length).toBeLessThan(20);
    await expectCalls(...ids.flatMap((id) => [`*${asks(id)[0]}`, `*${asks(id)[1]}`]));
  });

  it("is nothing that a download waits for", async () => {
    const id = await stored();
    const written = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const env = catalogThat(async (sql) => {
      if (!isWrite(sql)) return;
      asked.resolve();
      await written.promise;
    });
    // To its end, while the write does not come to its own.
    expect(await read(id, { env })).toBe(200);
    await asked.promise;
    expect(await read(id, { env })).toBe(200);
    expect(await entryOf(id)).toMatchObject({ hits: 0 });
    written.resolve();
    await settled();
    // Those that came meanwhile wait for the next one to be written.
    expect(await read(id)).toBe(200);
    await settled();
    expect(await entryOf(id)).toMatchObject({ hits: 3 });
    await expectCalls(...asks(id), ...asks(id), ...asks(id));
  });

  it("that fails loses none: the next write has them", async () => {
    const id = await stored();
    const errors = vi.spyOn(console, "error").mockReturnValue();
    const env = catalogThat(async (sql) => {
      if (isWrite(sql)) throw new Error("D1 is down");
    });
    for (const _ of [1, 2]) expect(await read(id, { env })).toBe(200);
    await settled();
    expect(errors.mock.calls.join()).toContain('"event":"usage.not-written"');
    expect(await entryOf(id)).toMatchObject({ hits: 0 });
    expect(await read(id)).toBe(200);
    await settled();
    expect(await entryOf(id)).toMatchObject({ hits: 3 });
    await expectCalls(...asks(id), ...asks(id), ...asks(id));
  });

  it("also notes until when a slow client may read the image", async () => {
    const id = await stored();
    const since = Date.now();
    expect(await read(id)).toBe(200);
    await settled();
    const until = await bindings.CATALOG.prepare("SELECT in_use_until FROM images WHERE image_id = ?")
      .bind(id)
      .first<number>("in_use_until");
    // As for anything below 60 MB.
    expect(until).toBeGreaterThanOrEqual(since + 60_000);
    expect(until).toBeLessThanOrEqual(Date.now() + 60_000);
    await expectCalls(...asks(id));
  });
});
