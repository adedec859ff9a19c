/** One large upload passes through: it arrives whole, and workerd's memory stays flat, also while the origin does not read. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { virtualBytes } from "../../demo/content/virtual-bytes.ts";
import { startEdge } from "../support/node/edge-process.ts";
import { Counts } from "./counts.ts";
import { watchMemory } from "./memory.ts";
import type { Options, Outcome } from "./report.ts";

const MIB = 2 ** 20;
/** The origin looks away for so long behind each quarter: what is on its way then must wait at the client. */
const PAUSE_MS = 2_000;

export async function upload({ uploadBytes, note }: Options): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), "glance-edge-load-"));
  let received = "";
  const origin = createServer(async (incoming, answer) => {
    const hash = createHash("sha256");
    let [bytes, pauses] = [0, 0];
    for await (const piece of incoming as AsyncIterable<Buffer>) {
      hash.update(piece);
      bytes += piece.length;
      if (bytes <= (uploadBytes / 4) * (pauses + 1)) continue;
      pauses++;
      await sleep(PAUSE_MS);
    }
    received = hash.digest("hex");
    answer.writeHead(204).end();
  });
  origin.requestTimeout = 0;
  await once(origin.listen(0, "127.0.0.1"), "listening");
  const address = origin.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  const edge = await startEdge({
    persist: directory,
    inspected: true,
    vars: { ORIGIN_URL: `http://127.0.0.1:${address.port}` },
  });
  try {
    const counts = new Counts();
    const work = send(`${edge.url}/v2/images/${crypto.randomUUID()}/file`, uploadBytes).then(({ status, sent }) => {
      if (status !== 204) counts.fault("upload", `status ${status}`);
      if (sent !== received) counts.fault("upload", `other bytes arrived: ${received}, not ${sent}`);
      counts.count("upload");
    });
    return { counts, memory: await watchMemory(edge, work, note), wrong: [] };
  } finally {
    await edge.stop();
    origin.closeAllConnections();
    origin.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** @returns `sent`: SHA-256 of what was sent, hex */
async function send(url: string, bytes: number): Promise<{ readonly status: number; readonly sent: string }> {
  const headers = { "content-type": "application/octet-stream", "x-auth-token": "demo" };
  const outgoing = request(url, { method: "PUT", headers, agent: false });
  const answered = once(outgoing, "response");
  const hash = createHash("sha256");
  for (let at = 0; at < bytes; at += MIB) {
    const piece = virtualBytes(1, at, Math.min(MIB, bytes - at));
    hash.update(piece);
    if (!outgoing.write(piece)) await once(outgoing, "drain");
  }
  outgoing.end();
  const [incoming] = await answered;
  incoming.resume();
  return { status: incoming.statusCode ?? 0, sent: hash.digest("hex") };
}
