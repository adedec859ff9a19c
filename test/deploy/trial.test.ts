/** `npm run trial`: on this machine from its beginning to its end, and what it makes and removes on an account. */
import { readdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ApiError } from "./fake-account.ts";
import { type FakeCloudflare, startFakeCloudflare } from "./fake-cloudflare.ts";
import { makeProject, runScript } from "./support.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

let fake: FakeCloudflare;
let directory: string;
beforeEach(async () => {
  fake = await startFakeCloudflare();
  directory = await makeProject();
});
afterEach(async () => {
  await fake.close();
  await rm(directory, { recursive: true, force: true });
});

const NOTHING = { buckets: {}, databases: [], queues: {}, scripts: {}, domains: {} };

/** Each of the things that a trial makes. */
const MADE = [
  /^POST \/r2\/buckets$/,
  /^PUT \/workers\/scripts\/glance-edge-trial-[0-9a-f]{8}-origin$/,
  /^POST \/d1\/database$/,
  /^PUT \/workers\/scripts\/glance-edge-trial-[0-9a-f]{8}$/,
];

async function configs(): Promise<string[]> {
  return (await readdir(ROOT)).filter((file) => file.startsWith("wrangler.glance-edge-trial-"));
}

describe("npm run trial", () => {
  it("--local measures a hit, a storm and a fill through a restart, and leaves nothing", async () => {
    const { code, stdout, stderr } = await runScript("trial", fake, directory, [
      "--local",
      "--size",
      "16",
      "--slow",
      "12",
    ]);
    expect(stderr).toBe("");
    for (const what of [
      "first download",
      "hit, median of 5",
      "hit, its bytes",
      "storm of 16",
      "origin sent for both",
      "a fill through a deploy",
    ]) {
      expect(stdout).toMatch(new RegExp(`^${what} .* yes$`, "m"));
    }
    expect(stdout).toMatch(/^hit, CPU +\d+\.\d+ s\/GiB$/m);
    expect(code).toBe(0);
    expect(await configs()).toEqual([]);
    expect(fake.calls).toEqual([]);
  });

  // No name of workers.dev is up here: the trial ends once all is made, with the question for its health.
  it("makes two Workers, a bucket and a database under a name of its own, and removes them", async () => {
    const { code, stderr } = await runScript("trial", fake, directory, ["--location", "weur", "--wait", "0"]);
    expect(stderr).toMatch(/^npm run trial: The edge is deployed, but [^\n]+\n$/);
    expect(code).toBe(1);
    for (const made of MADE) expect(fake.calls.map(({ name }) => name)).toContainEqual(expect.stringMatching(made));
    expect(fake.account.contents()).toEqual(NOTHING);
    expect(await configs()).toEqual([]);
  });

  it.each(MADE)("removes what it had made when %s fails", async (call) => {
    fake.fault = (name) => (call.test(name) ? new ApiError(400, 99_999, "made to fail") : null);
    const { code, stderr } = await runScript("trial", fake, directory, ["--jurisdiction", "eu", "--wait", "0"]);
    expect(stderr).toMatch(/^npm run trial: Failed at [^\n]+ made to fail \(code 99999\)\.\n$/);
    expect(code).toBe(1);
    expect(fake.account.contents()).toEqual(NOTHING);
  });

  it("removes what it had made on Ctrl-C", async () => {
    const run = runScript("trial", fake, directory, ["--location", "weur"], {}, /^database .*: made$/m);
    const { code, stdout, stderr } = await run;
    expect(stdout).toContain("interrupted");
    expect(stderr).toBe("npm run trial: Interrupted.\n");
    expect(code).toBe(1);
    expect(fake.account.contents()).toEqual(NOTHING);
  });

  it("says what it could not remove, and removes it when it is told to", async () => {
    fake.fault = (name) => (name.startsWith("DELETE /d1/") ? new ApiError(400, 99_999, "made to fail") : null);
    const first = await runScript("trial", fake, directory, ["--location", "weur", "--wait", "0"]);
    expect(first.stderr).toMatch(/^npm run trial: not removed: database glance-edge-trial-[0-9a-f]{8}: [^\n]+\n$/m);
    const suffix = /--remove ([0-9a-f]{8})/.exec(first.stdout)?.[1] ?? "";
    fake.fault = () => null;
    const second = await runScript("trial", fake, directory, ["--location", "weur", "--remove", suffix]);
    expect(second).toMatchObject({ code: 0, stderr: "" });
    expect(fake.account.contents()).toEqual(NOTHING);
  });
});
