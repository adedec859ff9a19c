/** Real clients at the site, as child processes. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { inject } from "vitest";
import { PASSWORD, projectOf, REGION } from "../../openstack/lib/keystone.ts";

export interface Download {
  /** 0: curl took it for whole. */
  readonly exit: number;
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly bytes: number;
  readonly sha512: string;
  /** The first of the body. */
  readonly start: string;
}

const KEPT_BYTES = 4096;
const END_OF_HEAD = Buffer.from("\r\n\r\n");

/** One request by curl. */
export async function curl(url: string, token: string | null, ...args: string[]): Promise<Download> {
  const auth = token === null ? [] : ["--header", `X-Auth-Token: ${token}`];
  const child = spawn("curl", ["--silent", "--include", "--path-as-is", "--max-time", "300", ...auth, ...args, url], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const exited = once(child, "exit");
  const hash = createHash("sha512");
  let head = "";
  let early = Buffer.alloc(0);
  let bytes = 0;
  let start = Buffer.alloc(0);
  for await (let chunk of child.stdout as AsyncIterable<Buffer>) {
    if (head === "") {
      early = Buffer.concat([early, chunk]);
      const end = early.indexOf(END_OF_HEAD);
      if (end < 0) continue;
      head = early.subarray(0, end).toString("latin1");
      chunk = early.subarray(end + END_OF_HEAD.length);
    }
    hash.update(chunk);
    bytes += chunk.length;
    if (start.length < KEPT_BYTES) start = Buffer.concat([start, chunk.subarray(0, KEPT_BYTES)]);
  }
  const [exit] = await exited;
  const [first = "", ...lines] = head.split("\r\n");
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const status = Number(first.split(" ")[1] ?? 0);
  return { exit: exit ?? -1, status, headers, bytes, sha512: hash.digest("hex"), start: start.toString("latin1") };
}

/** The OpenStack or the Glance client; it finds the image endpoint in Keystone's catalogue. @throws Error when it fails */
export async function openstack(program: "openstack" | "glance", home: string, ...args: string[]): Promise<string> {
  const child = spawn(program, args, {
    env: {
      // The system's own Python programs, whatever other Python comes first in PATH.
      PATH: `/usr/bin:/bin:${process.env.PATH ?? ""}`,
      HOME: home,
      LC_ALL: "C.UTF-8",
      OS_AUTH_URL: inject("cloud").keystoneUrl,
      OS_IDENTITY_API_VERSION: "3",
      OS_REGION_NAME: REGION,
      OS_USERNAME: "demo",
      OS_PASSWORD: PASSWORD,
      OS_PROJECT_NAME: projectOf("demo"),
      OS_USER_DOMAIN_ID: "default",
      OS_PROJECT_DOMAIN_ID: "default",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} failed (code ${code}): ${stderr}`);
  return stdout;
}
