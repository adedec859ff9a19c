import { describe, expect, it } from "vitest";
import { renewalTime, type ServiceToken, ServiceTokenMemory } from "../../../src/keystone/service-tokens.ts";

const MINUTE = 60_000;
const token = (text: string): ServiceToken => ({
  token: text,
  identity: { userId: "u", projectId: "p", roles: [] },
});

describe("a token of the edge is replaced", () => {
  it.each([
    ["five minutes before its end", 60 * MINUTE, 55 * MINUTE],
    ["five minutes before its end, if it lives ten", 10 * MINUTE, 5 * MINUTE],
    ["half-way, if it lives less", 8 * MINUTE, 4 * MINUTE],
    ["at once, if it has ended already", 0, 0],
  ])("%s", (_, lifetime, after) => {
    expect(renewalTime(1_000, lifetime)).toBe(1_000 + after);
  });

  it("before it was given, if its end lies before its beginning", () => {
    expect(renewalTime(1_000, -10 * MINUTE)).toBeLessThan(1_000);
  });
});

describe("the memory of the edge's tokens", () => {
  it("gives a token until its renewal is due, and not at that moment", () => {
    const memory = new ServiceTokenMemory();
    expect(memory.recall("a", 0)).toBeNull();
    memory.keep("a", token("t"), 1_000);
    expect(memory.recall("a", 999)).toEqual(token("t"));
    expect(memory.recall("a", 1_000)).toBeNull();
  });

  it("gives no account another one's token", () => {
    const memory = new ServiceTokenMemory();
    memory.keep("a", token("t"), 1_000);
    expect(memory.recall("b", 0)).toBeNull();
    memory.keep("b", token("u"), 1_000);
    expect(memory.recall("a", 0)).toBeNull();
    expect(memory.recall("b", 0)).toEqual(token("u"));
  });

  it("forgets the token that was refused, but not the newer one that another request has got", () => {
    const memory = new ServiceTokenMemory();
    memory.keep("a", token("old"), 1_000);
    memory.keep("a", token("new"), 1_000);
    memory.forget("old");
    expect(memory.recall("a", 0)).toEqual(token("new"));
    memory.forget("new");
    expect(memory.recall("a", 0)).toBeNull();
    memory.forget("new");
  });
});
