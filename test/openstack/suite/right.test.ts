/**
 * The edge's question for the right to download: what it costs Glance, and what it is told of images without bytes. Whom Glance
 * tells what is in test/contract/cases/rights.ts, and who gets which image in isolation.test.ts.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, test } from "node:test";
import { GLANCE, GLANCE_LOG, PROBE, withoutEdge } from "./addresses.ts";
import { type Answer, curl } from "./clients.ts";
import {
  counts,
  filePath,
  forgetCounts,
  imageBytesFromGlance,
  makeImage,
  makeImageWithoutData,
  store,
  tokenOf,
  untilHit,
} from "./cloud.ts";
import { askBoth, assertSameAnswer } from "./compare.ts";

const SIZE = 300_011;
const REFUSED_START =
  /Invalid start position in Range header\. Start position MUST be in the inclusive range \[0, (-?\d+)\]/;

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

/** Glance's log once it has not grown for a while. */
async function settledLog(): Promise<string> {
  for (let last = await readFile(GLANCE_LOG, "utf8"); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const log = await readFile(GLANCE_LOG, "utf8");
    if (log === last) return log;
    last = log;
  }
}
