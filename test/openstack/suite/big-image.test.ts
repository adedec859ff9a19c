/** A big image through the edge: uploaded, downloaded, and downloaded by a client that is killed half way. Times are printed, not judged. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { EDGE, WORK_DIR, withoutEdge } from "./addresses.ts";
import { curlDigest, curlKilled, openstack } from "./clients.ts";
import { cacheStatus, content, filePath, forgetCounts, imageBytesFromGlance, tokenOf, untilHit } from "./cloud.ts";

const MIB = 1024 * 1024;
const SIZE = Number(process.env.BIG_IMAGE_MIB ?? 1024) * MIB;

test(`an image of ${SIZE / MIB} MiB goes from upload to miss to hit with the same SHA-512`, async (t) => {
  const source = join(WORK_DIR, "big.raw");
  const digest = await writeContent(source);

  const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await work();
    const seconds = (performance.now() - began) / 1000;
    t.diagnostic(`${what}: ${seconds.toFixed(1)} s (${(SIZE / MIB / seconds).toFixed(0)} MiB/s)`);
    return result;
  };

  const made = await timed("upload through the edge", () => {
    const file = ["--disk-format", "raw", "--container-format", "bare", "--file", source];
    return openstack("demo", "image", "create", ...file, "-f", "json", "big");
  });
  await rm(source);
  const { id } = JSON.parse(made) as { id: string };
  const download = async () => curlDigest(EDGE + filePath(id), { token: await tokenOf("demo") });

  const first = await timed("first download", download);
  assert.deepEqual([first.status, first.bytes, first.sha512], [200, SIZE, digest]);
  const began = performance.now();
  await untilHit(id, 300);
  t.diagnostic(`from there to the commit: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  const second = await timed("second download", download);
  assert.deepEqual([second.status, second.bytes, second.sha512], [200, SIZE, digest]);
  if (withoutEdge === false) {
    assert.match(cacheStatus(first.headers), /^glance-edge; fwd=uri-miss/);
    assert.equal(cacheStatus(second.headers), "glance-edge; hit");
  }
  await openstack("demo", "image", "delete", id);
});

test(`an image of ${SIZE / MIB} MiB whose client is killed half way is committed all the same`, {
  skip: withoutEdge,
}, async (t) => {
  const source = join(WORK_DIR, "killed.raw");
  const digest = await writeContent(source);
  const made = await openstack(
    "demo",
    ...[
      "image",
      "create",
      "--disk-format",
      "raw",
      "--container-format",
      "bare",
      "--file",
      source,
      "-f",
      "json",
      "killed",
    ],
  );
  await rm(source);
  const { id } = JSON.parse(made) as { id: string };
  await forgetCounts();
  const token = await tokenOf("demo");
  const had = await curlKilled(EDGE + filePath(id), { token }, SIZE / 2);
  assert.ok(had < SIZE, "the client had all of it before it was killed");
  const began = performance.now();
  await untilHit(id, 600);
  t.diagnostic(`from the kill to the commit: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  t.diagnostic(`Glance sent ${((await imageBytesFromGlance()) / SIZE).toFixed(2)} x the image`);
  const hit = await curlDigest(EDGE + filePath(id), { token });
  assert.equal(cacheStatus(hit.headers), "glance-edge; hit");
  assert.deepEqual([hit.status, hit.bytes, hit.sha512], [200, SIZE, digest]);
  await openstack("demo", "image", "delete", id);
});

/** @returns the SHA-512 of what was written */
async function writeContent(path: string): Promise<string> {
  const hash = createHash("sha512");
  const file = await open(path, "w");
  try {
    for (const chunk of content("big", SIZE)) {
      hash.update(chunk);
      await file.write(chunk);
    }
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}
