/**
 * Isolation, cell by cell: what a caller gets of an image through the edge is what Glance itself gives that caller. With a Glance
 * under eventlet, and with the same one under uWSGI; SERVER=eventlet or SERVER=uwsgi: with that one alone.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DATA } from "../../contract/answers.ts";
import type { User } from "../../contract/case.ts";
import { makeImage, ownerOf } from "../../contract/images.ts";
import { type EdgeProcess, startEdge } from "../../support/node/edge-process.ts";
import { CALLERS, CELLS, DATA_TO, OF, PART, Tokens } from "../lib/isolation.ts";
import { EDGE, GLANCE, KEYSTONE, readsAtRandom, UWSGI_GLANCE_URL, WORK_DIR, withoutEdge } from "./addresses.ts";
import { type Answer, type CurlOptions, curl, field } from "./clients.ts";
import { cacheStatus, filePath, projectIdOf, tokenOf } from "./cloud.ts";
import { askBoth, assertSameAnswer, type Both } from "./compare.ts";

/** Glance's refusal of a part where its store can't read from the middle: there the cache can do more. */
const NO_RANDOM_ACCESS = "Getting images randomly from this store is not supported.";
const HIT = "glance-edge; hit";

const only = process.env.SERVER;
for (const [server, origin] of [
  ["eventlet", GLANCE],
  ["uwsgi", UWSGI_GLANCE_URL],
] as const) {
  if (only !== undefined && only !== server) continue;
  // The one under uWSGI has a store that can read from the middle, in each run.
  if (server === "uwsgi" && !readsAtRandom && only === undefined) continue;
  describe(`with a Glance under ${server}`, { skip: withoutEdge }, () => {
    const world = { url: origin, keystoneUrl: KEYSTONE, tokenOf, projectOf: (user: User) => projectIdOf(user) };
    const tokens = new Tokens(world);
    let own: EdgeProcess | null = null;
    let edge = EDGE;
    before(async () => {
      if (server === "eventlet") return;
      own = await startEdge({ persist: join(WORK_DIR, "isolation"), vars: { ORIGIN_URL: origin } });
      edge = own.url;
    });
    after(() => own?.stop());

    for (const { state, kept } of CELLS) {
      // Under eventlet, whose one process writes to SQLite alone: the threads under uWSGI lock each other out.
      const make = () => makeImage({ ...world, url: GLANCE }, state, async (id) => (kept ? keep(id) : undefined));
      const keep = async (id: string) => {
        const token = await tokenOf(ownerOf(state));
        const deadline = Date.now() + 30_000;
        for (;;) {
          const answer = await curl(edge + filePath(id), { token });
          assert.equal(answer.status, 200);
          if (cacheStatus(answer.headers) === HIT) return;
          assert.ok(Date.now() < deadline, "not kept within 30 s");
          await sleep(200);
        }
      };
      // One image for all where it is kept; else each has its own, since whoever gets it has it kept.
      let shared: Promise<string> | null = null;
      const image = () => {
        if (!kept) return make();
        shared ??= make();
        return shared;
      };
      describe(`${OF[state]}, ${kept ? "kept" : "not kept"},`, { concurrency: 4 }, () => {
        for (const caller of CALLERS) {
          test(`is for ${caller} what Glance says, whole and in a part`, async () => {
            const token = await tokens.of(caller);
            const options = token === null ? {} : { token };
            let id = await image();
            for (const range of [false, true]) {
              const headers = range ? [PART.header] : ["Accept: application/json"];
              if (server === "uwsgi" && state === "queued" && range && (await crashes(id, { ...options, headers }))) {
                assert.equal((await curl(edge + filePath(id), { ...options, headers })).status, 502);
                continue;
              }
              const both = await askBoth(filePath(id), { ...options, headers }, { edge, origin });
              assertSame(both, range);
              const given = both.edge.status === 200 || both.edge.status === 206;
              const owed = (DATA_TO[state] as readonly string[]).includes(caller);
              // How long a Glance remembers a token that it has seen is its own matter.
              if (caller !== "token revoked after use" && both.origin.status !== 400) assert.equal(given, owed);
              if (given && kept && state !== "deactivated") assert.equal(cacheStatus(both.edge.headers), HIT);
              if (given && !kept) id = await image();
            }
          });
        }
      });
    }
  });
}

/**
 * Whether Glance hangs up without an answer: under uWSGI it does where it fails, as over a range of an image without data, in the
 * place of eventlet's empty 500.
 */
async function crashes(id: string, options: CurlOptions): Promise<boolean> {
  try {
    await curl(UWSGI_GLANCE_URL + filePath(id), options);
    return false;
  } catch (cause) {
    if (cause instanceof Error && cause.message.includes("Empty reply from server")) return true;
    throw cause;
  }
}

function assertSame(both: Both, range: boolean): void {
  const { edge, origin } = both;
  const part = DATA.slice(PART.from, PART.to);
  if (range && origin.status === 400 && origin.body.toString().includes(NO_RANDOM_ACCESS) && edge.status === 206) {
    assert.deepEqual([edge.body.toString(), contentRange(edge)], [part, `bytes 3-5/${DATA.length}`]);
    return;
  }
  if (origin.status !== 200 && origin.status !== 206) {
    assertSameAnswer(both);
    return;
  }
  assert.equal(edge.status, origin.status);
  assert.equal(edge.body.toString(), range ? part : DATA);
  assert.equal(origin.body.toString(), edge.body.toString());
  for (const name of ["content-type", "content-md5", "content-range"]) {
    assert.equal(field(edge.headers, name), field(origin.headers, name), name);
  }
}

function contentRange({ headers }: Answer): string | undefined {
  return field(headers, "content-range");
}
