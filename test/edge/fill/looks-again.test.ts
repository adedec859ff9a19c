/** What a Fill decides behind a slow look at R2 or D1, while an attempt has begun. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { bucketBut, fillClient } from "../../support/bindings.ts";
import { CALM, fillEnv } from "../../support/fill-env.ts";
import { expectKept, expectOnce, SOON, slowImage } from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { bindings, takeCalls } from "../../support/scenario.ts";

keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

describe("an attempt that begins", () => {
  it("while a removal looks at R2 is not taken from its readers", async () => {
    const image = await slowImage({ size: 2_000_000 }, 1_500_000);
    const held = Promise.withResolvers<void>();
    let looks = 0;
    const head = async (key: string) => {
      if (looks++ === 0) await held.promise;
      return bindings.BUCKET.head(key);
    };
    fillEnv.changes = { ...CALM, BUCKET: bucketBut({ head }) };
    const removing = fillClient(image.id).remove("unless-read");
    await expect.poll(() => looks, SOON).toBe(1);
    const reader = await startReader(image.id);
    await reader.has(300_000);
    held.resolve();
    expect(await removing).toBe("busy");
    await expectImage(reader, image);
    await expectOnce(image);
    await expectKept(image);
  });

  it("while its Fill looks whether it is over is not forgotten", async () => {
    const image = await slowImage({ size: 2_000_000 }, 1_500_000);
    const held = Promise.withResolvers<null>();
    let looks = 0;
    const CATALOG = new Proxy(bindings.CATALOG, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (name !== "prepare") return typeof value === "function" ? value.bind(target) : value;
        return (sql: string) => {
          if (sql !== "SELECT 1 FROM queue WHERE image_id = ?1") return target.prepare(sql);
          looks++;
          return { bind: () => ({ first: () => held.promise }) };
        };
      },
    });
    fillEnv.changes = { ...CALM, CATALOG };
    // A Fill that keeps rights for an image's turn looks each five minutes whether it is queued still.
    await fillClient(image.id).lend({ target: { api: "v2", imageId: image.id }, headers: [["x-auth-token", "demo"]] });
    const now = Date.now.bind(Date);
    const later = vi.spyOn(Date, "now").mockImplementation(() => now() + 300_000);
    await expect.poll(() => looks, SOON).toBe(1);
    later.mockRestore();
    const reader = await startReader(image.id);
    await reader.has(300_000);
    const begun = await fillClient(image.id).progress();
    held.resolve(null);
    await expectImage(reader, image);
    await expectKept(image);
    const kept = await bindings.BUCKET.head(`images/${image.id}`);
    expect(begun).toMatchObject({ progress: { attempt: kept?.customMetadata?.attempt } });
    await takeCalls();
  });
});
