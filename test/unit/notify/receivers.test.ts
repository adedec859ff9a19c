import { describe, expect, it } from "vitest";
import { Receivers, receiverKey } from "../../../src/notify/receivers.ts";

const MINUTE = 60_000;
const identity = (userId: string) => ({ userId, projectId: "project", roles: [] });

describe("a receiver", () => {
  it("is remembered for five minutes and not a moment longer", () => {
    const receivers = new Receivers();
    receivers.remember("key", identity("a"), 1_000);
    expect(receivers.recall("key", 1_000)).toEqual(identity("a"));
    expect(receivers.recall("key", 1_000 + 5 * MINUTE - 1)).toEqual(identity("a"));
    expect(receivers.recall("key", 1_000 + 5 * MINUTE)).toBeNull();
    expect(receivers.recall("key", 1_000)).toBeNull();
  });

  it("is that of one key", () => {
    const receivers = new Receivers();
    receivers.remember("key", identity("a"), 0);
    expect(receivers.recall("other", 0)).toBeNull();
  });

  it("learnt again is new", () => {
    const receivers = new Receivers();
    receivers.remember("key", identity("a"), 0);
    receivers.remember("key", identity("b"), MINUTE);
    expect(receivers.recall("key", 5 * MINUTE)).toEqual(identity("b"));
  });

  it("makes room for newer ones, the oldest first; one learnt again is new", () => {
    const receivers = new Receivers();
    for (let index = 0; index < 4096; index++) receivers.remember(`key ${index}`, identity("a"), 0);
    receivers.remember("key 0", identity("a"), 0);
    receivers.remember("one more", identity("a"), 0);
    const kept = ["key 0", "key 1", "key 2", "one more"].map((key) => receivers.recall(key, 0) !== null);
    expect(kept).toEqual([true, false, true, true]);
  });
});

describe("the key of a token", () => {
  it("is the same for the same token at the same Keystone", async () => {
    expect(await receiverKey("http://keystone/v3", "t")).toBe(await receiverKey("http://keystone/v3", "t"));
  });

  it.each([
    ["http://keystone/v3", "u"],
    ["http://other/v3", "t"],
  ])("is another one for %s %s", async (keystone, token) => {
    expect(await receiverKey(keystone, token)).not.toBe(await receiverKey("http://keystone/v3", "t"));
  });

  it("does not show the token", async () => {
    expect(await receiverKey("http://keystone/v3", "secret")).toMatch(/^[0-9a-f]{64}$/);
  });
});
