import { runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import type { Fill } from "../../src/fill/fill.ts";
import { fillStub } from "../support/bindings.ts";
import { expectEmpty, manage } from "../support/manage.ts";
import { createImage, expectCalls, isCommitted, settled, storedSlices } from "../support/scenario.ts";
import { emptyStore, queue } from "../support/store.ts";

beforeEach(emptyStore);

/** What rings the Fill of an image next, or null: nothing does, and what it has in memory goes within seconds. */
async function alarmOf(imageId: string): Promise<number | null> {
  return runInDurableObject(fillStub(imageId), (_, state) => state.storage.getAlarm());
}

describe("rights are lent for the image's turn only:", () => {
  it.each(["DELETE /v2/cache/{id}", "DELETE /v2/cache", "DELETE /v2/queued_images", "DELETE /v2/queued_images/{id}"])(
    "not when it leaves the queue before its turn has come: %s",
    async (line) => {
      // All places are taken.
      for (const _ of [1, 2]) await queue.add(crypto.randomUUID(), 1);
      await queue.claim(2, Date.now());
      const { id } = await createImage({ size: 1_000 });
      await expectEmpty(await manage(`PUT /v2/cache/${id}`), 202);
      await settled();
      expect(await alarmOf(id)).not.toBeNull();
      await (await manage(line.replace("{id}", id))).arrayBuffer();
      await settled();
      expect(await alarmOf(id)).toBeNull();
      await expectCalls(`*GET /v2/images/${id}`);
    },
  );
});

it("a prefetch that looks at the record while the image is taken out of the queue stores nothing", async () => {
  const image = await createImage({ size: 600_000 });
  const errand = { target: { api: "v2", imageId: image.id }, headers: [["x-auth-token", "admin"]] } as const;
  await queue.add(image.id, Date.now());
  await queue.claim(2, Date.now());
  await runInDurableObject(fillStub(image.id), async (fill: Fill) => {
    await fill.lend(errand);
    fill.prefetch(image.id);
    // As clearQueue (src/manage/clear.ts) and a DELETE of the image do.
    await queue.remove(image.id);
    await fill.stopUnused();
  });
  await scheduler.wait(1_500);
  expect(await isCommitted(image.id)).toBe(false);
  expect(await storedSlices()).toEqual([]);
});
