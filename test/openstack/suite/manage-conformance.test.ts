/**
 * The edge's management API beside Glance's own: the same request to both, each with the same images cached and queued,
 * and the answers compared. The edge follows Glance's master; where the Glance here, an older one, is known to answer
 * otherwise stands in one table (DIFFERENCES), with what each of the two must answer.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";
import { CACHING_GLANCE, EDGE, withoutEdge } from "./addresses.ts";
import { manage, untilCached } from "./cache-api.ts";
import { type Answer, type CurlOptions, curl, field } from "./clients.ts";
import { atGlance, makeImage, makeImageWithoutData, tokenOf, type User } from "./cloud.ts";
import { type Comparable, DIFFERENCES, type Given, type Row, TABLE } from "./manage-table.ts";

const GIVEN: Readonly<Record<Given, string>> = {
  nothing: "nothing cached",
  stored: "{A} cached",
  waiting: "{Q} queued",
  orphan: "{G} cached but deleted since",
};

describe("the management API, asked like Glance's own,", { skip: withoutEdge }, () => {
  const ids = new Map<string, string>([["X", randomUUID()]]);

  before(async () => {
    const [active, deactivated, empty] = await Promise.all([
      makeImage({ size: 70_001 }),
      makeImage({ size: 1 }),
      makeImageWithoutData(),
    ]);
    await atGlance("POST", `/v2/images/${deactivated.id}/actions/deactivate`, await tokenOf("admin"));
    ids.set("A", active.id).set("D", deactivated.id).set("Q", empty);
  });

  for (const row of TABLE) {
    test(`answers the same to ${nameOf(row)}`, async () => {
      const { edge, glance } = await askBoth(row);
      assert.deepEqual(edge, glance);
    });
  }

  for (const row of DIFFERENCES) {
    test(`answers otherwise to ${nameOf(row)}: ${row.why}`, async () => {
      const { edge, glance } = await askBoth(row);
      assert.deepEqual(only(glance, row.glance), row.glance);
      assert.deepEqual(only(edge, row.edge), row.edge);
    });
  }

  async function askBoth(row: Row): Promise<{ edge: Comparable; glance: Comparable }> {
    if (row.given !== undefined) await bringTo(row.given);
    const [method = "", path = ""] = row.ask.split(" ");
    const options: CurlOptions = {
      method,
      ...(row.as === "nobody" ? {} : { token: await tokenFor(row.as ?? "admin") }),
      headers: row.headers ?? [],
      ...(row.body === undefined ? {} : { body: row.body }),
    };
    const [edge, glance] = await Promise.all(
      [EDGE, CACHING_GLANCE].map(async (base) => comparable(await curl(base + withIds(path), options))),
    );
    assert.ok(edge !== undefined && glance !== undefined);
    return { edge, glance };
  }

  async function bringTo(given: Given): Promise<void> {
    if (given === "orphan") ids.set("G", (await makeImage({ size: 1 })).id);
    await Promise.all([EDGE, CACHING_GLANCE].map((base) => bringOneTo(base, given)));
    if (given === "orphan") await atGlance("DELETE", withIds("/v2/images/{G}"), await tokenOf("demo"));
  }

  async function bringOneTo(base: string, given: Given): Promise<void> {
    await manage(base, "DELETE", "/v2/cache");
    // Only the old API queues an image that cannot be cached yet.
    if (given === "waiting") await manage(base, "PUT", withIds("/v2/queued_images/{Q}"));
    if (given !== "stored" && given !== "orphan") return;
    const image = withIds(given === "stored" ? "{A}" : "{G}");
    await manage(base, "PUT", `/v2/cache/${image}`);
    await untilCached(base, image);
  }

  function withIds(path: string): string {
    return path.replace(/\{([A-Z])\}/, (_, name) => ids.get(name) ?? assert.fail(`no image ${name}`));
  }
});

function tokenFor(who: User | "forger"): Promise<string> {
  return who === "forger" ? Promise.resolve("nonsense") : tokenOf(who);
}

function nameOf({ ask, as, given, headers = [], body }: Row): string {
  const more = [...headers, ...(body === undefined ? [] : [body])].join(", ");
  return `${ask} by ${as ?? "admin"}${given === undefined ? "" : `, ${GIVEN[given]}`}${more === "" ? "" : ` (${more})`}`;
}

function comparable(answer: Answer): Comparable {
  const type = field(answer.headers, "content-type");
  const text = answer.body.toString();
  return {
    status: answer.status,
    allow: field(answer.headers, "allow"),
    authenticate: field(answer.headers, "www-authenticate"),
    type,
    body: type === "application/json" ? withoutTimes(JSON.parse(text)) : text,
  };
}

/** Times become the type they have; lists are sorted. */
function withoutTimes(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(withoutTimes).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(
    entries.map(([key, one]) => [key, /^last_/.test(key) ? typeof one : withoutTimes(one)] as const),
  );
}

/** Of the answer what the row speaks of. */
function only(answer: Comparable, named: Partial<Comparable>): Partial<Comparable> {
  return Object.fromEntries(Object.entries(answer).filter(([key]) => key in named));
}
