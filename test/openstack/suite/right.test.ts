/**
 * The right to download, row by row: what Glance says to the edge's question for it, and that a caller who asks the edge for
 * the image gets what Glance itself would have given, stored or not, whatever store Glance has.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, test } from "node:test";
import { GLANCE, GLANCE_LOG, PROBE, withoutEdge } from "./addresses.ts";
import { type Answer, curl, field } from "./clients.ts";
import {
  atGlance,
  cacheStatus,
  counts,
  filePath,
  forgetCounts,
  imageBytesFromGlance,
  makeImage,
  makeImageWithoutData,
  projectIdOf,
  sha512,
  store,
  tokenOf,
  type User,
  untilHit,
} from "./cloud.ts";
import { askBoth, assertSameAnswer, type Both } from "./compare.ts";

const SIZE = 300_011;
const REFUSED_START =
  /Invalid start position in Range header\. Start position MUST be in the inclusive range \[0, (-?\d+)\]/;

interface Row {
  readonly who: string;
  /** A user, or a token as it is sent; null: none. */
  readonly as: User | { readonly token: string | null };
  /** What is done to the image before anybody asks, at Glance itself. */
  readonly prepare?: (id: string) => Promise<void>;
  readonly visibility?: string;
  /** Glance's answer to the question for the right. */
  readonly right: 401 | 403 | 404 | 416;
  /** Glance's answer to the download. */
  readonly download: 200 | 401 | 403 | 404;
  /** How the edge says that it kept out; undefined: it did not. */
  readonly detail?: string;
}

const ROWS: readonly Row[] = [
  { who: "the owner", as: "demo", right: 416, download: 200 },
  { who: "an admin", as: "admin", right: 416, download: 200 },
  { who: "another project", as: "other", right: 404, download: 404, detail: "record-refused" },
  { who: "another project, of a community image", as: "other", visibility: "community", right: 416, download: 200 },
  {
    who: "another project, of a shared image",
    as: "other",
    visibility: "shared",
    right: 404,
    download: 404,
    detail: "record-refused",
  },
  {
    who: "a pending member of a shared image",
    as: "other",
    visibility: "shared",
    prepare: offerToOther,
    right: 416,
    download: 200,
  },
  { who: "a bad token", as: { token: "nonsense" }, right: 401, download: 401, detail: "record-refused" },
  { who: "no token", as: { token: null }, right: 401, download: 401, detail: "record-refused" },
  {
    who: "who sees the record and is refused by the policy",
    as: "barred",
    right: 403,
    download: 403,
    detail: "right-refused",
  },
  {
    who: "the owner of a deactivated image",
    as: "demo",
    prepare: deactivate,
    right: 403,
    download: 403,
    detail: "deactivated",
  },
  {
    who: "an admin, of a deactivated image",
    as: "admin",
    prepare: deactivate,
    right: 416,
    download: 200,
    detail: "deactivated",
  },
];

for (const stored of [false, true]) {
  describe(`the right to an image that is ${stored ? "stored" : "not stored"}`, () => {
    for (const row of ROWS) {
      test(`${row.who}: ${row.right} to the question, ${row.download} to the download`, async () => {
        const image = await makeImage({
          size: SIZE,
          ...(row.visibility === undefined ? {} : { visibility: row.visibility }),
        });
        if (stored) await store(image.id);
        await row.prepare?.(image.id);
        const options = await identityOf(row);

        const asked = await question(image.id, options);
        assert.equal(asked.status, row.right, asked.body.toString());
        if (row.right === 416) assert.equal(REFUSED_START.exec(asked.body.toString())?.[1], String(SIZE - 1));

        const both = await askBoth(filePath(image.id), options);
        assert.equal(both.origin.status, row.download);
        if (row.download === 200) assertSameImage(both, sha512(image.bytes));
        else assertSameAnswer(both);
        if (withoutEdge !== false) return;
        const hit = stored ? "glance-edge; hit" : "glance-edge; fwd=uri-miss; stored";
        const said = row.detail === undefined ? hit : `glance-edge; fwd=bypass; detail=${row.detail}`;
        assert.equal(cacheStatus(both.edge.headers), said);
      });
    }
  });
}

