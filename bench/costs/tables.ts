/** The tables of docs/costs.md and docs/deploy.md, from what was counted and from the prices. Pure. */
import { EGRESS, PRICES, STORAGE, WORKERS_PAID } from "./prices.ts";
import { add, type Counted, dollars, dollarsBeyond, hitOf, scale, stormOf, type Use } from "./use.ts";

const GIB = 2 ** 30;
const TB = 1e12;
const HOURS_A_MONTH = 730;
/** What the scrub reads in an hour at its default, GiB, and its CPU ms for each (wrangler.toml, SCRUB_BYTES). */
const SCRUB = { gib: 8, cpuMsGib: 4_400 } as const;
/** The goal for hits, dollars per TB. */
export const GOAL_PER_TB = 0.1;

const HEADS: Readonly<Record<keyof Use, string>> = {
  workerRequests: "Worker requests",
  cpuMs: "CPU ms",
  classA: "R2 class A",
  classB: "R2 class B",
  rowsRead: "D1 rows read",
  rowsWritten: "D1 rows written",
  objectRequests: "Durable Object requests",
  objectGbSeconds: "GB-s",
};
const NAMES = Object.keys(PRICES) as (keyof Use)[];

function markdown(rows: readonly (readonly string[])[]): string {
  const [head = [], ...rest] = rows.map((cells) => `| ${cells.join(" | ")} |`);
  return [head, `|---${"|--:".repeat((rows[0]?.length ?? 1) - 1)}|`, ...rest].join("\n");
}

function amount(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString("en-US");
  return value === 0 ? "" : String(Number(value.toPrecision(2)));
}

/** As many digits as tell something. */
function money(value: number): string {
  return value >= 0.01 || value === 0 ? value.toFixed(2) : Number(value.toPrecision(1)).toFixed(20).replace(/0+$/, "");
}

export function perTb(counted: Counted, gib: number): number {
  const hits = TB / (gib * GIB);
  return dollars(hitOf(counted, gib)) * hits;
}

/** What each thing takes. */
function uses(counted: Counted): string {
  const rows: readonly (readonly [string, Use])[] = [
    ["a hit, alone; and each GiB of it adds to its CPU", counted.hit],
    ["a hit, one of many", counted.hitOfMany],
    ["a GiB that is sent", { ...scale(counted.hit, 0), cpuMs: counted.sentCpuMsGib }],
    ["a range of a kept image, alone", counted.range],
    ["a fill with the download that begins it, each GiB", counted.fillGib],
    ["each further download that follows it, each GiB", counted.followerGib],
    ["an hour in which nobody downloads, without the scrub", counted.idleHour],
  ];
  const cells = rows.map(([what, use]) => [what, ...NAMES.map((name) => amount(use[name])), money(dollars(use) * 1e6)]);
  return markdown([["", ...NAMES.map((name) => HEADS[name]), "dollars for a million of these"], ...cells]);
}

function sizes(counted: Counted): string {
  const rows = [1 / 16, 0.5, 2, 10].map((gib) => {
    const name = gib < 1 ? `${gib * 1024} MiB` : `${gib} GiB`;
    return [`hits of ${name}`, amount(TB / (gib * GIB)), money(perTb(counted, gib))];
  });
  const egress = EGRESS.map(({ who, gb }) => [`out of ${who}`, "", money(gb * 1000)]);
  return markdown([["A TB (10^12 bytes)", "downloads", "dollars"], ...rows, ...egress]);
}

/** 500 machines that boot from an image of 2 GiB. */
function boots(counted: Counted): string {
  const [machines, gib] = [500, 2];
  const served = machines * gib * GIB;
  const kept = scale(hitOf(counted, gib), machines);
  const storm = stormOf(counted, gib, machines);
  const row = (what: string, use: Use, sent: string) => [what, ...costsOf(use), money(dollars(use)), sent];
  return markdown([
    ["500 machines, 2 GiB each: 1.07 TB", "Workers", "R2", "D1", "Durable Objects", "dollars", "the origin sends"],
    row("from an image that nobody asked for before", storm, "2 GiB"),
    row("from one that is kept", kept, "nothing"),
    ...EGRESS.map(({ who, gb }) => [`out of ${who}`, "", "", "", "", money((served / 1e9) * gb), "1.07 TB"]),
  ]);
}

const GROUPS: readonly (readonly (keyof Use)[])[] = [
  ["workerRequests", "cpuMs"],
  ["classA", "classB"],
  ["rowsRead", "rowsWritten"],
  ["objectRequests", "objectGbSeconds"],
];

function costsOf(use: Use): string[] {
  return GROUPS.map((names) => money(names.reduce((sum, name) => sum + use[name] * PRICES[name], 0)));
}

/** 10 TB in a month, 500 GB stored. */
function month(counted: Counted): string {
  const [gib, storedGb, fills, together] = [2, 500, 117, 4];
  const downloads = Math.round((10 * TB) / (gib * GIB));
  const hits = scale(hitOf(counted, gib), downloads - fills * together);
  const storms = scale(stormOf(counted, gib, together), fills);
  const images = SCRUB.gib / gib;
  const scrub = { ...scale(counted.idleHour, 0), cpuMs: SCRUB.gib * SCRUB.cpuMsGib, classB: images };
  const idle = scale(add(counted.idleHour, scrub), HOURS_A_MONTH);
  const all = add(add(hits, storms), idle);
  const storage = (storedGb - STORAGE.included) * STORAGE.gb;
  const beyond = dollarsBeyond(all);
  const row = (what: string, use: Use) => [what, ...NAMES.map((name) => amount(use[name])), money(dollars(use))];
  const rest = NAMES.map(() => "");
  return markdown([
    ["", ...NAMES.map((name) => HEADS[name]), "dollars"],
    row(`${amount(downloads - fills * together)} hits`, hits),
    row(`${fills} fills, each with ${together} downloads`, storms),
    row("the crons, and the scrub of 8 GiB an hour", idle),
    ["beyond what Workers Paid includes", ...rest, money(beyond)],
    ["Workers Paid", ...rest, money(WORKERS_PAID)],
    [`R2, ${storedGb - STORAGE.included} GB above the free ones`, ...rest, money(storage)],
    ["**a month**", ...rest, `**${money(WORKERS_PAID + storage + beyond)}**`],
  ]);
}

/** By the names of their places in the docs. */
export function costTables(counted: Counted): ReadonlyMap<string, string> {
  return new Map([
    ["costs-uses", uses(counted)],
    ["costs-sizes", sizes(counted)],
    ["costs-boots", boots(counted)],
    ["costs-month", month(counted)],
  ]);
}
