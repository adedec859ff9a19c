/** `npm start` puts wrangler's development proxy in front of the edge: it must not make a broken download look whole. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { npmStart, type Started } from "../support/node/npm-start.ts";
import { CLIENTS } from "./clients.ts";
import { cacheStatusOf, HIT, Origin, stored } from "./support.ts";

const SIZE = 3 * 2 ** 20 + 11;
const TOKEN = { "x-auth-token": "demo" };

const origin = new Origin();
let url = "";
let started: Started | null = null;

beforeAll(async () => {
  started = await npmStart(["--var", `ORIGIN_URL:${await origin.start()}`]);
  url = `http://127.0.0.1:${started.port}`;
});
afterAll(() => started?.end());

describe("through npm start's port", () => {
  it("every client takes a right image for a success, as a miss and as a hit", async () => {
    await Promise.all(
      CLIENTS.map(async (client) => {
        const image = await origin.createImage({ size: SIZE });
        const file = `${url}/v2/images/${image.id}/file`;
        const right = { failure: null, status: 200, contentLength: String(SIZE), sha512: image.sha512 };
        expect(await client.get(file, TOKEN), client.name).toMatchObject(right);
        await stored(url, image);
        expect(await client.get(file, TOKEN), client.name).toMatchObject({ ...right, cacheStatus: HIT });
      }),
    );
  });

  it.each([
    { what: "corrupt in its last byte", faults: { corruptAt: SIZE - 1 } },
    { what: "one byte long", faults: { longBy: 1 } },
  ])("every client takes an image that is $what for a failure", async ({ faults }) => {
    await Promise.all(
      CLIENTS.map(async (client) => {
        const image = await origin.createImage({ size: SIZE });
        await origin.setFaults(image, faults);
        const outcome = await client.get(`${url}/v2/images/${image.id}/file`, TOKEN);
        expect(outcome.status, client.name).toBe(200);
        expect(outcome.failure, client.name).toMatch(client.brokenBody);
        expect(await cacheStatusOf(url, image), client.name).not.toBe(HIT);
      }),
    );
  });
});
