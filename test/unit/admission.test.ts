import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Admissions } from "../../src/fill/admission.ts";
import { createLog } from "../../src/observe/log.ts";
import { Catalog } from "../../src/store/catalog.ts";
import { type Filling, Generations } from "../../src/store/generations.ts";
import { SliceStore } from "../../src/store/slices.ts";
import { bindings } from "../support/env.ts";

const CAP = 100;
const START = 1_800_000_000_000;

const generations = new Generations(bindings.CATALOG);
const store = {
  catalog: new Catalog(bindings.CATALOG),
  generations,
  slices: new SliceStore(bindings.BUCKET),
  log: createLog({ test: true }),
};
let answered: string[] = [];
const admissions = () =>
  new Admissions(store, CAP, async ({ generation }) => {
    answered.push(generation);
  });
const applicant = (generation: string, size: number): Filling => ({
  blob: `sha256-${generation}`,
  generation,
  imageId: `image of ${generation}`,
  size,
});

beforeEach(async () => {
  answered = [];
  await bindings.CATALOG.batch([
    bindings.CATALOG.prepare("DELETE FROM images"),
    bindings.CATALOG.prepare("DELETE FROM blobs"),
    bindings.CATALOG.prepare("DELETE FROM generations"),
  ]);
  vi.useFakeTimers({ toFake: ["Date"], now: START });
});

afterEach(() => {
  vi.useRealTimers();
});

describe("room", () => {
  it("is asked for once, by however many ask, and remembered", async () => {
    const own = admissions();
    const all = await Promise.all([own.ask(applicant("a", 60)), own.ask(applicant("a", 60))]);
    expect(all).toEqual(["admitted", "admitted"]);
    expect(own.has("a")).toBe(true);
    expect(own.has("b")).toBe(false);
    expect(answered).toEqual(["a"]);
    vi.setSystemTime(START + 86_400_000);
    expect(await own.ask(applicant("a", 60))).toBe("admitted");
    expect(answered).toEqual(["a"]);
  });

  it("is another generation's own", async () => {
    const own = admissions();
    await own.ask(applicant("a", 60));
    expect(await own.ask(applicant("b", 60))).toBe("no-room");
    expect(own.has("a")).toBe(false);
    expect(own.has("b")).toBe(false);
  });

  it("that was refused stays refused for ten seconds, and is asked for again then", async () => {
    const own = admissions();
    await admissions().ask(applicant("holder", 60));
    expect(await own.ask(applicant("a", 60))).toBe("no-room");
    await generations.release(["holder"]);
    vi.setSystemTime(START + 9_999);
    expect(await own.ask(applicant("a", 60))).toBe("no-room");
    expect(own.has("a")).toBe(false);
    vi.setSystemTime(START + 10_000);
    expect(await own.ask(applicant("a", 60))).toBe("admitted");
    expect(own.has("a")).toBe(true);
  });

  it("that could not be asked for is asked for again at once", async () => {
    let failures = 1;
    const db = new Proxy(bindings.CATALOG, {
      get(target, name) {
        if (name === "batch" && failures-- > 0) return () => Promise.reject(new Error("out of order"));
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const own = new Admissions({ ...store, generations: new Generations(db) }, CAP, async () => undefined);
    await expect(own.ask(applicant("a", 60))).rejects.toThrow("out of order");
    expect(own.has("a")).toBe(false);
    expect(await own.ask(applicant("a", 60))).toBe("admitted");
  });

  it("says since when it is asked for", async () => {
    const own = admissions();
    expect(own.askedAt("a")).toBeNull();
    const asking = own.ask(applicant("a", 60));
    vi.setSystemTime(START + 500);
    expect(own.askedAt("a")).toBe(START);
    expect(own.askedAt("b")).toBeNull();
    await asking;
  });

  it("that others gave up is there once their slices have gone, which is seen to", async () => {
    await generations.reserve(applicant("old", 60), CAP, START);
    await bindings.BUCKET.put("blobs/sha256-old/old/0", "x");
    await generations.condemn("old", START);
    expect(await admissions().ask(applicant("a", 60))).toBe("admitted");
    expect(await bindings.BUCKET.head("blobs/sha256-old/old/0")).toBeNull();
    expect(await generations.room()).toEqual({ committed: 0, filling: 60, removing: 0 });
  });

  it("that others gave up and could not remove is not taken", async () => {
    await generations.reserve(applicant("old", 60), CAP, START);
    await generations.condemn("old", START);
    const slices = new Proxy(store.slices, {
      get: (target, name) =>
        name === "removeGeneration" ? () => Promise.reject(new Error("out of order")) : Reflect.get(target, name),
    });
    const own = new Admissions({ ...store, slices }, CAP, async () => undefined);
    expect(await own.ask(applicant("a", 60))).toBe("no-room");
    expect(await generations.room()).toEqual({ committed: 0, filling: 0, removing: 60 });
  });
});
