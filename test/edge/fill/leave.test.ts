import { describe, expect, it } from "vitest";
import {
  bytesOf,
  crawl,
  expectKept,
  expectOnce,
  goingOn,
  RANDOM_ACCESS,
  rangesOf,
  slicesOf,
  slowImage,
  startReaders,
  takeData,
} from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { atOrigin, createImage, setFaults, settled } from "../../support/scenario.ts";

const SIZE = 3_000_000;
const lines = keepLines();

describe("a client that leaves", () => {
  it.each([20, 50, 99])("at %i percent, the first one that came, takes nothing from the others", async (percent) => {
    const image = await slowImage({ size: SIZE }, 1_500_000);
    const first = await startReader(image.id, { leaveAt: (SIZE * percent) / 100 });
    const others = await startReaders(image, 3);
    expect(await first.ended).toBe("left");
    for (const reader of others) await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
  });

  it.each([20, 99])("alone, at %i percent, does not end the fill", async (percent) => {
    const image = await slowImage({ size: SIZE }, 1_500_000);
    const first = await startReader(image.id, { leaveAt: (SIZE * percent) / 100 });
    expect(await first.ended).toBe("left");
    await expectKept(image);
    await expectOnce(image);
    const hit = await startReader(image.id);
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectImage(hit, image);
    await takeData(image);
  });

  it("with all the others does not end the fill", async () => {
    const image = await slowImage({ size: SIZE }, 1_500_000);
    const readers = await startReaders(image, 5);
    await Promise.all(readers.map((reader) => reader.has(SIZE * 0.2)));
    for (const reader of readers) reader.leave();
    await expectKept(image);
    await expectOnce(image);
    expect(lines("download.cut")).toEqual([]);
  });

  it("one after the other leaves the last one its image", async () => {
    const image = await slowImage({ size: SIZE }, 1_500_000);
    const readers = await Promise.all(
      [0.2, 0.4, 0.6, 2].map((part) => startReader(image.id, { leaveAt: SIZE * part })),
    );
    for (const [index, reader] of readers.entries()) {
      if (index < 3) expect(await reader.ended).toBe("left");
      else await expectImage(reader, image);
    }
    await expectOnce(image);
    await expectKept(image);
  });
});

describe("a token that is revoked while the fill runs under it", () => {
  it("costs the others nothing: the fill asks for theirs", async () => {
    const image = await createImage({ size: SIZE, visibility: "public" });
    await setFaults(image.id, { rate: 1_000_000, cutAt: 1_800_000 });
    const token = await newToken();
    const first = await startReader(image.id, { token });
    await crawl(image);
    const other = await startReader(image.id, { token: "demo" });
    expect(await revoke(token)).toBe(204);
    // What is under way keeps its cut.
    await setFaults(image.id, { rate: 4_000_000 });
    await expectImage(other, image);
    // It has its image, or it was cut: never anything else.
    if ((await first.ended) === "whole") await expectImage(first, image);
    await settled();
    const data = await takeData(image);
    const refused = new Set(data.filter(({ status }) => status === 401).map((call) => call.token));
    expect(refused.size).toBe(1);
    expect(refused.has("demo")).toBe(false);
    expect(bytesOf(data)).toBeLessThanOrEqual(RANDOM_ACCESS ? SIZE * 1.3 : SIZE + 1_800_000);
    await expectKept(image);
    expect(await slicesOf(image.id)).toEqual([]);
  });

  it("ends in a cut for who is alone, and the next one goes on from there", async () => {
    const image = await createImage({ size: SIZE, visibility: "public" });
    await setFaults(image.id, { rate: 1_000_000, cutAt: 1_800_000 });
    const token = await newToken();
    const first = await startReader(image.id, { token });
    await crawl(image);
    expect(await revoke(token)).toBe(204);
    // What is under way keeps its cut.
    await setFaults(image.id, { rate: 4_000_000 });
    expect(await first.ended).toBe("cut");
    await settled();
    await takeData(image);
    const next = await startReader(image.id);
    await expectImage(next, image);
    await settled();
    const data = await takeData(image);
    expect(rangesOf(data)).toEqual(goingOn(/^bytes=1\d{6}-$/));
    await expectKept(image);
  });
});

/** A token of its own, from the demo origin's Keystone. */
async function newToken(): Promise<string> {
  const response = await atOrigin("/v3/auth/tokens", {
    token: null,
    method: "POST",
    body: JSON.stringify({
      auth: {
        identity: {
          methods: ["application_credential"],
          application_credential: { id: "demo-credential", secret: "demo-secret" },
        },
      },
    }),
  });
  expect(response.status).toBe(201);
  return response.headers.get("x-subject-token") ?? "";
}

async function revoke(token: string): Promise<number> {
  const headers = { "x-subject-token": token };
  return (await atOrigin("/v3/auth/tokens", { token: "admin", method: "DELETE", headers })).status;
}
