/** `npm run deploy` with the real wrangler, against a Cloudflare API on loopback. */
import { readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ApiError } from "./fake-account.ts";
import { type FakeCloudflare, startFakeCloudflare } from "./fake-cloudflare.ts";
import { makeProject, type Run, runScript, withQueues } from "./support.ts";

let fake: FakeCloudflare;
let directory: string;
beforeEach(async () => {
  fake = await startFakeCloudflare();
});
afterEach(async () => {
  await fake.close();
  await rm(directory, { recursive: true, force: true });
});

const MIGRATIONS = readdirSync(new URL("../../migrations", import.meta.url)).sort();
const WHERE = ["--location", "weur"];

function deploy(where: readonly string[] = WHERE, environment: Readonly<Record<string, string>> = {}): Promise<Run> {
  const vars = ["--var", "ORIGIN_URL:https://glance.example", "--var", `PUBLIC_URL:${fake.edge}`];
  const args = [...vars, "--route", "image.example.invalid", "--wait", "0", ...where];
  return runScript("deploy", fake, directory, args, environment);
}

/** It ended with one sentence, and nothing else of an error. */
function sentence({ code, stderr }: Run): string {
  expect(code).toBe(1);
  expect(stderr).toMatch(/^npm run deploy: [^\n]+\.\n$/);
  return stderr;
}

/** Calls that make or change something, in their order, each once. */
function changes(): string[] {
  const made = fake.calls
    .map(({ name }) => name)
    .filter((name) => !name.startsWith("GET ") && !/graphql|changeset|session/.test(name));
  return [...new Set(made)];
}

interface Binding {
  readonly name: string;
  readonly text?: string;
  readonly jurisdiction?: string;
  readonly id?: string;
}

function binding(name: string): Binding | undefined {
  const version = fake.account.scripts.get("glance-edge")?.versions.at(-1);
  const bindings = (version?.metadata.bindings ?? []) as unknown as Binding[];
  return bindings.find((one) => one.name === name);
}

