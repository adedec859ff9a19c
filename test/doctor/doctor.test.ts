/** `npm run doctor` against a real edge and the demo origin, well and with one thing wrong at a time. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startDemoOrigin } from "../../demo/origin.ts";
import { type EdgeProcess, startEdge } from "../support/node/edge-process.ts";
import { Origin } from "../wire/support.ts";
import { about, bad, doctor, openrc } from "./support.ts";

const MIB = 2 ** 20;
/** Nothing listens there. */
const NOWHERE = "http://127.0.0.1:9";

const origin = new Origin();
let edge: EdgeProcess;
let persist = "";
const servers: Server[] = [];

beforeAll(async () => {
  persist = await mkdtemp(join(tmpdir(), "edge-doctor-"));
  const url = await origin.start();
  edge = await startEdge({ persist, vars: { ORIGIN_URL: url, KEYSTONE_URL: `${url}/v3` } });
  await origin.createImage({ size: 3 * MIB + 11 });
});
afterAll(async () => {
  await edge.stop();
  await rm(persist, { recursive: true });
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** What stands where the edge should be. */
async function instead(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it("a healthy edge has no NO: the command prints the table and ends well", async () => {
  const env = { ...process.env, ...openrc(origin.url) };
  const child = spawn("npm", ["run", "--silent", "doctor", "--", edge.url], { env, stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  }
  const [code] = await once(child, "close");
  expect(printed).toMatch(/^YES +Keystone knows who asks/m);
  expect(printed).toMatch(/^YES +the edge has all that it needs/m);
  expect(printed).toMatch(/^YES +who asks may download an image through the edge/m);
  expect(printed).toMatch(/^YES +a second download is a hit, with the right bytes +glance-edge; hit/m);
  expect(printed).toMatch(/^YES +the edge gives a range/m);
  expect(printed).toMatch(/^YES +uploads above 100 MB can go round the edge/m);
  expect(printed).toMatch(/^UNKNOWN +a hit is faster .* Glance \d/m);
  expect(printed).not.toMatch(/^NO /m);
  expect(code).toBe(0);
});

it("without an edge only Glance is looked at", async () => {
  const findings = await doctor([], openrc(origin.url));
  expect(bad(findings)).toEqual([]);
  expect(about(findings, "Glance answers").seen).toContain(origin.url);
  expect(about(findings, "have a digest").verdict).toBe("YES");
  expect(findings.map(({ what }) => what).join()).not.toContain("edge");
});

it("a NO is exit status 1, and wrong use 2", async () => {
  const run = async (...args: string[]) => {
    const child = spawn("npm", ["run", "--silent", "doctor", "--", ...args], { stdio: "ignore" });
    const [code] = await once(child, "close");
    return code;
  };
  expect(await run(NOWHERE)).toBe(1);
  expect(await run("no-url")).toBe(2);
  expect(await run("--nova-conf", "/does/not/exist")).toBe(2);
});

describe("a NO says what to do when", () => {
  it("the password is wrong", async () => {
    const findings = await doctor([edge.url], { ...openrc(origin.url), OS_PASSWORD: "wrong" });
    expect(about(findings, "Keystone")).toMatchObject({ verdict: "NO", seen: expect.stringContaining("401") });
    expect(about(findings, "Keystone").todo).toContain("password");
    expect(JSON.stringify(findings)).not.toContain('wrong"');
    expect(about(findings, "the edge answers").verdict).toBe("YES");
  });

  it("Keystone can't be reached", async () => {
    const findings = await doctor([], openrc(NOWHERE));
    expect(about(findings, "Keystone")).toMatchObject({ verdict: "NO", todo: expect.stringContaining("OS_AUTH_URL") });
  });

  it("what answers as Keystone is a web page", async () => {
    const page = await instead((_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>"));
    expect(about(await doctor([], openrc(page)), "Keystone").verdict).toBe("NO");
  });

  it("the edge can't be reached", async () => {
    const findings = await doctor([NOWHERE], openrc(origin.url));
    expect(bad(findings)).toEqual(["the edge answers"]);
    expect(about(findings, "the edge answers").todo).toContain("route");
  });

  it.each([
    ["cf-mitigated", { "cf-mitigated": "challenge", "content-type": "text/html" }, "<html>Just a moment...</html>"],
    [
      "a page of Cloudflare's",
      { "content-type": "text/html" },
      '<html><div class="cf-error-details">1010</div></html>',
    ],
  ])("bot protection answers in the edge's place: %s", async (_, headers, page) => {
    const url = await instead((_request, response) => response.writeHead(403, headers).end(page));
    const findings = await doctor([url], openrc(origin.url));
    expect(about(findings, "the edge answers")).toMatchObject({
      verdict: "NO",
      todo: expect.stringContaining("bot protection"),
    });
  });

  it("bot protection answers downloads alone", async () => {
    const url = await instead((request, response) => {
      const path = request.url ?? "";
      if (path.endsWith("/file")) {
        response.writeHead(403, { "cf-mitigated": "challenge" }).end();
        return;
      }
      const headers = { "x-auth-token": "admin" };
      void fetch(edge.url + path, { headers }).then(async (got) =>
        response.writeHead(got.status).end(await got.text()),
      );
    });
    const findings = await doctor([url], openrc(origin.url));
    expect(about(findings, "may download an image").todo).toContain("bot protection");
  });

  it("what answers is Glance itself, and no edge", async () => {
    const findings = await doctor([origin.url, "--glance", origin.url], openrc(origin.url));
    expect(bad(findings)).toContain("the edge has all that it needs");
    expect(about(findings, "second download").seen).toContain("Cache-Status: none");
  });

  it("the edge lacks something", async () => {
    const checks = { r2: { ok: false, ms: 1, why: "R2 gives an error: is the bucket there?" } };
    const url = await instead((request, response) => {
      if (request.url === "/edge/health") {
        response.writeHead(503).end(JSON.stringify({ status: "failing", failing: ["r2"], checks }));
        return;
      }
      void fetch(`${edge.url}/versions`).then(async (got) => response.writeHead(got.status).end(await got.text()));
    });
    expect(about(await doctor([url], openrc(origin.url)), "all that it needs")).toMatchObject({
      verdict: "NO",
      seen: "r2: R2 gives an error: is the bucket there?",
    });
  });

  it("the catalogue sends uploads through the edge", async () => {
    const own = await startDemoOrigin({ seed: true, imageEndpoint: edge.url });
    try {
      const findings = await doctor([edge.url, "--glance", own.url], openrc(own.url));
      expect(about(findings, "leads downloads").verdict).toBe("YES");
      expect(about(findings, "uploads")).toMatchObject({ verdict: "NO", todo: expect.stringContaining("413") });
    } finally {
      await own.close();
    }
  });

  it("images have no digest, or are too large for the cap", async () => {
    const own = new Origin();
    await own.start();
    const without = await own.createImage({ size: 1000, hash: "none" });
    const large = await own.createImage({ size: 3 * MIB });
    const findings = await doctor(["--cap", "4MiB"], openrc(own.url));
    expect(bad(findings)).toEqual(["all active images have a digest", "all active images fit"]);
    expect(about(findings, "have a digest").seen).toBe(`1 of 2 images have none, such as ${without.id}`);
    expect(about(findings, "images fit").seen).toBe("1 of 2 images have more than 2 MiB, the largest 3 MiB");
    // The smallest one is nothing to try a hit with.
    expect(large.sha512).not.toBeNull();
  });

  it("what says that it is a hit has other bytes", async () => {
    const url = await instead((request, response) => {
      if ((request.url ?? "").endsWith("/file")) {
        response.writeHead(200, { "cache-status": "glance-edge; hit" }).end("other bytes");
        return;
      }
      void fetch(`${edge.url}/versions`).then(async (got) => response.writeHead(got.status).end(await got.text()));
    });
    const findings = await doctor([url], openrc(origin.url));
    expect(about(findings, "second download")).toMatchObject({
      verdict: "NO",
      seen: expect.stringContaining("wrong bytes"),
    });
  });

  it("the origin's data do not match the record", async () => {
    const image = await origin.createImage({ size: MIB });
    await origin.setFaults(image, { corruptAt: 7 });
    const findings = await doctor([edge.url, "--image", image.id], openrc(origin.url));
    expect(bad(findings)).toContain("a second download is a hit, with the right bytes");
  });
});
