import { expect, it } from "vitest";
import { acceptable } from "../../../src/glance/accept.ts";

// Each row is webob 1.8.6's own answer to the field, most of them also seen on a Glance 25.1.

it.each([
  null,
  "",
  "text/plain",
  "image/png",
  "application/xhtml+xml",
  "application/json;q=0",
  "application/json;q=0.000",
  "*/*;q=0",
  "text/html;q=0, text/*",
  "*/html",
  // A parameter asks for more than the type that is offered.
  "application/json; charset=utf-8",
  "text/html;level=1",
])("plain text goes to a client that accepts %j, which is neither HTML nor JSON", (accept) => {
  expect(acceptable(accept)).toBe("text");
});

it.each([
  "*/*",
  "text/*",
  "text/html",
  "TEXT/HTML",
  "application/json, text/html",
  "text/html, application/json",
  "application/json;q=0.5, text/html",
  "application/json, */*",
  "application/json;q=0, */*",
  "text/html;q=0.3, text/plain;q=0.4",
  "text/plain;q=0.1, */*",
  "text/html;q=0.5, text/html;q=0",
  "application/json, ,text/html",
  'application/json;v="a,b", text/html',
  "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
])("HTML goes to a client that accepts %j and does not like JSON better", (accept) => {
  expect(acceptable(accept)).toBe("html");
});

it.each([
  "application/json",
  "Application/JSON",
  "application/*",
  "application/json,",
  "application/json;q=0.001",
  "application/json ; q=0.4",
  "application/json;Q=0.4",
  "application/json;q=0.5;ext=1",
  "application/json, text/html;q=0.5",
  "text/html;q=0.3, application/json;q=0.9",
  "application/json, */*;q=0.1",
  "text/html;q=0, application/json",
  "text/html;q=0, */*",
  "text/html;level=1;q=0.5, application/json",
  "text/plain, application/json;q=0.5",
])("JSON goes to a client that accepts %j, which likes it better than HTML", (accept) => {
  expect(acceptable(accept)).toBe("json");
});

it.each([
  "junk",
  "junk, application/json",
  "application/json, junk",
  "text",
  "/",
  "*",
  "a/b/c",
  "text/html q=1",
  "application/json;",
  "application/json;q=2",
  "application/json;q=1.0000",
  "application/json;q=abc",
])("HTML goes to a client whose field %j can't be read", (accept) => {
  expect(acceptable(accept)).toBe("html");
});

it("a long field is read as fast as it is long", () => {
  // With a pattern that tries again from each quote this would take seconds, and longer than the test may.
  for (const part of ['"', '"\\', ";a=b", ",", "a/b;q=1", " "]) acceptable(`a/b${part.repeat(500_000)}`);
});
