import { beforeEach, describe, expect, it } from "vitest";
import { cursors, emptied } from "../../support/stored.ts";

beforeEach(emptied);

describe("a cursor", () => {
  it("is at the beginning at first", async () => {
    expect(await cursors.read("a")).toBe("");
  });

  it("is where it was put last", async () => {
    await cursors.write("a", "one");
    await cursors.write("a", "two");
    expect(await cursors.read("a")).toBe("two");
  });

  it("can be put back to the beginning", async () => {
    await cursors.write("a", "one");
    await cursors.write("a", "");
    expect(await cursors.read("a")).toBe("");
  });

  it("is each task's own", async () => {
    await cursors.write("a", "one");
    await cursors.write("b", "two");
    expect([await cursors.read("a"), await cursors.read("b")]).toEqual(["one", "two"]);
  });
});
