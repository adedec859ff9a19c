import { describe, expect, it } from "vitest";
import { LEASE_MS } from "../../src/fill/rules.ts";
import { countTurns } from "../support/bindings.ts";
import { pullByHand } from "../support/hand-puller.ts";
import { dataBytes, dataRanges, expectImage, type Reader, startReader } from "../support/readers.ts";
import {
  asks,
  asksV1,
  bindings,
  committed,
  createImage,
  expectCalls,
  goesOn,
  type Image,
  isCommitted,
  setFaults,
  settled,
} from "../support/scenario.ts";

const SIZE = 3_000_000;
const RATE = 1_500_000;
const goesOnV1 = (id: string) => `*GET /v1/images/${id} bytes=N-`;
const v1 = { api: "v1" } as const;

async function slowImage(): Promise<Image> {
  const image = await createImage({ size: SIZE });
  await setFaults(image.id, { rate: RATE });
  return image;
}

async function blobOf(image: Image): Promise<unknown> {
  await committed(image.id);
  return bindings.CATALOG.prepare("SELECT blob FROM images WHERE image_id = ?").bind(image.id).first("blob");
}

async function startAfter(reader: Reader, bytes: number, image: Image, options = {}): Promise<Reader> {
  await reader.has(bytes);
  return startReader(image.id, options);
}

describe("a fill that a v2 download began", () => {
  it("is shared by a v1 download", async () => {
    const image = await slowImage();
    const puller = await startReader(image.id);
    const sharer = await startAfter(puller, 600_000, image, v1);
    expect(sharer.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    await expectImage(puller, image);
    await expectImage(sharer, image);
    await settled();
    expect(await blobOf(image)).toBe(`sha512-${image.os_hash_value}`);
    const seen = await expectCalls(...asks(image.id), ...asksV1(image.id), `GET /v2/images/${image.id}/file`);
    expect(dataBytes(seen)).toBe(SIZE);
  });

  it("is taken over by a v1 download half way", async () => {
    const image = await slowImage();
    const puller = await startReader(image.id, { leaveAt: SIZE / 2 });
    const sharer = await startAfter(puller, 300_000, image, v1);
    await expectImage(sharer, image);
    await settled();
    expect(await blobOf(image)).toBe(`sha512-${image.os_hash_value}`);
    const seen = await expectCalls(
      ...asks(image.id),
      ...asksV1(image.id),
      `GET /v2/images/${image.id}/file`,
      goesOn(image.id),
      goesOnV1(image.id),
    );
    expect(dataRanges(seen)).toHaveLength(2);
  });

  it("is taken over by a v1 download from the first byte", async () => {
    const image = await createImage({ size: SIZE });
    await pullByHand(image);
    await scheduler.wait(LEASE_MS + 100);
    const puller = await startReader(image.id, v1);
    expect(puller.cacheStatus).toBe("glance-edge; fwd=uri-miss; stored");
    await expectImage(puller, image);
    await settled();
    expect(await blobOf(image)).toBe(`sha512-${image.os_hash_value}`);
    await expectCalls(...asksV1(image.id), `GET /v1/images/${image.id}`, goesOnV1(image.id));
  });

  it("is not proven by the MD5 of a v1 download that pulled all of it", async () => {
    // The data has the record's MD5 and not its SHA-512: the v1 download is right, the v2 one is not.
    const image = await createImage({ size: SIZE, overrides: { os_hash_value: "0".repeat(128) } });
    await setFaults(image.id, { rate: RATE });
    await pullByHand(image);
    await scheduler.wait(LEASE_MS + 100);
    const { fills, calls } = countTurns();
    const puller = await startReader(image.id, { ...v1, env: { FILL: fills } });
    const sharer = await startAfter(puller, 300_000, image);
    expect(sharer.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    expect(await puller.ended).toBe("whole");
    expect(await sharer.ended).toBe("cut");
    await settled();
    expect(calls).toContain("stored");
    expect(calls).not.toContain("agreed");
    expect(await isCommitted(image.id)).toBe(false);
    await expectCalls(...asksV1(image.id), ...asks(image.id), `GET /v1/images/${image.id}`);
  });
});

describe("a fill that a v1 download began", () => {
  it("is shared by another v1 download", async () => {
    const image = await slowImage();
    const puller = await startReader(image.id, v1);
    const sharer = await startAfter(puller, 600_000, image, v1);
    expect(sharer.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    await expectImage(puller, image);
    await expectImage(sharer, image);
    await settled();
    expect(await blobOf(image)).toBe(`md5-${image.checksum}-${image.id}`);
    const seen = await expectCalls(...asksV1(image.id), ...asksV1(image.id), `GET /v1/images/${image.id}`);
    expect(dataBytes(seen)).toBe(SIZE);
  });

  it("does not keep a v2 download from its image", async () => {
    const image = await slowImage();
    const puller = await startReader(image.id, v1);
    const joiner = await startAfter(puller, 600_000, image);
    await expectImage(puller, image);
    await expectImage(joiner, image);
    await settled();
    await committed(image.id);
    await expectCalls(
      ...asksV1(image.id),
      ...asks(image.id),
      `GET /v1/images/${image.id}`,
      `*GET /v2/images/${image.id}/file`,
      goesOn(image.id),
      goesOnV1(image.id),
    );
  });

  it("and others share does not break for them when a v2 download comes", async () => {
    const image = await slowImage();
    const puller = await startReader(image.id, v1);
    const sharer = await startAfter(puller, 300_000, image, v1);
    const joiner = await startAfter(sharer, 600_000, image);
    for (const reader of [puller, sharer, joiner]) await expectImage(reader, image);
    await settled();
    await expectCalls(
      ...asksV1(image.id),
      ...asksV1(image.id),
      ...asks(image.id),
      `GET /v1/images/${image.id}`,
      `*GET /v2/images/${image.id}/file`,
      goesOn(image.id),
      goesOnV1(image.id),
    );
  });
});
