import { describe, expect, it } from "vitest";
import { retryDelay } from "../../../src/notify/deliver.ts";
import { retryAfter, splitCredentials } from "../../../src/notify/post.ts";

describe("the delay before a notification is tried again", () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 4],
    [10, 512],
    [11, 900],
    [100, 900],
  ])("after %i attempts is %i seconds", (attempts, seconds) => {
    expect(retryDelay(attempts)).toBe(seconds);
  });
});

describe("the credentials in a receiver's URL", () => {
  it.each([
    ["https://user:pass@events.example:8443/in?key=1", "https://events.example:8443/in?key=1", "user:pass"],
    ["https://user@events.example/", "https://events.example/", "user:"],
    ["https://:pass@events.example/", "https://events.example/", ":pass"],
    ["https://us%40er:p%3Aa%2Fss@events.example/", "https://events.example/", "us@er:p:a/ss"],
  ])("of %s become a header", (receiver, url, credentials) => {
    expect(splitCredentials(receiver)).toEqual({ url, authorization: `Basic ${btoa(credentials)}` });
  });

  it("are UTF-8 on the wire", () => {
    // "ü" is C3 BC.
    expect(splitCredentials("https://%C3%BC:p@events.example/").authorization).toBe(`Basic ${btoa("\xc3\xbc:p")}`);
  });

  it("are not made up where there are none", () => {
    const receiver = "https://events.example/in?a=b";
    expect(splitCredentials(receiver)).toEqual({ url: receiver, authorization: null });
  });
});

describe("the time until a receiver wants to be asked again", () => {
  const now = Date.parse("2026-11-23T08:00:00.500Z");
  it.each([
    [null, null],
    ["0", null],
    ["120", 120],
    ["Mon, 23 Nov 2026 08:02:00 GMT", 120],
    ["Mon, 23 Nov 2026 07:00:00 GMT", null],
    ["soon", null],
    ["-5", null],
    ["1.5", null],
    ["", null],
  ])("by Retry-After: %s is %s seconds", (field, seconds) => {
    expect(retryAfter(field, now)).toBe(seconds);
  });
});
