/** The real clients, run as child processes: curl, the OpenStack client and the Glance client. */
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { PASSWORD, projectOf, REGION } from "../lib/keystone.ts";
import { EDGE, KEYSTONE, WORK_DIR } from "./addresses.ts";
import type { User } from "./cloud.ts";

const run = promisify(execFile);

export interface CurlOptions {
  readonly method?: string;
  readonly token?: string;
  /** As `Name: value`. */
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
}

export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** In the order of the wire, names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

/** The first field of this name. */
export function field(headers: Answer["headers"], name: string): string | undefined {
  return headers.find(([key]) => key === name)?.[1];
}

/** One request with the path exactly as written. @throws Error when curl fails, as on a body that is cut short */
export async function curl(url: string, options: CurlOptions = {}): Promise<Answer> {
  const directory = await mkdtemp(join(WORK_DIR, "curl-"));
  try {
    const args = [...curlArgs(url, options), "--dump-header", join(directory, "head")];
    if (options.body !== undefined) {
      await writeFile(join(directory, "sent"), options.body);
      args.push("--data-binary", `@${join(directory, "sent")}`);
    }
    await run("curl", [...args, "--output", join(directory, "body")]);
    // With --head curl writes the head there. Without any body it writes no file.
    const written = join(directory, "body");
    const body = options.method === "HEAD" || !existsSync(written) ? Buffer.alloc(0) : await readFile(written);
    return { ...parseHead(await readFile(join(directory, "head"), "latin1")), body };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Like {@link curl} for a body of any size: only its digest and length are kept. */
export async function curlDigest(
  url: string,
  options: CurlOptions,
): Promise<Omit<Answer, "body"> & { readonly sha512: string; readonly bytes: number }> {
  const directory = await mkdtemp(join(WORK_DIR, "curl-"));
  try {
    const head = join(directory, "head");
    const child = spawn("curl", [...curlArgs(url, options), "--dump-header", head], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    const hash = createHash("sha512");
    let bytes = 0;
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    const [code] = await exited;
    if (code !== 0) throw new Error(`curl ${url} failed (code ${code}) after ${bytes} bytes`);
    return { ...parseHead(await readFile(head, "latin1")), sha512: hash.digest("hex"), bytes };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Starts a download and kills curl once it has got so many bytes. @returns how many it had */
export async function curlKilled(url: string, options: CurlOptions, after: number): Promise<number> {
  const child = spawn("curl", curlArgs(url, options), { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  let bytes = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes >= after) break;
  }
  child.kill("SIGKILL");
  await exited;
  return bytes;
}

function curlArgs(url: string, options: CurlOptions): string[] {
  const method = options.method ?? "GET";
  const args = ["--silent", "--show-error", "--path-as-is", "--globoff", "--max-time", "600"];
  args.push(...(method === "HEAD" ? ["--head"] : ["--request", method]));
  if (options.token !== undefined) args.push("--header", `X-Auth-Token: ${options.token}`);
  for (const header of options.headers ?? []) args.push("--header", header);
  return [...args, url];
}

/** The last block of curl's header dump; those before it are interim answers such as 100 Continue. */
function parseHead(dump: string): Omit<Answer, "body"> {
  const [statusLine = "", ...lines] = dump.trimEnd().split("\r\n\r\n").at(-1)?.split("\r\n") ?? [];
  const [, status = "0", ...reason] = statusLine.split(" ");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return { status: Number(status), reason: reason.join(" "), headers };
}

/** The OpenStack client. It finds the image endpoint in Keystone's catalogue, which names the edge. */
export async function openstack(user: User, ...args: string[]): Promise<string> {
  return succeeded(await runAs(user, "openstack", args));
}

/** The Glance client, told its endpoint. */
export async function glance(user: User, ...args: string[]): Promise<string> {
  return succeeded(await glanceSaid(user, ...args));
}

/** How a client ended. */
export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Like {@link glance}, for what it prints besides its result: some refusals leave its exit code 0. */
export function glanceSaid(user: User, ...args: string[]): Promise<Said> {
  return runAs(user, "glance", ["--os-image-url", EDGE, ...args]);
}

/** @throws Error with stderr when the client failed */
function succeeded({ code, stdout, stderr }: Said): string {
  if (code !== 0) throw new Error(`the client failed (code ${code}): ${stderr}`);
  return stdout;
}

async function runAs(user: User, program: string, args: string[]): Promise<Said> {
  const child = spawn(program, args, {
    env: {
      // The system's own Python programs, whatever other Python comes first in PATH.
      PATH: `/usr/bin:/bin:${process.env.PATH ?? ""}`,
      HOME: WORK_DIR,
      LC_ALL: "C.UTF-8",
      OS_AUTH_URL: KEYSTONE,
      OS_IDENTITY_API_VERSION: "3",
      OS_REGION_NAME: REGION,
      OS_USERNAME: user,
      OS_PASSWORD: PASSWORD,
      OS_PROJECT_NAME: projectOf(user),
      OS_USER_DOMAIN_ID: "default",
      OS_PROJECT_DOMAIN_ID: "default",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { code: code ?? -1, stdout, stderr };
}
