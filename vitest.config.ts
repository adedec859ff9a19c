/**
 * The kinds of tests. `unit`, `edge` and `sequential` run inside workerd with real local R2, D1 and Durable Objects, the latter two
 * against the demo origin; all others run in Node and drive what their names say. test/README.md has the table.
 */
import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig, type Plugin, type TestProjectInlineConfiguration } from "vitest/config";
import type { Origin } from "./test/support/node/origin-setup.ts";
import { dropRuntimeNoise } from "./test/support/node/runtime-noise.ts";

dropRuntimeNoise();

// wrangler.toml names it, and no test inside workerd needs what `npm run build:page` puts there.
mkdirSync("dist/page", { recursive: true });

/** Test files at a time. Those that run the whole Worker wait most of the time: for slow origins, for pauses, for retries. */
const WORKERS = 16;
/** Those that only compute, before the others: more of them would cost the start of a workerd each, and gain nothing on two cores. */
const FEW = { maxWorkers: 3, sequence: { groupOrder: 0 } };
const wrangler = { configPath: "./wrangler.toml" };

/** itty-router's source map names a source that its package has not, and Vite says so in each run. */
const noSourceMap: Plugin = {
  name: "no-source-map",
  enforce: "pre",
  async load(id) {
    if (!id.includes("/itty-router/")) return null;
    return (await readFile(id.replace(/\?.*/, ""), "utf8")).replace(/^\/\/# sourceMappingURL=.*$/m, "");
  },
};

/** All that runs the whole Worker. */
const EDGE = ["test/{invariants,races}/*.test.ts", "test/edge/**/*.test.ts"];

/** How much is searched for counterexamples (test/support/property.ts): so many times as much as `npm test` does, from this seed. */
const FACTOR = Number(process.env.PROPERTY_RUNS ?? 1);
const SEARCH = {
  search: {
    factor: FACTOR,
    seed: process.env.PROPERTY_SEED === undefined ? null : Number(process.env.PROPERTY_SEED),
  },
};

/** A module of times of which test/support has shorter ones. */
function shorter(file: string): { find: RegExp; replacement: string } {
  const replacement = fileURLToPath(new URL(`test/support/${file}`, import.meta.url));
  return { find: new RegExp(`^\\./${file.replaceAll(".", "\\.")}$`), replacement };
}

/** The whole Worker in front of a demo origin. */
function edge(name: string, include: string[]): TestProjectInlineConfiguration {
  let workers = 0;
  return {
    plugins: [
      noSourceMap,
      cloudflareTest(async ({ inject }) => {
        const origins = inject<readonly Origin[]>("origins");
        return {
          wrangler,
          verbose: false,
          main: "test/support/main.ts",
          miniflare: {
            bindings: {
              ...origins[workers++ % origins.length],
              SLICE_BYTES: String(512 * 1024),
              STALL_SECONDS: "3",
              MIGRATIONS: await readD1Migrations("migrations"),
            },
          },
        };
      }),
    ],
    // Pauses of fills and figures, without which most tests would wait for seconds.
    resolve: { alias: [shorter("times.ts"), shorter("tally-times.ts")] },
    test: {
      name,
      include,
      provide: { originCount: WORKERS, ...SEARCH },
      globalSetup: ["test/support/node/origin-setup.ts"],
      setupFiles: ["test/support/bytes.ts", "test/support/afresh.ts", "test/support/migrate.ts"],
      maxWorkers: WORKERS,
      sequence: { setupFiles: "list", groupOrder: 1 },
      // A busy machine is no failure: what is waited for has 50 s (test/support/fills.ts).
      testTimeout: 60_000 * Math.max(1, FACTOR),
      isolate: false,
    },
  };
}

export default defineConfig({
  test: {
    // What is logged is shown of a test that fails.
    silent: "passed-only",
    projects: [
      {
        plugins: [
          noSourceMap,
          cloudflareTest(async () => ({
            wrangler,
            verbose: false,
            miniflare: {
              bindings: { ORIGIN_URL: "http://origin.invalid", MIGRATIONS: await readD1Migrations("migrations") },
            },
          })),
        ],
        test: {
          name: "unit",
          provide: SEARCH,
          include: ["test/unit/**/*.test.ts"],
          setupFiles: ["test/support/migrate.ts"],
          // A busy machine is no failure.
          testTimeout: 30_000 * Math.max(1, FACTOR),
          // They keep nothing that another file could trip over, and a workerd for each would take most of the time.
          isolate: false,
          ...FEW,
        },
      },
      edge("edge", EDGE),
      edge("sequential", ["test/sequential/*.test.ts"]),
      { test: { ...FEW, name: "check", include: ["test/check/**/*.test.ts"], testTimeout: 30_000 } },
      { test: { ...FEW, name: "demo", include: ["test/{demo-origin,contract}/**/*.test.ts"], testTimeout: 30_000 } },
      // Each run of wrangler takes a second of a core, and a deploy is a dozen of them.
      { test: { name: "deploy", include: ["test/deploy/**/*.test.ts"], maxWorkers: 2, testTimeout: 900_000 } },
      { test: { name: "large", include: ["test/large/**/*.test.ts"] } },
      {
        test: {
          name: "browser",
          // Each starts an edge, a demo origin on ports of its own, and a browser.
          fileParallelism: false,
          include: ["test/browser/**/*.test.ts"],
          // A busy machine is no failure.
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "relay",
          // They share a Keystone and two Glances, and the relay's port, which Keystone's catalogue names.
          fileParallelism: false,
          include: ["test/relay/**/*.test.ts"],
          globalSetup: ["test/support/node/bundle-setup.ts", "test/relay/support/cloud-setup.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "wire",
          provide: SEARCH,
          include: ["test/{wire,doctor}/**/*.test.ts"],
          globalSetup: ["test/support/node/bundle-setup.ts"],
          // Real clients with their own pauses, on a machine that may be busy.
          testTimeout: 180_000 * Math.max(1, FACTOR),
          hookTimeout: 60_000,
          isolate: false,
        },
      },
    ],
  },
});
