/** A part of a stored image, and every part that Glance refuses, against Glance's own answer. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { readsAtRandom, withoutEdge } from "./addresses.ts";
import { type Answer, field } from "./clients.ts";
import {
  cacheStatus,
  filePath,
  forgetCounts,
  type Image,
  imageBytesFromGlance,
  makeImage,
  store,
  tokenOf,
} from "./cloud.ts";
import { askBoth, assertSameAnswer, type Both } from "./compare.ts";

const SLICE = 8 * 1024 * 1024;
const SIZE = 2 * SLICE + 4321;

/** What is asked, and the bytes that must come: from (inclusive) to (exclusive). */
const SERVED: readonly (readonly [string, string, number, number])[] = [
  ["a part in the middle", "Range: bytes=1000-1999", 1000, 2000],
  ["the first byte", "Range: bytes=0-0", 0, 1],
  ["the last byte by its place", `Range: bytes=${SIZE - 1}-${SIZE - 1}`, SIZE - 1, SIZE],
  ["the whole by its bounds", `Range: bytes=0-${SIZE - 1}`, 0, SIZE],
  ["a part across two slices", `Range: bytes=${SLICE - 5}-${SLICE + 4}`, SLICE - 5, SLICE + 5],
  ["exactly one slice", `Range: bytes=${SLICE}-${2 * SLICE - 1}`, SLICE, 2 * SLICE],
  ["a suffix", "Range: bytes=-4000", SIZE - 4000, SIZE],
  ["a suffix longer than the image", `Range: bytes=-${SIZE + 100}`, 0, SIZE],
  ["a suffix of zero bytes, which Glance takes for the whole", "Range: bytes=-0", 0, SIZE],
  ["an open range", `Range: bytes=${SIZE - 777}-`, SIZE - 777, SIZE],
  ["an open range from the start", "Range: bytes=0-", 0, SIZE],
  ["a range that ends beyond the image", `Range: bytes=${SIZE - 10}-${SIZE + 1000}`, SIZE - 10, SIZE],
  ["Content-Range of the request, size left open", "Content-Range: bytes 3-5/*", 3, 6],
  ["Content-Range of the request, size given", `Content-Range: bytes 3-5/${SIZE}`, 3, 6],
];

const REFUSED: readonly (readonly [string, string, number])[] = [
  ["two ranges", "Range: bytes=0-1,3-4", 400],
  ["a reversed range", "Range: bytes=5-3", 416],
  ["a range that begins at the end", `Range: bytes=${SIZE}-`, 416],
  ["a range beyond the end", `Range: bytes=${SIZE + 5}-${SIZE + 9}`, 416],
  ["another unit", "Range: items=0-1", 416],
  ["junk", "Range: bytes=abc", 416],
  ["a range without numbers, on which Glance fails", "Range: bytes=-", 500],
  ["a word", "Range: junk", 416],
  ["Content-Range that ends beyond the image", `Content-Range: bytes 3-${SIZE + 5}/*`, 416],
  ["Content-Range that is junk", "Content-Range: junk", 416],
];

const NOT_RANDOMLY = "Getting images randomly from this store is not supported.";

describe("a range of a stored image", () => {
  let image: Image;
  before(async () => {
    image = await makeImage({ size: SIZE });
    await store(image.id);
  });

  for (const [what, header, from, to] of SERVED) {
    test(`is ${readsAtRandom ? "Glance's own answer" : "what a Glance gives that can"}: ${what} (${header})`, async () => {
      await forgetCounts();
      const both = await askBoth(filePath(image.id), { token: await tokenOf("demo"), headers: [header] });
      if (!readsAtRandom) {
        assert.equal(both.origin.status, 400);
        assert.match(both.origin.body.toString(), new RegExp(NOT_RANDOMLY));
      }
      for (const answer of readsAtRandom ? [both.edge, both.origin] : edgeAlone(both)) {
        assert.equal(answer.status, 206);
        assert.equal(field(answer.headers, "content-range"), `bytes ${from}-${to - 1}/${SIZE}`);
        assert.equal(field(answer.headers, "content-length"), String(to - from));
        assert.ok(answer.body.equals(image.bytes.subarray(from, to)), "the bytes differ");
      }
      for (const name of readsAtRandom ? ["content-md5", "content-type"] : []) {
        assert.equal(field(both.edge.headers, name), field(both.origin.headers, name), name);
      }
      if (withoutEdge === false) {
        assert.equal(cacheStatus(both.edge.headers), "glance-edge; hit");
        // Glance's own answer to the same range does not pass the edge.
        assert.equal(await imageBytesFromGlance(), 0);
      }
    });
  }
});

for (const [when, prepare] of [
  ["not stored", async () => undefined],
  ["stored", (image: Image) => store(image.id)],
] as const) {
  describe(`of an image that is ${when}`, () => {
    let image: Image;
    before(async () => {
      image = await makeImage({ size: SIZE });
      await prepare(image);
    });

    for (const [what, header, status] of REFUSED) {
      test(`Glance's own refusal comes back for ${what} (${header})`, async () => {
        const both = await askBoth(filePath(image.id), { token: await tokenOf("demo"), headers: [header] });
        assert.equal(both.origin.status, status);
        assertSameAnswer(both);
      });
    }

    test("a range comes with the right bytes, also where Glance refuses it", async () => {
      const headers = [`Range: bytes=${SLICE - 3}-${SLICE + 3}`];
      const both = await askBoth(filePath(image.id), { token: await tokenOf("demo"), headers });
      const { edge } = both;
      if (!readsAtRandom) assert.equal(both.origin.status, 400);
      // Near its beginning the edge reads a range of what is not stored from the fill, which Glance can't (README, Differences).
      if (withoutEdge !== false) return assertSameAnswer(both);
      assert.equal(edge.status, 206);
      assert.ok(edge.body.equals(image.bytes.subarray(SLICE - 3, SLICE + 4)));
    });
  });
}

/** A Glance that can't read from the middle has no range to compare with; nor has a run without an edge. */
function edgeAlone({ edge }: Both): Answer[] {
  return withoutEdge === false ? [edge] : [];
}
