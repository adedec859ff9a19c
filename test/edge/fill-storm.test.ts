import { describe, expect, it } from "vitest";
import { countTurns } from "../support/bindings.ts";
import { pullByHand } from "../support/hand-puller.ts";
import { dataBytes, expectImage, startReader } from "../support/readers.ts";
import { asks, committed, createImage, expectCalls, setFaults, settled } from "../support/scenario.ts";

describe("a storm of downloads of one image that is not stored", () => {
  it("costs the origin its bytes once, and each client is authorised by itself", async () => {
    const size = 2_000_000;
    const image = await createImage({ size });
    await setFaults(image.id, { rate: 500_000 });
    const readers = await Promise.all(Array.from({ length: 32 }, () => startReader(image.id)));
    const statuses = readers.map((reader) => reader.cacheStatus).sort();
    expect(statuses).toEqual([
      ...Array(31).fill("glance-edge; fwd=uri-miss; collapsed"),
      "glance-edge; fwd=uri-miss; stored",
    ]);
    for (const reader of readers) {
      expect(reader.response.headers.get("content-length")).toBe(String(size));
      await expectImage(reader, image);
    }
    await settled();
    await committed(image.id);
    const seen = await expectCalls(...readers.flatMap(() => asks(image.id)), `GET /v2/images/${image.id}/file`);
    expect(dataBytes(seen)).toBe(size);
    expect(seen.every((call) => call.token === "demo")).toBe(true);

    // Who shares a fill does not wait for its end.
    const filled = Math.min(...readers.map((reader) => reader.endedAt));
    for (const reader of readers) {
      expect(reader.firstByteAt - reader.askedAt).toBeLessThan((filled - reader.askedAt) / 2);
    }
  });

  it("is authorised client by client: who may not read the image gets none of it, while others do", async () => {
    const image = await createImage({ size: 1_500_000 });
    await setFaults(image.id, { rate: 1_000_000 });
    const puller = await startReader(image.id);
    await puller.has(200_000);
    const [stranger, sharer] = await Promise.all([
      startReader(image.id, { token: "other" }),
      startReader(image.id, { token: "admin" }),
    ]);
    expect(stranger.response.status).toBe(404);
    expect(sharer.cacheStatus).toBe("glance-edge; fwd=uri-miss; collapsed");
    await stranger.ended;
    await expectImage(puller, image);
    await expectImage(sharer, image);
    await settled();
    const file = `GET /v2/images/${image.id}/file`;
    // The stranger's third call is the origin's own refusal of the download.
    const seen = await expectCalls(...asks(image.id), ...asks(image.id), ...asks(image.id), file, file);
    expect(dataBytes(seen.filter((call) => call.token !== "other"))).toBe(image.size);
  });

  it("asks the Fill at most about twice a second for each of 200 readers, however fast the slices come", async () => {
    // Six slices: each costs the store 200 reads.
    const image = await createImage({ size: 6 * 65_536 });
    const puller = await pullByHand(image);
    const { fills, turns } = countTurns();
    const joining = Promise.all(Array.from({ length: 200 }, () => startReader(image.id, { env: { FILL: fills } })));
    let joined = false;
    void joining.then(() => {
      joined = true;
    });
    while (!joined) {
      await puller.beat();
      await scheduler.wait(500);
    }
    const begun = Date.now();
    for (let slice = 0; slice < 6; slice++) {
      await puller.store(slice);
      await scheduler.wait(150);
    }
    // The puller's gate has seen all: nobody waits for the read-back, however long that takes beside 200 readers.
    await puller.agree();
    const readers = await joining;
    for (const reader of readers) await expectImage(reader, image);
    await settled();
    await committed(image.id);
    await expectCalls(...readers.flatMap(() => asks(image.id)));

    const seconds = (Date.now() - begun) / 1000;
    const byReader = Map.groupBy(
      turns.filter((turn) => turn.at >= begun),
      (turn) => turn.reader,
    );
    const most = Math.max(...Array.from(byReader.values(), (own) => own.length));
    // One question more than the time allows: the one for the verdict.
    expect(most).toBeLessThanOrEqual(2 + 2 * seconds);
    expect(byReader.size).toBe(200);
  });
});
