/**
 * The client process: plain sockets read into one buffer each, and the bytes counted. Leaner than an HTTP library, so
 * that it is never the clients that limit a run, and a process of its own, so that their CPU is not workerd's.
 */
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { type Body, Chunked, Fixed } from "./body.ts";
import type { Fetched, Fetches, Reply } from "./messages.ts";

const BUFFER_BYTES = 512 * 1024;
const HEAD_MAX_BYTES = 64 * 1024;
/** Nothing at all for so long is a hang. */
const SILENCE_MS = 120_000;

process.on("message", (message: Fetches) => {
  const before = process.cpuUsage();
  run(message).then(
    (fetched) => {
      const { user, system } = process.cpuUsage(before);
      reply({ ok: true, fetched, cpu: (user + system) / 1e6 });
    },
    (error: unknown) => reply({ ok: false, why: error instanceof Error ? error.message : String(error) }),
  );
});

function reply(message: Reply): void {
  process.send?.(message);
}

async function run(fetches: Fetches): Promise<Fetched[]> {
  const startedAt = performance.now();
  return Promise.all(Array.from({ length: fetches.clients }, () => fetchOnce(fetches, startedAt)));
}

interface Head {
  readonly status: number;
  readonly cacheStatus: string | null;
  readonly body: Body;
}

/** @throws Error when the answer ends before its end */
function fetchOnce({ url, headers, digest }: Fetches, startedAt: number): Promise<Fetched> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const hash = digest ? createHash("sha512") : null;
  return new Promise((resolve, reject) => {
    let start = Buffer.alloc(0);
    let head: Head | null = null;
    let bytes = 0;
    let firstByteMs = 0;
    const onBytes = (piece: Buffer): void => {
      if (bytes === 0) firstByteMs = performance.now() - startedAt;
      bytes += piece.length;
      hash?.update(piece);
    };
    const onData = (chunk: Buffer): void => {
      let rest = chunk;
      if (head === null) {
        start = Buffer.concat([start, chunk]);
        const end = start.indexOf("\r\n\r\n");
        if (end < 0 && start.length < HEAD_MAX_BYTES) return;
        head = parseHead(start.toString("latin1", 0, Math.max(0, end)));
        rest = start.subarray(end + 4);
      }
      if (!head.body.read(rest, onBytes)) return;
      socket.destroy();
      resolve({
        status: head.status,
        cacheStatus: head.cacheStatus,
        bytes,
        firstByteMs,
        doneMs: performance.now() - startedAt,
        sha512: hash?.digest("hex") ?? null,
      });
    };
    const socket = connect({
      host: hostname,
      port: Number(port),
      onread: {
        buffer: Buffer.allocUnsafeSlow(BUFFER_BYTES),
        callback: (length, buffer) => {
          try {
            onData(Buffer.from(buffer.buffer, buffer.byteOffset, length));
          } catch (error) {
            socket.destroy(error instanceof Error ? error : new Error(String(error)));
          }
          return true;
        },
      },
    });
    socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error(`no byte in ${SILENCE_MS / 1000} s`)));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error(`the connection ended after ${bytes} bytes`)));
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n${fields.join("")}\r\n`);
  });
}

function parseHead(text: string): Head {
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? [];
  const [, length] = /^content-length: *(\d+)/im.exec(text) ?? [];
  const chunked = /^transfer-encoding: *chunked *$/im.test(text);
  if (status === undefined || (length === undefined && !chunked))
    throw new Error(`not an answer with an end:\n${text}`);
  const [, cacheStatus] = /^cache-status: *(.*)$/im.exec(text) ?? [];
  const body = chunked ? new Chunked() : new Fixed(Number(length));
  return { status: Number(status), body, cacheStatus: cacheStatus?.trim() ?? null };
}
