/**
 * Three HTTP clients by three authors: what each takes for a whole download and what for a broken one is the judgement
 * that counts. Their defaults are kept; only the headers are ours.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";

interface Outcome {
  /** Null: the client takes the download for a success. Else how it failed. */
  readonly failure: string | null;
  readonly status: number;
  readonly cacheStatus: string;
  readonly contentLength: string;
  /** Of the bytes that came, hex. */
  readonly sha512: string;
}

export interface Client {
  readonly name: string;
  /** How the client reports a body that ends before its Content-Length. */
  readonly brokenBody: RegExp;
  get(url: string, headers: Readonly<Record<string, string>>): Promise<Outcome>;
}

const curl: Client = {
  name: "curl",
  // 18: partial file, 56: reset while receiving (curl(1), EXIT CODES).
  brokenBody: /^exit code (18|56)$/,
  async get(url, headers) {
    const fields = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
    // The body goes to stdout and what is told about it to stderr, as one line.
    const written = "%{stderr}%{http_code}|%header{cache-status}|%header{content-length}";
    const run = await runProgram("curl", ["-s", "-o", "-", "-w", written, ...fields, url]);
    const [status = "", cacheStatus = "", contentLength = ""] = run.told.split("|");
    const failure = run.code === 0 ? null : `exit code ${run.code}`;
    return { failure, status: Number(status), cacheStatus, contentLength, sha512: run.sha512 };
  },
};

/** Reads the whole body as most Python programs do. */
const PYTHON = `
import sys, urllib.request
url, *fields = sys.argv[1:]
request = urllib.request.Request(url, headers=dict(field.split(": ", 1) for field in fields))
with urllib.request.urlopen(request) as response:
    told = [str(response.status), response.headers.get("cache-status", ""), response.headers.get("content-length", "")]
    sys.stderr.write("|".join(told) + "|")
    try:
        sys.stdout.buffer.write(response.read())
    except Exception as failure:
        sys.stderr.write(type(failure).__name__)
`;

const urllib: Client = {
  name: "Python's urllib",
  brokenBody: /^(IncompleteRead|ConnectionResetError)$/,
  async get(url, headers) {
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const run = await runProgram("python3", ["-c", PYTHON, url, ...fields]);
    if (run.code !== 0) throw new Error(`python3 failed: ${run.told}`);
    const [status = "", cacheStatus = "", contentLength = "", failure = ""] = run.told.split("|");
    return {
      failure: failure === "" ? null : failure,
      status: Number(status),
      cacheStatus,
      contentLength,
      sha512: run.sha512,
    };
  },
};

const nodeFetch: Client = {
  name: "Node's fetch",
  brokenBody: /^TypeError: terminated$/,
  async get(url, headers) {
    const response = await fetch(url, { headers });
    const hash = createHash("sha512");
    let failure: string | null = null;
    try {
      for await (const chunk of response.body ?? []) hash.update(chunk);
    } catch (cause) {
      failure = String(cause);
    }
    return {
      failure,
      status: response.status,
      cacheStatus: response.headers.get("cache-status") ?? "",
      contentLength: response.headers.get("content-length") ?? "",
      sha512: hash.digest("hex"),
    };
  },
};

export const CLIENTS: readonly Client[] = [curl, nodeFetch, urllib];

interface Run {
  readonly code: number | null;
  /** What it wrote to stderr. */
  readonly told: string;
  /** Of what it wrote to stdout. */
  readonly sha512: string;
}

async function runProgram(program: string, args: readonly string[]): Promise<Run> {
  // No proxy of the environment's: the clients talk to loopback.
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, no_proxy: "*" } });
  const hash = createHash("sha512");
  child.stdout.on("data", (chunk: Buffer) => hash.update(chunk));
  let told = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, told, sha512: hash.digest("hex") };
}
