/** `npm start` puts wrangler's development proxy in front of the edge: it must not make a broken download look whole. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isFree } from "../../scripts/ports.ts";
import { CLIENTS } from "./clients.ts";
import { cacheStatusOf, HIT, Origin, stored } from "./support.ts";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
const SIZE = 3 * 2 ** 20 + 11;
const TOKEN = { "x-auth-token": "demo" };

const origin = new Origin();
let url = "";
let end = async (): Promise<void> => undefined;

beforeAll(async () => {
  const port = await freePort();
  const persist = await mkdtemp(join(tmpdir(), "edge-start-"));
  const flags = ["--var", `ORIGIN_URL:${await origin.start()}`, "--port", String(port), "--persist-to", persist];
  const child = spawn("npm", ["start", "--", ...flags, "--inspector-port", "0"], {
    cwd: REPOSITORY,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const exited = once(child, "exit");
  end = async () => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
      process.kill(-child.pid, "SIGTERM");
    await exited;
    // npm goes before the script it runs, which ends its own children and then itself.
    for (let tries = 0; tries < 100 && !(await isFree("127.0.0.1", port)); tries++) await sleep(50);
    await rm(persist, { recursive: true, force: true });
  };
  await new Promise<void>((resolve, reject) => {
    let output = "";
    const look = (text: string) => {
      output += text;
      if (/^ready/m.test(output)) resolve();
    };
    child.stdout.setEncoding("utf8").on("data", look);
    child.stderr.setEncoding("utf8").on("data", look);
    child.once("exit", () => reject(new Error(`npm start ended:\n${output}`)));
  });
  url = `http://127.0.0.1:${port}`;
});
afterAll(() => end());

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

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  await once(server.close(), "close");
  return address.port;
}
