import { runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import { fillStub } from "../../support/bindings.ts";
import { keepLines } from "../../support/lines.ts";
import { cacheList, expectEmpty, manage } from "../../support/manage.ts";
import { createImage, expectCalls, isCommitted, settled } from "../../support/scenario.ts";
import { emptyStore, keysOf, storeImage } from "../../support/store.ts";

keepLines();

beforeEach(emptyStore);

/** What rings the Fill of an image next, or null: nothing does, and what it has in memory goes within seconds. */
async function alarmOf(imageId: string): Promise<number | null> {
  return runInDurableObject(fillStub(imageId), (_, state) => state.storage.getAlarm());
}

describe("an image that is taken out of the queue so many ms after it was put there is not stored behind it:", () => {
  it.each(
    ["DELETE /v2/cache/{id}", "DELETE /v2/cache", "DELETE /v2/queued_images"].flatMap((line) =>
      [0, 5, 10, 25].map((ms) => [line, ms] as const),
    ),
  )("%s, %i ms", async (line, ms) => {
    const image = await createImage({ size: 600_000 });
    await expectEmpty(await manage(`PUT /v2/cache/${image.id}`), 202);
    await scheduler.wait(ms);
    const before = await isCommitted(image.id);
    const response = await manage(line.replace("{id}", image.id));
    expect(response.ok).toBe(true);
    await response.arrayBuffer();
    expect((await cacheList()).queued_images).toEqual([]);
    await settled();
    // As long as it takes to be fetched, and kept.
    await scheduler.wait(500);
    if (!before || line !== "DELETE /v2/queued_images") {
      expect(await isCommitted(image.id)).toBe(false);
      expect(await keysOf(image.id)).toEqual([]);
    }
    const record = `GET /v2/images/${image.id}`;
    await expectCalls(`*${record}`, `*${record}/file`);
  });
});

describe("rights are lent for the image's turn only:", () => {
  it("not for an image that is stored already", async () => {
    const { id } = await createImage({ size: 1_000 });
    await storeImage(id);
    await expectEmpty(await manage(`PUT /v2/cache/${id}`), 202);
    await settled();
    expect(await alarmOf(id)).toBeNull();
    await expectCalls(`GET /v2/images/${id}`);
  });
});
