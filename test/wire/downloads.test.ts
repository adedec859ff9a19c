/** What real clients make of downloads through the edge, right ones and wrong ones. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { virtualBytes } from "../../demo/content/virtual-bytes.ts";
import { CLIENTS } from "./clients.ts";
import { cacheStatusOf, HIT, NOT_STORED, Origin, stored, useEdge } from "./support.ts";

const SIZE = 3 * 2 ** 20 + 11;
const TOKEN = { "x-auth-token": "demo" };

const origin = new Origin();
const edge = useEdge(() => origin.start());
const fileOf = (id: string) => `${edge.process.url}/v2/images/${id}/file`;

describe.each(CLIENTS)("$name takes for a success, with the right bytes,", (client) => {
  it("a miss, a hit, and a range of a hit", async () => {
    const image = await origin.createImage({ size: SIZE });
    const whole = { failure: null, status: 200, contentLength: String(SIZE), sha512: image.sha512 };
    expect(await client.get(fileOf(image.id), TOKEN)).toEqual({
      ...whole,
      cacheStatus: "glance-edge; fwd=uri-miss; stored",
    });
    await stored(edge.process.url, image);
    expect(await client.get(fileOf(image.id), TOKEN)).toEqual({ ...whole, cacheStatus: HIT });

    // Over the border of two slices.
    const [from, length] = [500_000, 1_000_003];
    const part = createHash("sha512")
      .update(virtualBytes(image.seed, from, length))
      .digest("hex");
    const range = { range: `bytes=${from}-${from + length - 1}` };
    expect(await client.get(fileOf(image.id), { ...TOKEN, ...range })).toEqual({
      failure: null,
      status: 206,
      contentLength: String(length),
      cacheStatus: HIT,
      sha512: part,
    });
  });
});

const WRONG = [
  { what: "corrupt in its first byte", faults: { corruptAt: 0 } },
  { what: "corrupt in the middle", faults: { corruptAt: Math.floor(SIZE / 2) } },
  { what: "corrupt in its last byte", faults: { corruptAt: SIZE - 1 } },
  { what: "one byte short", faults: { shortBy: 1 } },
  { what: "one byte long", faults: { longBy: 1 } },
  { what: "cut in the middle, each time", faults: { cutAt: Math.floor(SIZE / 2) } },
].flatMap(({ what, faults }) => [
  { what: `${what}, chunked`, faults: { ...faults, chunked: true } },
  { what: `${what}, with a Content-Length`, faults },
]);

// Side by side: the edge tries a short body again for half a minute.
describe.concurrent("a download fails in every client, and nothing of it is stored, when the body is", () => {
  it.each(WRONG)("$what", async ({ faults }) => {
    await Promise.all(
      CLIENTS.map(async (client) => {
        const image = await origin.createImage({ size: SIZE });
        await origin.setFaults(image, faults);
        const outcome = await client.get(fileOf(image.id), TOKEN);
        // It began as any other, and the client itself says that it did not end well.
        expect(outcome, client.name).toMatchObject({ status: 200, contentLength: String(SIZE) });
        expect(outcome.failure, client.name).toMatch(client.brokenBody);
        // Time for a commit that should not be.
        await sleep(300);
        expect(await cacheStatusOf(edge.process.url, image), client.name).toBe(NOT_STORED);
      }),
    );
  });
});

it("many downloads that failed keep none of those that follow from being stored", async () => {
  for (let n = 0; n < 10; n++) {
    const image = await origin.createImage({ size: SIZE });
    await origin.setFaults(image, { longBy: 1, rate: 2 * SIZE });
    const response = await fetch(fileOf(image.id), { headers: TOKEN });
    const ended = await response.arrayBuffer().then(
      () => (response.ok ? "whole" : "refused"),
      () => "cut",
    );
    expect(ended).not.toBe("whole");
  }
  const image = await origin.createImage({ size: SIZE });
  expect((await (await fetch(fileOf(image.id), { headers: TOKEN })).arrayBuffer()).byteLength).toBe(SIZE);
  await stored(edge.process.url, image);
});
