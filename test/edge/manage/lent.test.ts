import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Fill } from "../../../src/fill/object/fill.ts";
import { fillStub } from "../../support/bindings.ts";
import { expectEmpty, manage } from "../../support/manage.ts";
import { bindings, createImage, expectCalls, isCommitted, settled } from "../../support/scenario.ts";
import { emptyStore, keysOf, queue } from "../../support/store.ts";

const MINUTE = 60_000;

beforeEach(emptyStore);

/** What rings the Fill of an image next, or null: nothing does, and what it has in memory goes within seconds. */
async function alarmOf(imageId: string): Promise<number | null> {
  return runInDurableObject(fillStub(imageId), (_, state) => state.storage.getAlarm());
}

/** Lets so much time pass for the image's Fill, and its alarm ring. */
async function ringAfter(imageId: string, ms: number): Promise<void> {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
  try {
    expect(await runDurableObjectAlarm(fillStub(imageId))).toBe(true);
  } finally {
    vi.useRealTimers();
  }
}

/** An image that is queued, and waits since all places are taken. */
async function waiting(): Promise<string> {
  for (const _ of [1, 2]) await queue.add(crypto.randomUUID(), 1);
  await queue.claim(2, Date.now());
  const { id } = await createImage({ size: 1_000 });
  await expectEmpty(await manage(`PUT /v2/cache/${id}`), 202);
  await settled();
  expect(await alarmOf(id)).not.toBeNull();
  await expectCalls(`GET /v2/images/${id}`);
  return id;
}

describe("rights are lent for the image's turn only:", () => {
  it.each(["DELETE /v2/cache/{id}", "DELETE /v2/queued_images/{id}"])(
    "not when it leaves the queue before its turn has come: %s",
    async (line) => {
      const id = await waiting();
      await (await manage(line.replace("{id}", id))).arrayBuffer();
      await settled();
      // With the next heartbeat nothing is left of it.
      await ringAfter(id, 0);
      expect(await alarmOf(id)).toBeNull();
    },
  );

  it.each(["DELETE /v2/cache", "DELETE /v2/queued_images"])(
    "its Fill finds out by itself, within five minutes, when it left with all others: %s",
    async (line) => {
      const id = await waiting();
      await (await manage(line)).arrayBuffer();
      await settled();
      await ringAfter(id, 4 * MINUTE);
      expect(await alarmOf(id)).not.toBeNull();
      await ringAfter(id, 5 * MINUTE);
      expect(await alarmOf(id)).toBeNull();
    },
  );

  it("and its Fill that looks stays awake while the image waits on, or D1 does not say", async () => {
    const id = await waiting();
    await ringAfter(id, 6 * MINUTE);
    expect(await alarmOf(id)).not.toBeNull();
    await bindings.CATALOG.prepare("ALTER TABLE queue RENAME TO elsewhere").run();
    await ringAfter(id, 12 * MINUTE);
    await bindings.CATALOG.prepare("ALTER TABLE elsewhere RENAME TO queue").run();
    expect(await alarmOf(id)).not.toBeNull();
  });

  it("and its Fill keeps them when it was queued anew after the queue was cleared", async () => {
    const id = await waiting();
    await (await manage("DELETE /v2/queued_images")).arrayBuffer();
    for (const _ of [1, 2]) await queue.add(crypto.randomUUID(), 1);
    await queue.claim(2, Date.now());
    await expectEmpty(await manage(`PUT /v2/cache/${id}`), 202);
    await settled();
    await ringAfter(id, 6 * MINUTE);
    expect(await alarmOf(id)).not.toBeNull();
    await expectCalls(`GET /v2/images/${id}`);
  });
});

it("a prefetch that looks at the record while the image is taken out of the queue stores nothing", async () => {
  const image = await createImage({ size: 600_000 });
  const target = { api: "v2", imageId: image.id } as const;
  await queue.add(image.id, Date.now());
  await queue.claim(2, Date.now());
  await runInDurableObject(fillStub(image.id), async (fill: Fill) => {
    await fill.lend(image.id, { target, headers: [["x-auth-token", "admin"]] });
    await fill.prefetch(image.id);
    // As endFetching (src/manage/clear.ts) does.
    await fill.unqueue(image.id);
    await queue.remove(image.id);
    await fill.unqueue(image.id);
  });
  await scheduler.wait(1_500);
  expect(await isCommitted(image.id)).toBe(false);
  expect(await keysOf(image.id)).toEqual([]);
});
