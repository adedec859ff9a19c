import { describe, expect, it } from "vitest";
import { FillClient, placedFills } from "../../../src/fill/client.ts";
import { createLog } from "../../../src/lib/log.ts";
import { type Env, readSettings } from "../../../src/settings.ts";
import { bindings } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";

const lines = keepLines();

/** Fills that note how they are called, and answer nothing. */
async function calledWith(change: Partial<Env>): Promise<unknown[]> {
  const calls: unknown[] = [];
  const fills = (namespace: string) => ({
    jurisdiction: (name: string) => fills(name),
    idFromName: (name: string) => `${namespace}/${name}`,
    get: (...call: unknown[]) => {
      calls.push(call);
      return { progress: async () => null };
    },
  });
  const { place } = readSettings({ ...bindings, ...change });
  const placed = placedFills(fills("anywhere") as unknown as DurableObjectNamespace, place);
  await new FillClient(placed, "image", createLog({ test: true })).progress();
  return calls;
}

describe("a Fill", () => {
  it("is made near the first call to it, where no place is set", async () => {
    expect(await calledWith({})).toEqual([["anywhere/image", {}]]);
  });

  it("is made near LOCATION", async () => {
    expect(await calledWith({ LOCATION: "weur" })).toEqual([["anywhere/image", { locationHint: "weur" }]]);
  });

  it("is made within JURISDICTION", async () => {
    expect(await calledWith({ JURISDICTION: "eu" })).toEqual([["eu/image", {}]]);
  });

  it("has one place: both settings are an error", () => {
    expect(() => readSettings({ ...bindings, LOCATION: "weur", JURISDICTION: "eu" })).toThrow("LOCATION must be empty");
  });
});

describe("the real Fills", () => {
  it.each([{ LOCATION: "weur" }, {}])("answer where the place is %j", async (change) => {
    const { place } = readSettings({ ...bindings, ...change });
    const client = new FillClient(placedFills(bindings.FILL, place), crypto.randomUUID(), createLog({ test: true }));
    expect(await client.progress()).toEqual({ fill: "none" });
  });

  it("are out of reach, and no error of the download, in a jurisdiction that the platform has not", async () => {
    // The local runtime has none.
    const { place } = readSettings({ ...bindings, JURISDICTION: "eu" });
    const client = new FillClient(placedFills(bindings.FILL, place), crypto.randomUUID(), createLog({ test: true }));
    expect(await client.progress()).toEqual({ fill: "unreachable" });
    expect(lines("fill.unavailable")).toHaveLength(1);
  });
});
