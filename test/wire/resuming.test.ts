/**
 * Clients that resume, or fetch in pieces, over a link that breaks: each ends with the right image when the origin's data is
 * right, also when the edge was killed between two parts, and none ever takes a wrong one for a success.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type EdgeProcess, startEdge } from "../support/node/edge-process.ts";
import { freePort } from "../support/node/npm-start.ts";
import { Link } from "./link.ts";
import { cacheStatusOf, type Image, NOT_STORED, Origin, stored, until } from "./support.ts";

const MIB = 2 ** 20;
const SIZE = 6 * MIB + 11;
const TOKEN = "X-Auth-Token: demo";
const NGINX = "/usr/sbin/nginx";

const origin = new Origin();
let directory: string;
let edge: EdgeProcess;
const links: Link[] = [];

const start = async () =>
  startEdge({
    persist: join(directory, "edge"),
    vars: { ORIGIN_URL: await origin.start(), SLICE_BYTES: String(512 * 1024) },
  });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "edge-resume-"));
  edge = await start();
});
afterAll(async () => {
  await edge.stop();
  await rm(directory, { recursive: true });
});
afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.close()));
});

async function linkToEdge(): Promise<Link> {
  const link = await Link.to(edge.url);
  links.push(link);
  return link;
}

interface Program {
  readonly name: string;
  /** Fetches a URL into a file, as its users would with a link that breaks. @returns whether it says that all went well */
  fetch(url: string, file: string): Promise<boolean>;
}

/** @returns the exit code */
async function run(program: string, ...args: string[]): Promise<number | null> {
  const child = spawn(program, args, { stdio: "ignore", env: { ...process.env, no_proxy: "*" } });
  const [code] = (await once(child, "close")) as [number | null];
  return code;
}

/** As many programs do: piece by piece, each of them checked for its status and length. */
const IN_PIECES = `
import sys, time, requests
url, path, size, piece = sys.argv[1], sys.argv[2], int(sys.argv[3]), 1 << 20
session = requests.Session()
session.trust_env = False
with open(path, "wb") as file:
    for start in range(0, size, piece):
        for tries in range(4):
            try:
                last = min(start + piece, size) - 1
                headers = {"X-Auth-Token": "demo", "Range": f"bytes={start}-{last}"}
                answer = session.get(url, headers=headers)
                answer.raise_for_status()
                if answer.status_code != 206 or len(answer.content) != last + 1 - start: raise OSError("not the piece")
                file.write(answer.content)
                break
            except Exception:
                time.sleep(0.5)
        else:
            sys.exit(1)
`;

const PROGRAMS: readonly Program[] = [
  {
    name: "wget",
    fetch: async (url, file) =>
      (await run(
        "wget",
        "-q",
        "--tries=4",
        "--waitretry=1",
        "--retry-on-http-error=502,503",
        "--header",
        TOKEN,
        "-O",
        file,
        url,
      )) === 0,
  },
  {
    name: "wget -c, begun again",
    async fetch(url, file) {
      for (let tries = 0; tries < 5; tries++) {
        if ((await run("wget", "-q", "-c", "--tries=1", "--header", TOKEN, "-O", file, url)) === 0) return true;
      }
      return false;
    },
  },
  {
    name: "curl -C -, begun again",
    async fetch(url, file) {
      for (let tries = 0; tries < 5; tries++) {
        if ((await run("curl", "-sf", "-C", "-", "-H", TOKEN, "-o", file, url)) === 0) return true;
      }
      return false;
    },
  },
  {
    name: "aria2c with four connections",
    fetch: async (url, file) =>
      (await run(
        "aria2c",
        ...["-q", "-x4", "-s4", "-k1M", "--max-tries=4", "--retry-wait=1", "--no-conf", "--allow-overwrite=true"],
        ...["--file-allocation=none", "--header", TOKEN, "-d", directory, "-o", file.slice(directory.length + 1), url],
      )) === 0,
  },
  {
    name: "Python's requests in pieces",
    fetch: async (url, file) => (await run("python3", "-c", IN_PIECES, url, file, String(SIZE))) === 0,
  },
];

let files = 0;
const newFile = () => join(directory, `file-${files++}`);

async function sha512Of(file: string): Promise<string> {
  return createHash("sha512")
    .update(await readFile(file))
    .digest("hex");
}

/** @returns the digest of what the program takes for the image, or null when it says that it failed */
async function fetchBy(program: Program, base: string, image: Image): Promise<string | null> {
  const file = newFile();
  return (await program.fetch(`${base}/v2/images/${image.id}/file`, file)) ? sha512Of(file) : null;
}

/** All programs side by side, each for an image of its own. */
async function byAll(does: (program: Program, image: Image) => Promise<void>): Promise<void> {
  await Promise.all(PROGRAMS.map(async (program) => does(program, await origin.createImage({ size: SIZE }))));
}

