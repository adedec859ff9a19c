/** The two files are what HAProxy and nginx take without a word. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Configuration, configure } from "./support/relay.ts";

const run = promisify(execFile);
let directory = "";
let files: Configuration;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "glance-edge-relay-files-"));
  // With TLS, as it is deployed. Its name is one that this machine knows.
  const tls = " ssl verify required ca-file /etc/ssl/certs/ca-certificates.crt sni str(localhost) check-sni localhost";
  const addresses = { port: 9292, edge: "localhost:443", tls, glance: "127.0.0.1:9292" };
  files = await configure(directory, { ...addresses, places: 4, cache: true });
});
afterAll(() => rm(directory, { recursive: true }));

it("haproxy -c has nothing to say", async () => {
  const { stdout, stderr } = await run("/usr/sbin/haproxy", ["-c", "-f", files.haproxy]);
  expect(stdout + stderr).toBe("Configuration file is valid\n");
});

it("nginx -t has nothing to say but that", async () => {
  const { stderr } = await run("/usr/sbin/nginx", ["-t", "-c", files.nginx]);
  expect(stderr.trim().split("\n")).toEqual([
    `nginx: the configuration file ${files.nginx} syntax is ok`,
    `nginx: configuration file ${files.nginx} test is successful`,
  ]);
});
