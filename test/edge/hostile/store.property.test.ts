/** Whatever another hand has put into R2, clients get the image or the origin's answer, and the upkeep goes on. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { clean } from "../../../src/upkeep/clean.ts";
import { scrub } from "../../../src/upkeep/scrub.ts";
import { decent } from "../../support/decency.ts";
import { bindings } from "../../support/env.ts";
import { bytesOf, hostile, text } from "../../support/hostile.ts";
import { keepLines } from "../../support/lines.ts";
import { holds } from "../../support/property.ts";
import { createImage, download, setFaults, settled, takeCalls, trueBytes } from "../../support/scenario.ts";
import { emptyStore } from "../../support/store.ts";
import { NEVER, upkeepTools } from "../../support/upkeep.ts";

keepLines();

const SIZE = 3_000;
const SUM = "a".repeat(64);

const printable = text.map((value) => value.replaceAll(/[^ -~]/g, "?").slice(0, 200));
const numbers = fc.oneof(
  fc.constantFrom("0", "-1", "1e3", "NaN", "Infinity", String(SIZE), "9007199254740993"),
  printable,
);
const ranges = fc.constantFrom(null, "bytes=0-9", "bytes=100-", "bytes=-1", "bytes=2999-2999");

it("a download is the image or the origin's answer, and the upkeep ends", async () => {
  const image = await createImage({ size: SIZE });
  const bytes = await trueBytes(image.id);
  // Alone, not through a fill: what is in R2 is what this is about.
  await setFaults(image.id, { randomAccess: true });
  const digest = image.os_hash_value ?? "";
  const metadata = fc.record(
    {
      kind: fc.oneof(fc.constantFrom("image", "manifest"), printable),
      attempt: fc.oneof(fc.constantFrom("mine", "../..", ""), printable),
      algorithm: fc.oneof(fc.constantFrom("sha512", "SHA512", "md5", "__proto__"), printable),
      hex: fc.oneof(fc.constantFrom(digest, digest.toUpperCase()), printable),
      size: numbers,
      rangesFrom: numbers,
    },
    { requiredKeys: [] },
  );
  const manifest = hostile({ part_bytes: 1_000, sha256: [SUM, SUM, SUM] });
  await holds(
    fc.asyncProperty(metadata, manifest, ranges, async (customMetadata, content, range) => {
      await bindings.BUCKET.put(`images/${image.id}`, bytesOf(content), { customMetadata });
      const response = await download(image.id, { headers: range === null ? {} : { range } });
      const body = await decent(response);
      expect([200, 206, 502]).toContain(response.status);
      const [, from, to] = /bytes (\d+)-(\d+)/.exec(response.headers.get("content-range") ?? "") ?? [null, "0", "2999"];
      if (response.status !== 502) expect(body).toEqual(bytes.slice(Number(from), Number(to) + 1));
      await takeCalls();
    }),
    20,
  );
  await settled();
  await takeCalls();
});

it("clean and scrub go on behind it", async () => {
  await emptyStore();
  const keys = fc.oneof(
    fc.constantFrom(
      "images/x",
      "images/",
      "images/../x",
      "fills/x",
      "fills/x/y/z",
      "parts/x/y",
      "fills///",
      "parts/a/b/-1",
    ),
    printable.map((key) => `images/${key}`),
    printable.map((key) => `fills/${key}`),
  );
  await holds(
    fc.asyncProperty(
      fc.array(fc.tuple(keys, hostile({ part_bytes: 1, sha256: [SUM] })), { maxLength: 3 }),
      async (objects) => {
        for (const [key, content] of objects) {
          const customMetadata = { kind: "manifest", attempt: "a", algorithm: "sha256", hex: SUM, size: "1" };
          await bindings.BUCKET.put(key.slice(0, 300), bytesOf(content.slice(0, 5_000)), { customMetadata });
        }
        await clean(upkeepTools(), NEVER);
        await scrub(upkeepTools(), NEVER);
      },
    ),
    6,
  );
  await emptyStore();
});
