/**
 * `npm start -- --ip ADDRESS`: it gets ready, what it prints works on this machine, and an edge that others can reach gives
 * them nothing of the demo origin but what a Glance and a Keystone would.
 */
import { execFile } from "node:child_process";
import { networkInterfaces } from "node:os";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { LARGE_IMAGE } from "../../demo/seeds.ts";
import { npmStart } from "../support/node/npm-start.ts";

const run = promisify(execFile);

/** The others are in the tests of the flags. */
const ADDRESSES = [
  { ip: "::1", host: "[::1]", everywhere: false },
  { ip: "[::1]", host: "[::1]", everywhere: false },
  { ip: "*", host: "127.0.0.1", everywhere: true },
  { ip: "0.0.0.0", host: "127.0.0.1", everywhere: true },
];

const loopbacks = Object.values(networkInterfaces())
  .flat()
  .map((one) => one?.address);

describe.each(ADDRESSES)("npm start -- --ip $ip", ({ ip, host, everywhere }) => {
  it.skipIf(host === "[::1]" && !loopbacks.includes("::1"))(
    "is ready, keeps its control to itself, and prints what works here",
    async () => {
      const started = await npmStart(["--ip", ip]);
      try {
        // 1. The lines to paste: a download twice, and what the origin was asked.
        const edge = `http://${host}:${started.port}`;
        expect(started.output).toContain(`ready: the edge is on ${edge},`);
        const lines = started.output.match(/^ {2}curl .*$/gm) ?? [];
        expect(lines).toHaveLength(3);
        const [first, , log] = await Promise.all(lines.map((line) => run("bash", ["-c", line])));
        expect(first?.stdout).toMatch(/^HTTP\/1.1 200 .*cache-status: glance-edge/is);
        expect(JSON.parse(log?.stdout ?? "")).toEqual(expect.any(Array));

        // 2. The catalogue names the edge as this machine reaches it.
        const identity = { methods: ["password"], password: { user: { name: "demo", password: "demo" } } };
        const originUrl = /the demo origin on (\S+)/.exec(started.output)?.[1] ?? "";
        const body = JSON.stringify({ auth: { identity } });
        const given = await fetch(`${originUrl}/v3/auth/tokens`, { method: "POST", body });
        const { token } = (await given.json()) as {
          token: { catalog: { type: string; endpoints: { url: string }[] }[] };
        };
        const image = token.catalog.find(({ type }) => type === "image");
        expect(image?.endpoints.map(({ url }) => url)).toEqual([edge, edge, edge]);

        // 3. The control is nowhere but on loopback's own port.
        const controlPort = new URL(/http:\S+(?=\/_demo\/requests)/.exec(started.output)?.[0] ?? "").port;
        expect([new URL(originUrl).port, String(started.port)]).not.toContain(controlPort);
        // Every address of 127.0.0.0/8 is this machine's, but 127.0.0.1 is the only one that loopback's services have.
        const outside = everywhere ? "127.0.0.2" : host;
        for (const path of ["/_demo/requests", "/t/x/_demo/requests", "/%5Fdemo/requests"]) {
          const answer = await fetch(`http://${outside}:${started.port}${path}`, {
            headers: { "x-auth-token": "demo" },
          });
          // Glance's choice of versions: there is no such path.
          expect([path, answer.status]).toEqual([path, 300]);
          await answer.arrayBuffer();
        }
        const off = await fetch(`http://${outside}:${started.port}/_demo/link`, {
          method: "PUT",
          body: '{"down":true}',
        });
        expect(off.status).toBe(300);
        const record = `${edge}/v2/images/${LARGE_IMAGE.id}`;
        expect((await fetch(record, { headers: { "x-auth-token": "demo" } })).status).toBe(200);
        await expect(fetch(`http://127.0.0.2:${controlPort}/_demo/requests`)).rejects.toThrow();
      } finally {
        await started.end();
      }
    },
  );
});

it("an address that is none of this machine's is refused in one line", async () => {
  for (const ip of ["192.0.2.250", "no-such-host.invalid", "127.0.0.1:80"]) {
    await expect(npmStart(["--ip", ip])).rejects.toThrow(/npm start: --ip .*address/);
  }
});
