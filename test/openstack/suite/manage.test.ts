/** The operator's own tool, `glance cache-*`, manages the edge before a Glance that has no cache of its own. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";
import { EDGE, withoutEdge } from "./addresses.ts";
import { cacheState, manage, untilCached } from "./cache-api.ts";
import { curl, glance, glanceSaid } from "./clients.ts";
import {
  cacheStatus,
  filePath,
  forgetCounts,
  imageBytesFromGlance,
  makeImage,
  makeImageWithoutData,
  sha512,
  tokenOf,
} from "./cloud.ts";

const SIZE = 200_003;

describe("glance, run by an admin,", { skip: withoutEdge }, () => {
  before(() => manage(EDGE, "DELETE", "/v2/cache"));

  test("queues an image, which is then cached though nobody has downloaded it", async () => {
    const image = await makeImage({ size: SIZE });
    await says("", "cache-queue", image.id);
    const entry = await untilCached(EDGE, image.id);
    assert.deepEqual([entry.hits, entry.size], [0, SIZE]);

    const [row] = (await cacheList()).filter(({ id }) => id === image.id);
    assert.deepEqual([row?.state, row?.size, row?.hits], ["cached", String(SIZE), "0"]);
    assert.equal(row?.modified, printed(entry.last_modified));
    assert.ok(
      (await cacheState(EDGE)).queued_images.every((id) => id !== image.id),
      "it is queued still",
    );

    await forgetCounts();
    const hit = await curl(EDGE + filePath(image.id), { token: await tokenOf("demo") });
    assert.deepEqual([hit.status, sha512(hit.body)], [200, sha512(image.bytes)]);
    assert.equal(cacheStatus(hit.headers), "glance-edge; hit");
    assert.equal(await imageBytesFromGlance(), 0);
  });

  test("sees how often an image was a hit, and when it last was", async () => {
    const image = await cached();
    const before = await untilCached(EDGE, image.id);
    for (const _ of [1, 2]) await curl(EDGE + filePath(image.id), { token: await tokenOf("demo") });
    const after = await untilCached(EDGE, image.id, ({ hits }) => hits >= 2);
    assert.equal(after.hits, 2);
    assert.ok(after.last_accessed > before.last_accessed, "last_accessed has not moved");
    assert.equal(after.last_modified, before.last_modified);
    const [row] = (await cacheList()).filter(({ id }) => id === image.id);
    assert.deepEqual([row?.hits, row?.accessed], ["2", printed(after.last_accessed)]);
  });

  test("deletes an image from the cache, and its next download is a miss", async () => {
    const image = await cached();
    await says("", "cache-delete", image.id);
    assert.ok((await cacheState(EDGE)).cached_images.every(({ image_id }) => image_id !== image.id));
    const miss = await curl(EDGE + filePath(image.id), { token: await tokenOf("demo") });
    assert.match(cacheStatus(miss.headers), /^glance-edge; fwd=uri-miss/);
    assert.equal(sha512(miss.body), sha512(image.bytes));
  });

  test("clears the queue alone, the cache alone, and both", async () => {
    const image = await cached();
    const waiting = await makeImageWithoutData();
    const holds = async () => {
      const { cached_images, queued_images } = await cacheState(EDGE);
      return [cached_images.map(({ image_id }) => image_id).includes(image.id), queued_images.includes(waiting)];
    };
    // The API that Glance had before takes what is no candidate yet: it stays queued until it has data.
    await manage(EDGE, "PUT", `/v2/queued_images/${waiting}`);
    assert.deepEqual(await holds(), [true, true]);
    const [row] = (await cacheList()).filter(({ id }) => id === waiting);
    assert.deepEqual(row, { id: waiting, state: "queued", accessed: "N/A", modified: "N/A", size: "N/A", hits: "N/A" });

    await says("", "cache-clear", "--target", "queue");
    assert.deepEqual(await holds(), [true, false]);
    await manage(EDGE, "PUT", `/v2/queued_images/${waiting}`);
    await says("", "cache-clear", "--target", "cache");
    assert.deepEqual(await holds(), [false, true]);
    await manage(EDGE, "PUT", `/v2/cache/${image.id}`);
    await untilCached(EDGE, image.id);
    await says("", "cache-clear", "--target", "both");
    assert.deepEqual(await cacheState(EDGE), { cached_images: [], queued_images: [] });
  });

  test("is told why an image cannot be queued or deleted", async () => {
    const unknown = randomUUID();
    const empty = await makeImageWithoutData();
    await Promise.all([
      says(
        `'HTTP 404 Not Found: Image ${unknown} not found.': Unable to queue image '${unknown}' for caching.`,
        ...["cache-queue", unknown],
      ),
      says(
        `'HTTP 404 Not Found: Image ${unknown} not found.': Unable to delete image '${unknown}' from cache.`,
        ...["cache-delete", unknown],
      ),
      says(
        "'HTTP 400 Bad Request: Only images with status active can be targeted for queueing': " +
          `Unable to queue image '${empty}' for caching.`,
        ...["cache-queue", empty],
      ),
    ]);
    assert.ok((await cacheState(EDGE)).queued_images.every((id) => id !== unknown && id !== empty));
  });
});

describe("glance, run by a member,", { skip: withoutEdge }, () => {
  test("is refused, and nothing changes", async () => {
    const image = await cached();
    const before = await cacheState(EDGE);
    const [list, queue, remove, clear] = await Promise.all([
      glanceSaid("demo", "cache-list"),
      glanceSaid("demo", "cache-queue", image.id),
      glanceSaid("demo", "cache-delete", image.id),
      glanceSaid("demo", "cache-clear"),
    ]);
    assert.equal(list.stderr, "HTTP 403 Forbidden: You are not authorized to complete cache_list action.\n");
    assert.deepEqual([list.code, list.stdout], [1, ""]);
    assert.equal(queue.stderr, `You are not permitted to queue the image '${image.id}' for caching.\n`);
    assert.equal(remove.stderr, `You are not permitted to delete the image '${image.id}' from cache.\n`);
    assert.equal(clear.stderr, "You are not permitted to delete image(s) from cache.\n");
    assert.deepEqual(await cacheState(EDGE), before);
  });
});

describe("the versions document", { skip: withoutEdge }, () => {
  for (const path of ["/", "/versions"]) {
    test(`at ${path} lists the cache API's, though Glance's own does not`, async () => {
      const answer = await curl(EDGE + path);
      const { versions }: { versions: { id: string; status: string; links: { href: string }[] }[] } = JSON.parse(
        answer.body.toString(),
      );
      const ids = versions.map(({ id }) => id);
      for (const id of ["v2.14", "v2.16", "v2.18"]) assert.equal(ids.filter((one) => one === id).length, 1, id);
      assert.deepEqual(
        versions.filter(({ status }) => status !== "SUPPORTED").map(({ id, status }) => [id, status]),
        [["v2.18", "CURRENT"]],
      );
      for (const { links } of versions) assert.deepEqual(links, [{ rel: "self", href: `${EDGE}/v2/` }]);
    });
  }
});

/** An image that was queued and is cached. */
async function cached() {
  const image = await makeImage({ size: SIZE });
  await manage(EDGE, "PUT", `/v2/cache/${image.id}`);
  await untilCached(EDGE, image.id);
  return image;
}

/** The client's own words on stderr. It ends with 0 where it reports a failure of one image of several. */
async function says(expected: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await glanceSaid("admin", ...args);
  assert.deepEqual({ code, said: stderr.trim() }, { code: 0, said: expected }, args.join(" "));
}

/** The rows of the table that `glance cache-list` prints. */
async function cacheList() {
  const lines = (await glance("admin", "cache-list")).split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(1).map((line) => {
    const [, id, state, accessed, modified, size, hits] = line.split("|").map((cell) => cell.trim());
    return { id, state, accessed, modified, size, hits };
  });
}

/** Seconds of the epoch as the client prints them: Python's isoformat, in microseconds where there is a fraction. */
function printed(seconds: number): string {
  const micros = Math.round(seconds * 1e6) % 1e6;
  const whole = new Date(Math.floor(seconds) * 1000).toISOString().slice(0, 19);
  return micros === 0 ? whole : `${whole}.${String(micros).padStart(6, "0")}`;
}
