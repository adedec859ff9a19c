/** GET /edge/api/images: a part of what is stored, sorted and filtered by D1. */
import { beforeAll, describe, expect, it } from "vitest";
import { keepLines } from "../../support/lines.ts";
import { api, expectRefused, got, NO_CATALOG } from "../../support/page.ts";
import { bindings } from "../../support/scenario.ts";
import { emptyStore } from "../../support/store.ts";

keepLines();

const LONG = "образ図像صورة".repeat(30).slice(0, 255);
const NAMES: readonly (string | null)[] = [
  "debian-12",
  "Ubuntu 24.04",
  "100%_\\sure",
  LONG,
  null,
  "<img src=x>",
  "alma",
];
const id = (at: number) => `${String(at).padStart(8, "0")}-aaaa-4000-8000-000000000000`;

interface Row {
  readonly image_id: string;
  readonly name: string | null;
  readonly size: number;
}

interface Part {
  readonly total: number;
  readonly rows: readonly Row[];
}

const part = (query: string) => got<Part>(`GET images${query}`);
const names = async (query: string) => (await part(query)).rows.map(({ name }) => name);

beforeAll(async () => {
  await emptyStore();
  const rows = NAMES.map((name, at) => [id(at), name, (at * 7) % 5, at * 10]);
  await bindings.CATALOG.prepare(
    `INSERT INTO images (image_id, name, attempt, size, committed_at, hits, last_accessed, verified_at, scrubbed_at)
     SELECT value ->> 0, value ->> 1, 'a', value ->> 2, 1, value ->> 3, 1000 - (value ->> 3), value ->> 3, 1 FROM json_each(?1)`,
  )
    .bind(JSON.stringify(rows))
    .run();
});

it("tells all of an image, the last read first", async () => {
  const { total, rows } = await part("");
  expect(total).toBe(NAMES.length);
  expect(rows[0]).toEqual({
    image_id: id(0),
    name: "debian-12",
    size: 0,
    hits: 0,
    last_accessed: 1000,
    verified_at: 0,
    committed_at: 1,
    pinned: null,
  });
  expect(rows.map(({ image_id }) => image_id)).toEqual(NAMES.map((_, at) => id(at)));
});

describe("sorted", () => {
  it("by name, without regard to case, what has none comes last in both directions", async () => {
    expect(await names("?sort=name&order=asc")).toEqual([
      "100%_\\sure",
      "<img src=x>",
      "alma",
      "debian-12",
      "Ubuntu 24.04",
      LONG,
      null,
    ]);
    expect((await names("?sort=name&order=desc")).slice(-2)).toEqual(["100%_\\sure", null]);
  });

  it.each(["size", "hits", "last_accessed", "verified_at", "committed_at"])("by %s, both ways", async (sort) => {
    const of = async (order: string) =>
      (await part(`?sort=${sort}&order=${order}`)).rows.map((row) => Number(Reflect.get(row, sort)));
    const up = await of("asc");
    expect(up).toEqual(up.toSorted((a, b) => a - b));
    expect(await of("desc")).toEqual(up.toReversed());
  });
});

describe("filtered", () => {
  it.each([
    ["UBUNTU", ["Ubuntu 24.04"]],
    ["%", ["100%_\\sure"]],
    ["_\\", ["100%_\\sure"]],
    ["図像", [LONG]],
    ["<img", ["<img src=x>"]],
    ["00000004-AAAA", [null]],
    ["' OR 1=1 --", []],
    [LONG, [LONG]],
  ])("by %s", async (filter, found) => {
    const { total, rows } = await part(`?filter=${encodeURIComponent(filter)}`);
    expect([total, rows.map(({ name }) => name)]).toEqual([found.length, found]);
  });
});

it("comes in parts, and behind the last one is nothing", async () => {
  expect(await part("?sort=hits&order=asc&limit=3&offset=6")).toMatchObject({ total: 7, rows: [{ name: "alma" }] });
  expect(await part("?limit=3&offset=9")).toEqual({ total: 7, rows: [] });
});

it.each([
  "?limit=0",
  "?limit=501",
  "?limit=1e2",
  "?offset=-1",
  "?sort=attempt",
  "?order=up",
  `?filter=${"x".repeat(256)}`,
])("is refused for %s, with what is wrong", async (query) => {
  await expectRefused(await api(`GET images${query}`), 400, /query's (limit|offset|sort|order|filter) is wrong/);
});

it("while D1 is away is 503, which says so", async () => {
  for (const what of ["images", "traffic"]) {
    await expectRefused(await api(`GET ${what}`, { env: NO_CATALOG }), 503, /index \(D1\) does not answer/);
  }
});

it("of 5,000 images comes at once, in any order", async () => {
  await bindings.CATALOG.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
     INSERT INTO images (image_id, name, attempt, size, committed_at, last_accessed, verified_at, scrubbed_at)
     SELECT printf('%08x-bbbb-4000-8000-000000000000', i), 'many ' || i, 'a', i, 1, i, i, 1 FROM n`,
  ).run();
  for (const query of ["?sort=name", "?sort=size&offset=4000", "?filter=many"]) {
    const begun = performance.now();
    const { total, rows } = await part(query);
    expect([total, rows.length]).toEqual([query === "?filter=many" ? 5_000 : 5_007, 100]);
    // Some 10 ms; a busy machine is no failure.
    expect(performance.now() - begun).toBeLessThan(2_000);
  }
});