describe("the right to an image without bytes", () => {
  test("one that is queued: 500 to the question, as to any range, and Glance's 204 to the download", async () => {
    const id = await makeImageWithoutData();
    const options = { token: await tokenOf("demo") };
    assert.equal((await question(id, options)).status, 500);
    const both = await askBoth(filePath(id), options);
    assert.equal(both.origin.status, 204);
    assertSameAnswer(both);
  });

  test("one of size 0: 416 to the question, and Glance's empty 200 to the download", async () => {
    const { id } = await makeImage({ size: 0 });
    const options = { token: await tokenOf("demo") };
    const asked = await question(id, options);
    assert.equal(asked.status, 416);
    assert.equal(REFUSED_START.exec(asked.body.toString())?.[1], "-1");
    const both = await askBoth(filePath(id), options);
    assert.deepEqual([both.origin.status, both.origin.body.length], [200, 0]);
    assertSameAnswer(both);
  });

  test("one that is unknown: 404 to both", async () => {
    const id = crypto.randomUUID();
    const options = { token: await tokenOf("demo") };
    assert.equal((await question(id, options)).status, 404);
    const both = await askBoth(filePath(id), options);
    assert.equal(both.origin.status, 404);
    assertSameAnswer(both);
  });
});

describe("the question for the right", { skip: withoutEdge }, () => {
  let id = "";
  before(async () => {
    ({ id } = await makeImage({ size: SIZE }));
    await store(id);
  });

  test("moves no image byte, opens no store, and adds no warning to Glance's log", async () => {
    // What Glance writes of the downloads before may come late.
    await settledLog();
    const began = (await readFile(GLANCE_LOG, "utf8")).length;
    await forgetCounts();
    for (let time = 0; time < 5; time++) await untilHit(id, 1);
    const asked = (await counts()).filter(({ path }) => path === filePath(id));
    assert.deepEqual(
      asked.map(({ range, status }) => [range, status]),
      Array(5).fill([PROBE, 416]),
    );
    assert.equal(await imageBytesFromGlance(), 0);
    const lines = (await settledLog()).slice(began).split("\n");
    assert.deepEqual(
      lines.filter((line) => / (WARNING|ERROR|CRITICAL) /.test(line)),
      [],
    );
    // The log is the right one, and has come: each question is a line of it.
    assert.equal(lines.filter((line) => line.includes(`GET ${filePath(id)} HTTP/1.1" 416`)).length, 5);
  });

  test("is no question of the first byte, which a store without random access refuses with a warning", async () => {
    await forgetCounts();
    await untilHit(id, 1);
    assert.ok((await counts()).every(({ range }) => range !== "bytes=0-0"));
  });
});

/** The edge's question for the right, put to Glance itself. */
function question(id: string, options: { readonly token?: string }): Promise<Answer> {
  return curl(GLANCE + filePath(id), { ...options, headers: [`Range: ${PROBE}`, "Accept: application/json"] });
}

/** Both gave the image. */
function assertSameImage({ edge, origin }: Both, digest: string): void {
  for (const answer of [edge, origin]) {
    assert.equal(answer.status, 200);
    assert.equal(sha512(answer.body), digest);
  }
  for (const name of ["content-md5", "content-type", "content-length"]) {
    assert.equal(field(edge.headers, name), field(origin.headers, name), name);
  }
}

async function identityOf({ as }: Row): Promise<{ readonly token?: string }> {
  if (typeof as === "string") return { token: await tokenOf(as) };
  return as.token === null ? {} : { token: as.token };
}

async function deactivate(id: string): Promise<void> {
  await atGlance("POST", `/v2/images/${id}/actions/deactivate`, await tokenOf("admin"));
}

/** Offers the image to other's project, which need not accept it. */
async function offerToOther(id: string): Promise<void> {
  const member = JSON.stringify({ member: await projectIdOf("other") });
  await atGlance("POST", `/v2/images/${id}/members`, await tokenOf("demo"), "application/json", member);
}

/** Glance's log once it has not grown for a while. */
async function settledLog(): Promise<string> {
  for (let last = await readFile(GLANCE_LOG, "utf8"); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const log = await readFile(GLANCE_LOG, "utf8");
    if (log === last) return log;
    last = log;
  }
}
