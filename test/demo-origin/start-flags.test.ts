/** How `npm start` reads the flags that it hands on. */
import { expect, test } from "vitest";
import { readStartFlags } from "../../scripts/start-flags.ts";

test("without flags it's the demo origin, loopback and wrangler's own port", () => {
  expect(readStartFlags([])).toMatchObject({
    ip: "127.0.0.1",
    port: 8787,
    url: "http://127.0.0.1:8787",
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
    defaults: ["--ip", "127.0.0.2", "--show-interactive-dev-session=false"],
    given: ["--port=9000", "--persist-to", "dir", "-e", "test"],
    shared: ["--persist-to", "dir", "--env", "test"],
  });
});

test.each([
  ["127.0.0.1", "127.0.0.1", "127.0.0.1"],
  ["192.0.2.7", "192.0.2.7", "192.0.2.7"],
  ["image.example", "image.example", "image.example"],
  ["localhost", "127.0.0.1", "127.0.0.1"],
  ["LOCALHOST", "127.0.0.1", "127.0.0.1"],
  ["::1", "::1", "[::1]"],
  ["[::1]", "::1", "[::1]"],
  ["0:0:0:0:0:0:0:1", "::1", "[::1]"],
  ["fd00::7", "fd00::7", "[fd00::7]"],
  ["*", "*", "127.0.0.1"],
  ["0.0.0.0", "0.0.0.0", "127.0.0.1"],
  ["0", "0.0.0.0", "127.0.0.1"],
  ["::", "::", "127.0.0.1"],
  ["[::]", "::", "127.0.0.1"],
  ["::0", "::", "127.0.0.1"],
  ["::ffff:0.0.0.0", "::ffff:0:0", "127.0.0.1"],
])("--ip %s is %s for wrangler, and the edge's URL has %s", (given, ip, host) => {
  for (const form of [["--ip", given], [`--ip=${given}`], ["--ip", "192.0.2.1", "--ip", given]]) {
    expect(readStartFlags([...form, "--port", "9000"])).toMatchObject({
      ip,
      url: `http://${host}:9000`,
      defaults: ["--ip", ip, "--show-interactive-dev-session=false"],
      given: ["--port", "9000"],
    });
  }
});

test.each(["", "127.0.0.1:80", "http://127.0.0.1", "256.0.0.1", "fe80::1%eth0", "a b", "[x]y", "user@host"])(
  "--ip %j is refused by name",
  (ip) => {
    expect(() => readStartFlags([`--ip=${ip}`])).toThrow("--ip must be an address");
    expect(() => readStartFlags(["--port", "1", "--ip"])).toThrow("--ip must be an address");
  },
);

test("a wrong port or origin is refused by name", () => {
  expect(() => readStartFlags(["--port", "http"])).toThrow("--port");
  expect(() => readStartFlags(["--var", "ORIGIN_URL:here"])).toThrow("ORIGIN_URL is not a URL: here");
});
