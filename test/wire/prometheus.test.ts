/** What Prometheus itself says of the metrics, of the alert rules and of the dashboard: a real one scrapes the edge. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EdgeProcess, startEdge } from "../support/node/edge-process.ts";
import { freePort } from "../support/node/npm-start.ts";
import { type Image, Origin, stored, until } from "./support.ts";

const DEPLOY = fileURLToPath(new URL("../../deploy/", import.meta.url));
const METRICS_TOKEN = "of-this-test-alone-0123456789";
const SIZE = 3_000_000;

const origin = new Origin();
let directory = "";
let edge: EdgeProcess;
let prometheus: { readonly url: string; end(): Promise<void> };
let image: Image;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "edge-prometheus-"));
  const url = await origin.start();
  const vars = { ORIGIN_URL: url, KEYSTONE_URL: `${url}/v3`, METRICS_TOKEN };
  edge = await startEdge({ persist: join(directory, "edge"), vars });
  image = await origin.createImage({ size: SIZE });
  await get(image);
  await stored(edge.url, image);
  await edge.runCron("* * * * *");
  prometheus = await startPrometheus();
});
afterAll(async () => {
  await prometheus?.end();
  await edge?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function get({ id }: Image): Promise<void> {
  const response = await fetch(`${edge.url}/v2/images/${id}/file`, { headers: { "x-auth-token": "demo" } });
  expect([response.status, (await response.arrayBuffer()).byteLength]).toEqual([200, SIZE]);
}

async function metrics(): Promise<string> {
  const response = await fetch(`${edge.url}/edge/metrics`, { headers: { authorization: `Bearer ${METRICS_TOKEN}` } });
  expect(response.status).toBe(200);
  return response.text();
}

/** @returns how it ended, and what it said */
async function run(command: string, args: readonly string[], input = ""): Promise<[number | null, string]> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  child.stdin.end(input);
  await once(child, "close");
  return [child.exitCode, output];
}

/** As deploy/prometheus.yml has it, but for the address, the time and the files. */
async function startPrometheus() {
  const token = join(directory, "token");
  await writeFile(token, METRICS_TOKEN);
  const text = (await readFile(join(DEPLOY, "prometheus.yml"), "utf8"))
    .replace("- alerts.yml", `- ${join(DEPLOY, "alerts.yml")}`)
    .replace("scheme: https", "scheme: http")
    .replace("scrape_interval: 30s", "scrape_interval: 500ms\n    scrape_timeout: 500ms")
    .replace(/credentials_file: .*/, `credentials_file: ${token}`)
    .replace("image.example.com", new URL(edge.url).host);
  const config = join(directory, "prometheus.yml");
  await writeFile(config, `global:\n  evaluation_interval: 1s\n${text}`);
  const port = await freePort();
  const child = spawn("prometheus", [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(directory, "tsdb")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.level=error",
  ]);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (line) => (said += line));
  const url = `http://127.0.0.1:${port}`;
  await until(`starting Prometheus (${said})`, 20_000, async () => {
    const response = await fetch(`${url}/-/ready`).catch(() => null);
    await response?.arrayBuffer();
    return response?.ok ?? false;
  });
  return {
    url,
    end: async () => {
      child.kill();
      await once(child, "exit");
    },
  };
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

async function query(expression: string): Promise<Sample[]> {
  const response = await fetch(`${prometheus.url}/api/v1/query?${new URLSearchParams({ query: expression })}`);
  const answer = (await response.json()) as { status: string; error?: string; data?: { result: Sample[] } };
  expect([expression, answer.status, answer.error]).toEqual([expression, "success", undefined]);
  return answer.data?.result ?? [];
}

const sampleOf = async (expression: string) => Number((await query(expression))[0]?.value[1] ?? Number.NaN);

describe("a real Prometheus", () => {
  it("scrapes the edge, and sees a download", async () => {
    const hits = 'glance_edge_downloads_total{outcome="hit"}';
    await until("the first scrape", 15_000, async () => (await sampleOf('up{job="glance-edge"}')) === 1);
    expect(await sampleOf("glance_edge_stored_bytes")).toBe(SIZE);
    expect(await sampleOf("glance_edge_stored_images")).toBe(1);
    await until(
      "the fill's figures",
      20_000,
      async () => (await sampleOf('glance_edge_fills_total{result="kept"}')) === 1,
    );
    expect(await sampleOf('glance_edge_image_bytes_total{source="origin"}')).toBe(SIZE);
    const before = await sampleOf(hits);
    await get(image);
    await until("the hit's figures", 20_000, async () => (await sampleOf(hits)) === before + 1);
    expect(await sampleOf('glance_edge_cron_last_success_timestamp_seconds{task="prefetch"}')).toBeGreaterThan(1.7e9);
    expect(await sampleOf("histogram_quantile(0.5, glance_edge_origin_answer_seconds_bucket)")).toBeGreaterThan(0);
  });

  it("never sees a counter go back", async () => {
    const counters = [...(await metrics()).matchAll(/^# TYPE (\S+) counter$/gm)].map(([, name]) => name);
    expect(counters.length).toBeGreaterThan(5);
    for (const name of counters) expect(await query(`resets(${name}[5m]) > 0`)).toEqual([]);
  });

  it("evaluates all alert rules, and none fires at a healthy edge", async () => {
    type Group = { rules: { name: string; health: string; state: string }[] };
    let rules: Group["rules"] = [];
    await until("evaluating the rules", 15_000, async () => {
      const response = await fetch(`${prometheus.url}/api/v1/rules`);
      const { data } = (await response.json()) as { data: { groups: Group[] } };
      rules = data.groups.flatMap((group) => group.rules);
      return rules.length > 0 && rules.every(({ health }) => health !== "unknown");
    });
    expect(rules.length).toBeGreaterThan(8);
    expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
    expect(rules.filter(({ state }) => state !== "inactive")).toEqual([]);
  });

  it("understands each query of the dashboard, and has what it names", async () => {
    const dashboard = JSON.parse(await readFile(join(DEPLOY, "grafana-dashboard.json"), "utf8")) as {
      panels: { title: string; targets: { expr: string }[] }[];
    };
    const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    expect(queries.length).toBeGreaterThan(15);
    for (const text of queries) {
      await query(text.replaceAll("$__rate_interval", "1m").replaceAll("$__range", "1h"));
    }
    const all = await metrics();
    const rules = await readFile(join(DEPLOY, "alerts.yml"), "utf8");
    const named = [...queries, rules].join("\n").match(/glance_edge_[a-z_]+/g) ?? [];
    expect([...new Set(named)].filter((name) => !all.includes(`\n${name}{`) && !all.includes(`\n${name} `))).toEqual(
      [],
    );
  });
});

describe("promtool", () => {
  it("has nothing to say against the metrics", async () => {
    expect(await run("promtool", ["check", "metrics"], await metrics())).toEqual([0, ""]);
  });

  it("accepts the alert rules and the configuration", async () => {
    const [rules, said] = await run("promtool", ["check", "rules", join(DEPLOY, "alerts.yml")]);
    expect([rules, said]).toEqual([0, expect.stringContaining("SUCCESS")]);
    const config = await run("promtool", ["check", "config", "--syntax-only", join(DEPLOY, "prometheus.yml")]);
    expect(config[0], config[1]).toBe(0);
  });

  it("finds that each alert fires when it should, and not before", async () => {
    const [status, said] = await run("promtool", [
      "test",
      "rules",
      fileURLToPath(new URL("./alerts.yml", import.meta.url)),
    ]);
    expect(status, said).toBe(0);
  });
});
