/** The bytes of generated images. What a download is else answered is the contract's: test/contract. */
import { expect, test } from "vitest";
import { seedOf, virtualBytes } from "../../demo/content/virtual-bytes.ts";
import { ask, bytesOf, controlOf, IMAGE_ID, put, useDemoOrigin } from "./support.ts";

const base = useDemoOrigin();
const SIZE = 200_001;
const SEED = 7;
const expected = virtualBytes(SEED, 0, SIZE);

async function imageIn(namespace: string, fields: Readonly<Record<string, unknown>> = {}): Promise<string> {
  await put(`${controlOf(namespace)}/images/${IMAGE_ID}`, { size: SIZE, seed: SEED, ...fields });
  return `${namespace}/v2/images/${IMAGE_ID}/file`;
}

test("a download has the bytes that the generator tells, whole and in parts across its blocks", async () => {
  const url = await imageIn(base());
  expect(Buffer.compare(await bytesOf(await ask(url)), expected)).toBe(0);
  const part = await ask(url, { headers: { range: "bytes=65530-131080" } });
  expect(Buffer.compare(await bytesOf(part), expected.subarray(65_530, 131_081))).toBe(0);
});

test("a download has no Content-Md5 when the image has no checksum", async () => {
  const response = await ask(await imageIn(base(), { hash: "none" }));
  expect(response.headers.get("content-md5")).toBeNull();
  await response.body?.cancel();
});

test("two images made without a seed differ, and each is what its id says", async () => {
  const namespace = base();
  const ids = [IMAGE_ID, IMAGE_ID.replace("1", "2")];
  for (const id of ids) {
    await put(`${controlOf(namespace)}/images/${id}`, { size: 100_000 });
    const body = await bytesOf(await ask(`${namespace}/v2/images/${id}/file`));
    expect(Buffer.compare(body, virtualBytes(seedOf(id), 0, 100_000))).toBe(0);
  }
  expect(seedOf(ids[0] ?? "")).not.toBe(seedOf(ids[1] ?? ""));
});
