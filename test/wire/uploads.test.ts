/** Uploads go through the edge as they come, however large: it never holds more of them than a moment's worth. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { virtualBytes } from "../../demo/content/virtual-bytes.ts";
import { ask, HandmadeOrigin, valuesOf } from "./raw.ts";
import { useEdge } from "./support.ts";

const MIB = 2 ** 20;
/** `npm run test:load` has one of 2 GiB. */
const LARGE_BYTES = 300 * MIB;
/** What workerd may grow by while an upload passes: its heap breathes, but no tenth of the upload fits. */
const GROWTH_BYTES = 30 * MIB;

const origin = new HandmadeOrigin();
const edge = useEdge(() => origin.start());

/** The origin's side of an upload. */
interface Received {
  bytes: number;
  sha256: string;
}

/** @param pauseMs how long the origin looks away before it reads on, after the first MiB */
function receive(pauseMs: number): Received {
  const received: Received = { bytes: 0, sha256: "" };
  origin.answer = async (request, response) => {
    const hash = createHash("sha256");
    let paused = false;
    for await (const chunk of request) {
      hash.update(chunk);
      received.bytes += chunk.length;
      if (!paused && received.bytes > MIB) {
        paused = true;
        await sleep(pauseMs);
      }
    }
    received.sha256 = hash.digest("hex");
    response.writeHead(204).end();
  };
  return received;
}

async function* bytes(size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += MIB) yield virtualBytes(1, at, Math.min(MIB, size - at));
}

async function digestOf(size: number): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of bytes(size)) hash.update(chunk);
  return hash.digest("hex");
}

const DATA = { "content-type": "application/octet-stream", "x-auth-token": "demo" };

it.each([
  { framing: "chunked", headers: {}, sent: ["transfer-encoding", "chunked"] },
  {
    framing: "with a Content-Length",
    headers: { "content-length": String(3 * MIB + 7) },
    sent: ["content-length", String(3 * MIB + 7)],
  },
] as const)("an upload that is sent $framing arrives whole and is sent on so", async ({ headers, sent }) => {
  const size = 3 * MIB + 7;
  const received = receive(0);
  const url = `${edge.process.url}/v2/images/${crypto.randomUUID()}/file`;
  const answer = await ask(url, { method: "PUT", headers: { ...DATA, ...headers }, body: bytes(size) });
  expect(answer.status).toBe(204);
  expect(received).toEqual({ bytes: size, sha256: await digestOf(size) });
  expect(valuesOf(origin.fields, sent[0])).toEqual([sent[1]]);
});

it(`an upload of ${LARGE_BYTES / MIB} MiB leaves workerd's memory flat, also while the origin does not read`, async () => {
  const received = receive(1000);
  const url = `${edge.process.url}/v2/images/${crypto.randomUUID()}/file`;
  const before = await residentBytes(edge.process.pid);
  let peak = before;
  let running = true;
  const watching = (async () => {
    for (; running; await sleep(20)) peak = Math.max(peak, await residentBytes(edge.process.pid));
  })();
  const answer = await ask(url, { method: "PUT", headers: DATA, body: bytes(LARGE_BYTES) });
  running = false;
  await watching;
  const after = await residentBytes(edge.process.pid);
  expect(answer.status).toBe(204);
  expect(received).toEqual({ bytes: LARGE_BYTES, sha256: await digestOf(LARGE_BYTES) });
  console.log(
    `workerd before, peak, after: ${[before, peak, after].map((n) => `${Math.round(n / MIB)} MiB`).join(", ")}`,
  );
  expect(peak - before).toBeLessThan(GROWTH_BYTES);
});

/** Resident memory of a process (proc(5), VmRSS). */
async function residentBytes(pid: number): Promise<number> {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kib === undefined) throw new Error("no VmRSS: the process has ended");
  return Number(kib) * 1024;
}
