/** How `npm start` reads the flags that it hands on. */
import { expect, test } from "vitest";
import { readStartFlags } from "../../scripts/start-flags.ts";

test("without flags it's the demo origin, loopback and wrangler's own port", () => {
  expect(readStartFlags([])).toMatchObject({
    ip: "127.0.0.1",
    port: 8787,
    originUrl: null,
    hasKeystone: false,
    shared: [],
  });
});

test("an origin is found in every form in which yargs reads arrays", () => {
  for (const given of [
    ["--var", "ORIGIN_URL:http://o:1/x"],
    ["--var=ORIGIN_URL:http://o:1/x"],
    ["--var", "KEYSTONE_URL:http://k", "ORIGIN_URL:http://o:1/x", "--port", "1"],
    ["--var", "ORIGIN_URL:http://first", "--var", "ORIGIN_URL:http://o:1/x"],
  ]) {
    expect(readStartFlags(given)).toMatchObject({ originUrl: "http://o:1/x", given });
  }
});

test("what the user gave is not given twice, and the migrations get what names the database", () => {
  const flags = readStartFlags(["--port=9000", "--ip", "127.0.0.2", "--persist-to", "dir", "-e", "test"]);
  expect(flags).toMatchObject({
    ip: "127.0.0.2",
    port: 9000,
    defaults: ["--show-interactive-dev-session=false"],
    shared: ["--persist-to", "dir", "--env", "test"],
  });
});

test("a wrong port or origin is refused by name", () => {
  expect(() => readStartFlags(["--port", "http"])).toThrow("--port");
  expect(() => readStartFlags(["--var", "ORIGIN_URL:here"])).toThrow("ORIGIN_URL is not a URL: here");
});
