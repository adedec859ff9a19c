import { afterEach, describe, expect, it } from "vitest";
import type { Env } from "../../../src/settings.ts";
import { CALM, fillEnv } from "../../support/fill-env.ts";
import {
  expectKept,
  expectNothingLeft,
  expectOnce,
  keysOf,
  SOON,
  slowImage,
  startReaders,
  takeData,
} from "../../support/fills.ts";
import { keepLines } from "../../support/lines.ts";
import { expectImage, startReader } from "../../support/readers.ts";
import { bindings, createImage, setFaults, settled } from "../../support/scenario.ts";

const SIZE = 2_000_000;
const lines = keepLines();

afterEach(() => {
  fillEnv.changes = CALM;
});

/** A D1 that a test takes away and brings back. */
class Switch {
  down: "fails" | "hangs" | null = null;
  readonly catalog: Env["CATALOG"] = new Proxy(bindings.CATALOG, {
    get: (target, name) => {
      if (name === "batch" && this.down !== null) return () => this.#out();
      if (name === "prepare") return (sql: string) => this.#watched(target.prepare(sql));
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

  #watched(statement: D1PreparedStatement): D1PreparedStatement {
    if (this.down === null) return statement;
    const out = () => this.#out();
    return new Proxy(statement, {
      get: (_, name) => {
        if (name === "bind") return () => this.#watched(statement);
        return out;
      },
    });
  }

  #out(): Promise<never> {
    return this.down === "hangs" ? new Promise(() => undefined) : Promise.reject(new Error("D1 is down"));
  }
}

describe("while D1 is down", () => {
  it.each(["fails", "hangs"] as const)(
    "because it %s a fill runs, is shared, and is kept when D1 is back",
    async (down) => {
      const d1 = new Switch();
      d1.down = down;
      fillEnv.changes = { ...CALM, CATALOG: d1.catalog };
      const image = await slowImage({ size: SIZE });
      const readers = await startReaders(image, 12, { env: { CATALOG: d1.catalog } });
      for (const reader of readers) await expectImage(reader, image);
      await expectOnce(image);
      expect((await keysOf(image.id)).some((key) => key.startsWith("images/"))).toBe(false);
      // Nothing hangs on it meanwhile: who comes now reads the slices.
      await expectImage(await startReader(image.id, { env: { CATALOG: d1.catalog } }), image);
      expect(await takeData(image)).toEqual([]);
      d1.down = null;
      await expectKept(image);
    },
  );

  it("from the middle of the fill on: the image is kept, and served", async () => {
    const d1 = new Switch();
    fillEnv.changes = { ...CALM, CATALOG: d1.catalog };
    const image = await createImage({ size: SIZE });
    // Not at its end before D1 is down.
    await setFaults(image.id, { rate: 500_000 });
    const readers = await startReaders(image, 3, { env: { CATALOG: d1.catalog } });
    await Promise.all(readers.map((reader) => reader.has(SIZE / 3)));
    d1.down = "fails";
    await setFaults(image.id, { rate: 100_000_000 });
    for (const reader of readers) await expectImage(reader, image);
    await expectOnce(image);
    await expect.poll(async () => (await bindings.BUCKET.head(`images/${image.id}`)) !== null, SOON).toBe(true);
    const hit = await startReader(image.id, { env: { CATALOG: d1.catalog } });
    expect(hit.cacheStatus).toBe("glance-edge; hit");
    await expectImage(hit, image);
    await takeData(image);
    // The slices go as they do otherwise; what D1 has to be told is told when it is back.
    await expect.poll(() => keysOf(image.id), SOON).toEqual([`images/${image.id}`]);
    expect(lines("fill.not-done")).not.toEqual([]);
  });

  it("and the data is wrong nothing is left but the row that D1 could not be told to remove", async () => {
    const d1 = new Switch();
    d1.down = "fails";
    fillEnv.changes = { ...CALM, CATALOG: d1.catalog };
    const image = await createImage({ size: SIZE });
    await setFaults(image.id, { corruptAt: 7 });
    const reader = await startReader(image.id, { env: { CATALOG: d1.catalog } });
    expect(await reader.ended).toBe("cut");
    await settled();
    await takeData(image);
    d1.down = null;
    await expectNothingLeft(image);
  });
});
