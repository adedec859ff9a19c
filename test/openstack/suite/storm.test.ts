/** A boot storm: many clients ask at once for an image that nobody has yet, and Glance sends it once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EDGE, PROBE, withoutEdge } from "./addresses.ts";
import { curlDigest } from "./clients.ts";
import {
  cacheStatus,
  counts,
  filePath,
  forgetCounts,
  imageBytesFromGlance,
  makeImage,
  sha512,
  tokenOf,
  untilHit,
} from "./cloud.ts";

const CLIENTS = 32;
const SIZE = Number(process.env.STORM_IMAGE_MIB ?? 256) * 1024 * 1024;

test(`${CLIENTS} clients at once cost Glance one image of ${SIZE / 2 ** 20} MiB`, { skip: withoutEdge }, async (t) => {
  const image = await makeImage({ size: SIZE });
  const digest = sha512(image.bytes);
  const token = await tokenOf("demo");
  await forgetCounts();
  const began = performance.now();
  const answers = await Promise.all(
    Array.from({ length: CLIENTS }, () => curlDigest(EDGE + filePath(image.id), { token })),
  );
  t.diagnostic(`all clients done after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  for (const { status, bytes, sha512: got } of answers) assert.deepEqual([status, bytes, got], [200, SIZE, digest]);
  const statuses = answers.map(({ headers }) => cacheStatus(headers));
  assert.equal(statuses.filter((status) => status === "glance-edge; fwd=uri-miss; stored").length, 1);
  assert.equal(statuses.filter((status) => status === "glance-edge; fwd=uri-miss; collapsed").length, CLIENTS - 1);

  // Each client was asked for by itself: its record, and its right, which costs no byte. And the image, once.
  const asked = await counts();
  assert.equal(asked.filter(({ path }) => path === `/v2/images/${image.id}`).length, CLIENTS);
  assert.equal(asked.filter(({ range }) => range === PROBE).length, CLIENTS);
  assert.equal(await imageBytesFromGlance(), SIZE);

  await untilHit(image.id, 60);
  const hit = await curlDigest(EDGE + filePath(image.id), { token });
  assert.deepEqual([hit.bytes, hit.sha512], [SIZE, digest]);
});
