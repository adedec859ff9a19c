/** The clean's question to a Fill, about an attempt that it has found in R2 or in the catalog. */
import { afterEach, describe, expect, it } from "vitest";
import { fillClient, resetFill } from "../support/bindings.ts";
import { CALM, fillEnv } from "../support/fill-env.ts";
import { expectKept, expectNothingLeft, keepLines, keysOf, objectPut, takeData } from "../support/fills.ts";
import { expectImage, startReader } from "../support/readers.ts";
import { bindings, createImage, type Image, setFaults, settled } from "../support/scenario.ts";

const SIZE = 2_000_000;
keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

/** A slice that nobody's fill knows of, and its row. @returns its attempt */
async function orphan({ id }: Image): Promise<string> {
  const attempt = crypto.randomUUID();
  await bindings.BUCKET.put(`fills/${id}/${attempt}/0`, "left over");
  await bindings.CATALOG.prepare("INSERT INTO fills (attempt, image_id, size, bytes, since) VALUES (?1, ?2, 1, 2, 3)")
    .bind(attempt, id)
    .run();
  return attempt;
}

async function attemptOf({ id }: Image): Promise<string> {
  const look = await fillClient(id).progress();
  if (look.fill !== "running") throw new Error("no fill runs");
  return look.progress.attempt;
}

describe("a Fill that the clean asks", () => {
  it("removes what is left of an attempt that is none of its own, with its room", async () => {
    const image = await createImage({ size: SIZE });
    expect(await fillClient(image.id).clean(await orphan(image))).toBe("removed");
    await expectNothingLeft(image);
  });

  it("keeps what it is at, and what it has kept a moment ago, and removes others beside that", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000 });
    const reader = await startReader(image.id);
    await reader.has(100_000);
    const attempt = await attemptOf(image);
    expect(await fillClient(image.id).clean(attempt)).toBe("in-use");
    expect(await fillClient(image.id).clean(await orphan(image))).toBe("removed");
    await expectImage(reader, image);
    await objectPut(image);
    expect(await fillClient(image.id).clean(attempt)).toBe("in-use");
    await settled();
    await takeData(image);
    await expectKept(image);
  });

  it("keeps what can go on later, though nobody is at it now", async () => {
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000 });
    const reader = await startReader(image.id, { leaveAt: 100_000 });
    const attempt = await attemptOf(image);
    expect(await reader.ended).toBe("left");
    await settled();
    await resetFill(image.id);
    expect(await fillClient(image.id).clean(attempt)).toBe("in-use");
    expect(await keysOf(image.id)).not.toEqual([]);
    await fillClient(image.id).remove("always");
    await expectNothingLeft(image);
    await takeData(image);
  });
});

describe("a fill that nothing moves any more", () => {
  it("is dropped after CLEAN_STALL_SECONDS, with its slices and its room", async () => {
    fillEnv.changes = { ...CALM, CLEAN_STALL_SECONDS: "2" };
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { rate: 2_000_000 });
    const reader = await startReader(image.id, { leaveAt: 100_000 });
    expect(await reader.ended).toBe("left");
    await settled();
    await resetFill(image.id);
    expect(await keysOf(image.id)).not.toEqual([]);
    await expectNothingLeft(image);
    await takeData(image);
  });
});
