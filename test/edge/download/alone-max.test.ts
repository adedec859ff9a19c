/** ALONE_MAX bounds the downloads that go alone, and gives each place back. */
import { afterEach, describe, expect, it } from "vitest";
import { fillEnv } from "../../support/fill-env.ts";
import { keepLines } from "../../support/lines.ts";
import { startReader } from "../../support/readers.ts";
import { asks, createImage, download, expectCalls, type Image, setFaults, settled } from "../../support/scenario.ts";

const SIZE = 900_000;
keepLines();
const file = ({ id }: Image) => `GET /v2/images/${id}/file`;

afterEach(() => {
  fillEnv.changes = {};
});

describe("ALONE_MAX", () => {
  const env = { CACHE_MAX_BYTES: "0", ALONE_MAX: "2" };
  const images = (number: number) =>
    Promise.all(
      Array.from({ length: number }, async () => {
        const image = await createImage({ size: SIZE });
        await setFaults(image.id, { rate: SIZE });
        return image;
      }),
    );

  it("bounds the downloads that go alone: the next one is 503 and told when to come back, and has its place later", async () => {
    const [one, two, three] = await images(3);
    if (one === undefined || two === undefined || three === undefined) throw new Error("no images");
    const readers = [await startReader(one.id, { env }), await startReader(two.id, { env })];
    const refused = await download(three.id, { env, headers: { accept: "application/json" } });
    expect([refused.status, refused.headers.get("retry-after"), refused.headers.get("cache-status")]).toEqual([
      503,
      "10",
      "glance-edge; fwd=uri-miss; detail=no-room",
    ]);
    expect(await refused.json()).toMatchObject({ code: "503 Service Unavailable" });
    for (const reader of readers) expect(await reader.ended).toBe("whole");
    await settled();
    const next = await download(three.id, { env });
    expect(next.status).toBe(200);
    expect((await next.arrayBuffer()).byteLength).toBe(SIZE);
    const twice = [...asks(three.id), ...asks(three.id)];
    await expectCalls(...asks(one.id), ...asks(two.id), file(one), file(two), ...twice, file(three));
  });

  it("gives the places back of who leaves, of what is cut, and of what the origin refuses", async () => {
    const [left, cut, refused] = await images(3);
    if (left === undefined || cut === undefined || refused === undefined) throw new Error("no images");
    await setFaults(cut.id, { corruptAt: 0 });
    const leaving = await startReader(left.id, { env, leaveAt: 100_000 });
    expect(await leaving.ended).toBe("left");
    expect(await (await startReader(cut.id, { env })).ended).toBe("cut");
    const remembering = { ...env, AUTHORIZATION_TTL: "60" };
    await (await download(refused.id, { env: remembering })).arrayBuffer();
    await setFaults(refused.id, { status: 403 });
    expect((await download(refused.id, { env: remembering })).status).toBe(403);
    await settled();
    const [one, two] = await images(2);
    if (one === undefined || two === undefined) throw new Error("no images");
    const both = await Promise.all([startReader(one.id, { env }), startReader(two.id, { env })]);
    for (const reader of both) expect(await reader.ended).toBe("whole");
    await expectCalls(
      ...[left, cut, refused, one, two].flatMap((image) => [...asks(image.id), file(image)]),
      file(refused),
      file(refused),
    );
  });

  it("bounds ranges as well, which are the origin's own answers", async () => {
    const [one, two] = await images(2);
    if (one === undefined || two === undefined) throw new Error("no images");
    const single = { ...env, ALONE_MAX: "1" };
    const headers = { range: "bytes=1-" };
    const first = await startReader(one.id, { env: single, headers });
    expect(first.cacheStatus).toBe("glance-edge; fwd=bypass; detail=no-room");
    for (const range of [headers, {}]) {
      const refused = await download(two.id, { env: single, headers: range });
      expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "10"]);
      await refused.arrayBuffer();
    }
    expect(await first.ended).toBe("whole");
    expect(first.received).toBe(SIZE - 1);
    await settled();
    const next = await download(two.id, { env: single, headers });
    expect((await next.arrayBuffer()).byteLength).toBe(SIZE - 1);
    const thrice = [...asks(two.id), ...asks(two.id), ...asks(two.id)];
    await expectCalls(...asks(one.id), `${file(one)} bytes=1-`, ...thrice, `${file(two)} bytes=1-`);
  });

  it("bounds what no gate can digest, which is the origin's own answer", async () => {
    const image = await createImage({ size: SIZE, overrides: { size: 51 * 2 ** 30 } });
    const response = await download(image.id, { env });
    expect([response.status, response.headers.get("cache-status")]).toEqual([
      200,
      "glance-edge; fwd=bypass; detail=too-large",
    ]);
    expect((await response.arrayBuffer()).byteLength).toBe(SIZE);
    await expectCalls(...asks(image.id), file(image));
  });

  it("of 0 bounds nothing", async () => {
    const all = await images(4);
    const none = { ...env, ALONE_MAX: "0" };
    const readers = await Promise.all(all.map(({ id }) => startReader(id, { env: none })));
    for (const reader of readers) expect(await reader.ended).toBe("whole");
    await expectCalls(...all.flatMap((image) => [...asks(image.id), file(image)]));
  });
});