describe("each client that resumes", () => {
  it("ends with the image when its link breaks twice, while it is filled and when it is stored", async () => {
    await byAll(async (program, image) => {
      await origin.setFaults(image, { rate: 6 * MIB });
      const link = await linkToEdge();
      for (const _ of ["filling", "stored"]) {
        link.breakNext([Math.floor(2.3 * MIB), 700_000]);
        expect(await fetchBy(program, link.url, image), program.name).toBe(image.sha512);
        expect(link.hasBroken, program.name).toBe(true);
        await stored(edge.url, image);
      }
    });
  });

  it("ends with the image when the edge is killed in the middle and started again", async () => {
    const startedAgain = Promise.withResolvers<void>();
    let broken = 0;
    // The last link that breaks takes the edge along.
    const breaks = async (link: Link) => {
      if (++broken === PROGRAMS.length) {
        await edge.kill();
        edge = await start();
        startedAgain.resolve();
      }
      await startedAgain.promise;
      link.leadTo(edge.url);
    };
    await byAll(async (program, image) => {
      await origin.setFaults(image, { rate: 2 * MIB });
      const link = await linkToEdge();
      link.breakNext([Math.floor(0.9 * MIB)], () => breaks(link));
      expect(await fetchBy(program, link.url, image), program.name).toBe(image.sha512);
    });
    expect(broken).toBe(PROGRAMS.length);
  });

  it.each([
    ["in its first byte", 0],
    ["in the middle", SIZE >> 1],
    ["in its last byte", SIZE - 1],
  ])("never takes an image for whole whose data is wrong %s", async (_, corruptAt) => {
    await byAll(async (program, image) => {
      await origin.setFaults(image, { corruptAt });
      expect(await fetchBy(program, edge.url, image), program.name).toBeNull();
      expect(await cacheStatusOf(edge.url, image), program.name).toBe(NOT_STORED);
    });
  });

  it("never takes a mix for whole when the data was wrong at first and is right by now", async () => {
    await byAll(async (program, image) => {
      await origin.setFaults(image, { corruptAt: 5 });
      const file = newFile();
      const url = `${edge.url}/v2/images/${image.id}/file`;
      expect(await program.fetch(url, file), program.name).toBe(false);
      await origin.setFaults(image, {});
      // What it holds by now begins with the wrong byte.
      if (await program.fetch(url, file)) expect(await sha512Of(file), program.name).toBe(image.sha512);
    });
  });
});

describe("nginx with slices of 1 MiB before the edge", () => {
  let nginx: ChildProcess;
  let base: string;

  beforeAll(async () => {
    const home = join(directory, "nginx");
    await mkdir(home);
    const port = await freePort();
    base = `http://127.0.0.1:${port}`;
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${home}/${name};`,
    );
    const config = `
      # The workers write where root does; without root this says nothing.
      user root; daemon off; pid ${home}/pid; error_log ${home}/error.log; events {}
      http {
        access_log off; ${paths.join(" ")}
        proxy_cache_path ${home}/cache keys_zone=slices:1m;
        server {
          listen 127.0.0.1:${port};
          location / {
            slice 1m; proxy_cache slices; proxy_cache_key $uri$slice_range; proxy_cache_valid 206 1h;
            proxy_ignore_headers Cache-Control; proxy_http_version 1.1;
            proxy_set_header Range $slice_range; proxy_pass ${edge.url};
          }
        }
      }`;
    await writeFile(join(home, "nginx.conf"), config);
    nginx = spawn(NGINX, ["-p", home, "-c", join(home, "nginx.conf")], { stdio: "ignore" });
    await until(
      "nginx",
      30_000,
      () =>
        new Promise((resolve) => {
          const socket = connect(port, "127.0.0.1", () => {
            socket.destroy();
            resolve(true);
          });
          socket.on("error", () => resolve(false));
        }),
    );
  });
  afterAll(async () => {
    const ended = once(nginx, "close");
    nginx.kill();
    await ended;
  });

  const get = async ({ id }: Image): Promise<string | null> => {
    const response = await fetch(`${base}/v2/images/${id}/file`, { headers: { "x-auth-token": "demo" } });
    const body = await response.arrayBuffer().catch(() => null);
    if (!response.ok || body === null) return null;
    return createHash("sha512").update(new Uint8Array(body)).digest("hex");
  };

  it("gives the image, and costs the origin one", async () => {
    const image = await origin.createImage({ size: SIZE });
    expect(await get(image)).toBe(image.sha512);
    const seen = await origin.requestsFor(image);
    const data = seen.filter(({ bytes, path }) => path.endsWith("/file") && bytes > MIB / 2);
    expect(data.map(({ bytes }) => bytes)).toEqual([SIZE]);
  });

  it.each([
    ["in its first byte", 0],
    ["in its last byte", SIZE - 1],
  ])("never gives an image whole that is wrong %s", async (_, corruptAt) => {
    const image = await origin.createImage({ size: SIZE });
    await origin.setFaults(image, { corruptAt });
    expect(await get(image)).toBeNull();
    expect(await get(image)).toBeNull();
  });
});
