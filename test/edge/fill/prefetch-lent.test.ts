import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fillStub } from "../../support/bindings.ts";
import { slicesOf, smallEdge } from "../../support/cap.ts";
import { SOON } from "../../support/fills.ts";
import {
  advance,
  backgroundCalls,
  backOffIsOver,
  emptyQueue,
  enqueue,
  fetched,
  issue,
  notNow,
  queued,
  revoke,
  tokens,
} from "../../support/prefetching.ts";
import { bindings, committed, createImage, loggedName, setFaults } from "../../support/scenario.ts";
import { TABLES } from "../../support/store.ts";

const MB = 1_000_000;
const NO_RIGHTS = "nobody's rights to fetch it with: set service credentials, or queue it again";

describe("without an account of the edge's own", () => {
  beforeEach(async () => {
    await smallEdge(100 * MB);
  });

  it("an image is fetched with the token of who queued it", async () => {
    const image = await createImage({ size: MB });
    const lent = await issue("demo");
    await fetched(image, lent);
    expect(new Set(await tokens(image))).toEqual(new Set([await loggedName(lent)]));
  });

  it("an image that nobody lends his rights for waits, and says why", async () => {
    const image = await createImage({ size: MB });
    await enqueue([image]);
    await advance();
    expect(await notNow(image)).toMatchObject({ attempts: 1, lastError: NO_RIGHTS, startedAt: null });
    expect(await backgroundCalls(image)).toEqual([]);
  });

  it("a token that has ended is used once, and not again", async () => {
    const image = await createImage({ size: MB });
    const lent = await issue("demo");
    await revoke(lent);
    await enqueue([image], lent);
    await advance();
    expect((await notNow(image)).lastError).toBe("the origin refused the image's record with status 401");
    await backOffIsOver();
    await advance();
    await expect.poll(async () => (await queued(image))?.lastError, SOON).toBe(NO_RIGHTS);
    expect(await backgroundCalls(image)).toHaveLength(1);
  });

  it("a lent token outlasts a turn in which the origin failed, or the image was not active", async () => {
    const [failing, waiting] = [
      await createImage({ size: MB }),
      await createImage({ size: MB, overrides: { status: "queued" } }),
    ];
    await setFaults(failing.id, { recordStatus: 503 });
    await enqueue([failing, waiting], await issue("demo"));
    await advance();
    for (const image of [failing, waiting]) {
      await notNow(image);
      // An object without an alarm is put away within seconds, and the token with it.
      const wakes = () => runInDurableObject(fillStub(image.id), (_, { storage }) => storage.getAlarm());
      await expect.poll(wakes, SOON).toBeLessThanOrEqual(Date.now() + 8_000);
      await runInDurableObject(fillStub(image.id), (fill) => fill.alarm());
      expect(await wakes()).not.toBeNull();
      expect(await wakes()).toBeLessThanOrEqual(Date.now() + 8_000);
    }
    await setFaults(failing.id, {});
    await backOffIsOver();
    await advance();
    await committed(failing.id);
  });

  it("an image that is over keeps nothing awake", async () => {
    const gone = { id: crypto.randomUUID() };
    await enqueue([gone], await issue("admin"));
    await advance();
    await emptyQueue();
    const wakes = () => runInDurableObject(fillStub(gone.id), (_, { storage }) => storage.getAlarm());
    await expect
      .poll(async () => {
        await runDurableObjectAlarm(fillStub(gone.id));
        return wakes();
      }, SOON)
      .toBeNull();
  });
});

describe("a lent token", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("is written nowhere: not in D1, not in the object's storage, not in R2, not in the log", async () => {
    await smallEdge(100 * MB);
    const lines: string[] = [];
    for (const level of ["log", "error", "warn", "info", "debug"] as const) {
      vi.spyOn(console, level).mockImplementation((...words) => void lines.push(words.join(" ")));
    }
    const lent = await issue("demo");
    const [image, broken] = [await createImage({ size: MB }), await createImage({ size: MB })];
    await setFaults(image.id, { rate: MB });
    await setFaults(broken.id, { status: 403 });
    await enqueue([image, broken], lent);
    await advance();
    await expect.poll(async () => (await slicesOf(image)).length, SOON).toBeGreaterThan(0);
    for (const { id } of [image, broken]) expect(await written(id)).not.toContain(lent);
    await committed(image.id);
    for (const { id } of [image, broken]) expect(await written(id)).not.toContain(lent);
    expect(lines.join("\n")).not.toContain(lent);
    // What is looked for would be found.
    expect(await written(image.id)).toContain(image.os_hash_value);
    expect(lines.join("\n")).toContain(image.id);
  });

  /** All that the edge has written down, and the image's Fill. */
  async function written(imageId: string): Promise<string> {
    const rows = await bindings.CATALOG.batch(
      TABLES.map((table) => bindings.CATALOG.prepare(`SELECT * FROM ${table}`)),
    );
    const objects = await bindings.BUCKET.list({ include: ["customMetadata", "httpMetadata"] });
    const own = await runInDurableObject(fillStub(imageId), (_, { storage }) => [...storage.kv.list()]);
    const stored = objects.objects.map(({ key, customMetadata }) => [key, customMetadata]);
    return JSON.stringify([rows.map(({ results }) => results), stored, own]);
  }
});
