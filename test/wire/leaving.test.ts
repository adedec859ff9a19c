/** A client that leaves takes its own transfer from the origin along: nobody else would read it. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { describe, expect, it } from "vitest";
import { type Image, Origin, until, useEdge } from "./support.ts";

/** A range that begins more than 64 MiB ahead of its fill is the origin's own. */
const SIZE = 96 * 2 ** 20;
const FAR = 80 * 2 ** 20;
/** Slow enough that the transfer would take a minute. */
const RATE = 2 ** 20;
const PATIENCE_MS = 5_000;

const origin = new Origin();
const edge = useEdge(() => origin.start());

/** Downloads until the first bytes have come, then hangs up. */
async function readAndLeave(image: Image, headers: Readonly<Record<string, string>>): Promise<void> {
  const outgoing = request(`${edge.process.url}/v2/images/${image.id}/file`, {
    headers: { "x-auth-token": "demo", ...headers },
    agent: false,
  });
  outgoing.end();
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  expect(incoming.headers["cache-status"]).toMatch(/^glance-edge; fwd=bypass/);
  await once(incoming, "data");
  outgoing.destroy();
}

describe("the edge lets go of the origin's connection when the client leaves", () => {
  it.each([
    { what: "an image that is not for the cache", hash: "none", headers: {} },
    { what: "a range far ahead of what is stored", hash: "sha512", headers: { range: `bytes=${FAR}-` } },
  ])("$what", async ({ hash, headers }) => {
    const image = await origin.createImage({ size: SIZE, hash });
    await origin.setFaults(image, { rate: RATE });
    await readAndLeave(image, headers);
    // The last one is the transfer itself; the one before asked for the right to it.
    const transfer = async () => (await origin.requestsFor(image)).at(-1);
    await until("letting go", PATIENCE_MS, async () => (await transfer())?.aborted === true);
    const last = await transfer();
    expect(last?.bytes).toBeGreaterThan(0);
    expect(last?.bytes).toBeLessThan(SIZE / 2);
  });
});