describe("npm run deploy", () => {
  it("makes all that a fresh account has not, the tables before the code, and a second run changes nothing", async () => {
    directory = await makeProject(withQueues);
    const first = await deploy();
    expect(first).toMatchObject({ code: 0, stderr: "" });
    const made = changes();
    expect(made.slice(0, 5)).toEqual([
      "POST /r2/buckets",
      "POST /d1/database",
      "POST /queues",
      "POST /d1/database/ID/query",
      "PUT /workers/scripts/glance-edge",
    ]);
    // All at once.
    expect(made.slice(5).sort()).toEqual([
      "PATCH /workers/scripts/glance-edge/script-settings",
      "POST /queues/ID/consumers",
      "POST /workers/scripts/glance-edge/subdomain",
      "PUT /workers/scripts/glance-edge/domains/records",
      "PUT /workers/scripts/glance-edge/schedules",
    ]);
    const contents = fake.account.contents();
    expect(contents).toMatchObject({
      buckets: { "/glance-edge": { location: "weur" } },
      databases: [{ name: "glance-edge", location: "weur", migrations: MIGRATIONS }],
      domains: { "image.example.invalid": "glance-edge" },
    });
    expect(Object.keys(contents.queues)).toEqual(["glance-edge-notifications", "glance-edge-notifications-dead"]);
    expect(binding("LOCATION")?.text).toBe("weur");
    expect(binding("CATALOG")?.id).toBe(contents.databases[0]?.uuid);
    expect(first.stdout).toContain(`healthy: ${fake.edge}`);

    const before = structuredClone(contents);
    const second = await deploy();
    expect(second).toMatchObject({ code: 0, stderr: "" });
    expect(second.stdout).toContain("runs this version already");
    expect(fake.account.contents()).toEqual(before);
  });

  it("keeps bucket, database and Fills in the jurisdiction, and refuses to move them", async () => {
    directory = await makeProject();
    expect(await deploy(["--jurisdiction", "eu"])).toMatchObject({ code: 0, stderr: "" });
    expect(fake.account.contents()).toMatchObject({
      buckets: { "eu/glance-edge": { jurisdiction: "eu" } },
      databases: [{ jurisdiction: "eu", location: null }],
    });
    expect(binding("BUCKET")?.jurisdiction).toBe("eu");
    expect([binding("JURISDICTION")?.text, binding("LOCATION")?.text]).toEqual(["eu", ""]);
    expect(sentence(await deploy())).toContain("is there, in jurisdiction eu, and can't be moved");
  });

  it("stops with one sentence at each call that fails, and a further run goes on from there", async () => {
    directory = await makeProject(withQueues);
    const failed = new Set<string>();
    fake.fault = (name) => {
      if (failed.has(name)) return null;
      failed.add(name);
      return new ApiError(400, 99_999, "made to fail");
    };
    let runs = 1;
    for (let run = await deploy(); run.code !== 0; run = await deploy()) {
      expect(sentence(run)).not.toContain("undefined");
      // Each of them gets further by one call at least.
      expect(++runs).toBeLessThan(40);
    }
    expect([...failed]).toEqual(expect.arrayContaining(changes()));
    const contents = fake.account.contents();
    expect(Object.keys(contents.buckets)).toEqual(["/glance-edge"]);
    expect(contents.databases).toMatchObject([{ migrations: MIGRATIONS }]);
    expect(contents.scripts["glance-edge"]?.schedules).toHaveLength(3);
    expect(contents.domains).toEqual({ "image.example.invalid": "glance-edge" });
    expect(contents.queues["glance-edge-notifications"]?.consumers).toHaveLength(1);
  });

  it.each([
    [
      100_328,
      "CPU limits are not supported for the Free plan.",
      "PUT /workers/scripts/glance-edge",
      "take Workers Paid",
    ],
    [
      10_042,
      "Please enable R2 through the Cloudflare Dashboard.",
      "GET /r2/buckets/glance-edge",
      "R2 is not switched on",
    ],
    [10_000, "Authentication error", "GET /d1/database", "the token needs to edit"],
    [10_013, "could not find zone", "PUT /workers/scripts/glance-edge/domains/records", "is its zone active"],
  ])("says what to do about error %i (%s)", async (code, message, call, told) => {
    directory = await makeProject();
    fake.fault = (name) => (name === call ? new ApiError(403, code, message) : null);
    expect(sentence(await deploy())).toContain(told);
  });

  it("makes of staging an edge of its own, with the limits and crons of production", async () => {
    directory = await makeProject();
    expect(await deploy([...WHERE, "--env", "staging"])).toMatchObject({ code: 0, stderr: "" });
    const { buckets, databases, scripts } = fake.account.contents();
    expect([...Object.keys(buckets), ...databases.map(({ name }) => name), ...Object.keys(scripts)]).toEqual([
      "/glance-edge-staging",
      ...["glance-edge-staging", "glance-edge-staging"],
    ]);
    const staging = scripts["glance-edge-staging"];
    expect(staging?.schedules).toHaveLength(3);
    expect(staging?.versions.at(-1)?.metadata).toMatchObject({
      limits: { cpu_ms: 300_000 },
      observability: { enabled: true },
      compatibility_flags: ["enable_request_signal"],
    });
  });

  it("stops where nobody is logged in, before it makes anything", async () => {
    directory = await makeProject();
    expect(sentence(await deploy(WHERE, { CLOUDFLARE_API_TOKEN: "" }))).toContain("Nobody is logged in");
    expect(fake.calls).toEqual([]);
  });

  it("stops where the log-in has several accounts, and takes the one that is named", async () => {
    directory = await makeProject();
    const other = { id: "f".repeat(32), name: "Other" };
    fake.accounts = [...fake.accounts, other];
    expect(sentence(await deploy())).toContain(`Other (${other.id})`);
    expect(changes()).toEqual([]);
    expect(await deploy(WHERE, { CLOUDFLARE_ACCOUNT_ID: other.id })).toMatchObject({ code: 0 });
  });

  it("does not take a name from what else has it in DNS", async () => {
    directory = await makeProject();
    // An address stands for a name that DNS knows.
    const taken = [...WHERE, "--route", "127.0.0.1"];
    expect(sentence(await deploy(taken))).toContain("has a DNS record already");
    expect(changes()).toEqual([]);
    expect(await deploy([...taken, "--replace-dns"])).toMatchObject({ code: 0 });
  });

  it("says what the edge finds wrong with itself", async () => {
    directory = await makeProject();
    fake.unhealthy = "can't be reached";
    expect(sentence(await deploy())).toContain("but origin: can't be reached.");
  });

  it("deploys what changed, and what ran before once that is checked out again", async () => {
    directory = await makeProject();
    await deploy();
    expect((await deploy([...WHERE, "--var", "ALONE_MAX:9"])).stdout).toContain("Worker glance-edge: deployed");
    expect(binding("ALONE_MAX")?.text).toBe("9");
    expect(fake.account.scripts.get("glance-edge")?.versions).toHaveLength(2);
    expect((await deploy()).stdout).toContain("Worker glance-edge: deployed");
    expect((await deploy()).stdout).toContain("runs this version already");
  });
});

describe("before it asks Cloudflare, npm run deploy stops where", () => {
  it.each([
    [["--var", "ORIGIN_URL:https://glance.example", "--route", "image.example.com"], "Nothing says where"],
    [["--location", "weur", "--route", "image.example.com"], "ORIGIN_URL is not set"],
    [["--location", "weur", "--var", "ORIGIN_URL:https://glance.example"], "No route leads"],
    [
      ["--location", "mars", "--var", "ORIGIN_URL:https://glance.example", "--route", "a.example"],
      "LOCATION mars must be one of",
    ],
    [
      [
        "--location",
        "weur",
        "--jurisdiction",
        "eu",
        "--var",
        "ORIGIN_URL:https://glance.example",
        "--route",
        "a.example",
      ],
      "Name one",
    ],
    [["--location", "weur", "--var", "ORIGIN_URL:https://a.example", "--route", "a.example"], "both a.example"],
    [["--location", "weur", "--var", "ORIGIN_URL:glance", "--route", "a.example"], "ORIGIN_URL is not a URL"],
    [["--locaton", "weur"], "Unknown option '--locaton'"],
  ])("%j", async (args, told) => {
    directory = await makeProject();
    expect(sentence(await runScript("deploy", fake, directory, args))).toContain(told);
    expect(fake.calls).toEqual([]);
  });
});
