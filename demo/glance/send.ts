/**
 * Sends an image's bytes: with back-pressure, at the speed of the line, with the faults that the image has, and no
 * longer than somebody reads them.
 */
import type { ContentReader, ImageContent } from "../content/image-content.ts";
import { Pacer } from "../content/pacer.ts";
import { begin, type Exchange, type Headers, pause } from "../http/exchange.ts";
import type { Image } from "./image.ts";
import type { Part } from "./range.ts";

/** One write at full speed: large enough that the per-write cost vanishes, small enough to hold for 100 downloads. */
const PIECE_BYTES = 256 * 1024;

/** What follows the end of an image that is too long. */
const SURPLUS_BYTE = 0x5a;

export interface Data {
  readonly image: Image;
  /** The image's own may be gone before the download ends. */
  readonly content: ImageContent;
  readonly part: Part;
  readonly status: number;
  readonly headers: Headers;
  /** Content-Length instead of chunks. */
  readonly fixedLength: boolean;
}

/** Resolves when the answer has ended, well or not. */
export async function sendData(exchange: Exchange, data: Data): Promise<void> {
  const reader = await data.content.open();
  const line = exchange.namespace.link;
  line.join();
  try {
    await sendFrom(reader, exchange, data);
  } finally {
    line.leave();
    await reader.close();
  }
}

async function sendFrom(reader: ContentReader, exchange: Exchange, data: Data): Promise<void> {
  const { response } = exchange;
  const { faults } = data.image;
  const { start } = data.part;
  const stop = Math.max(start, endOf(data));
  const length = data.fixedLength ? { "Content-Length": String(stop - start) } : {};
  // A client that gives up on what stalls may use its connection again (workerd does), and wait behind it for ever.
  const once = faults.stallAt === undefined ? {} : { Connection: "close" };
  begin(exchange, data.status, { ...data.headers, ...length, ...once });
  response.flushHeaders();

  const own = new Pacer(faults.rate ?? null);
  const cut = takeCut(data, stop);
  const stall = faults.stallAt ?? Number.POSITIVE_INFINITY;
  for (let position = start; ; ) {
    if (response.closed) return;
    if (position === cut) {
      await flushed(exchange);
      response.destroy();
      return;
    }
    if (position === stall) {
      await closed(exchange);
      return;
    }
    if (position >= stop) break;

    own.rate = data.image.faults.rate ?? own.rate;
    const line = exchange.namespace.link;
    let end = Math.min(stop, position + Math.min(PIECE_BYTES, line.pieceBytes, own.pieceBytes));
    for (const mark of [cut, stall]) if (mark > position && mark < end) end = mark;
    const wait = Math.max(line.book(end - position), own.book(end - position));
    if (wait >= 1) await pause(exchange, wait);
    await write(exchange, await bytesOf(reader, data, position, end));
    position = end;
  }
  response.end();
}

/** Where this answer's bytes end: only an answer that reaches the image's end notices that it's elsewhere. */
function endOf({ image: { faults }, part, content: { size } }: Data): number {
  const end = Math.min(part.end, size - (faults.shortBy ?? 0));
  return part.end === size ? end + (faults.longBy ?? 0) : end;
}

/** The byte at which this download is cut, or infinity. A cut after the last byte shows only where the end is a chunk. */
function takeCut({ image, part, fixedLength }: Data, stop: number): number {
  const { cutAt, cutStep = 0, cutTimes = Number.POSITIVE_INFINITY } = image.faults;
  if (cutAt === undefined || image.cuts === cutTimes) return Number.POSITIVE_INFINITY;
  const at = cutAt + image.cuts * cutStep;
  if (at < part.start || at > stop || (fixedLength && at === stop)) return Number.POSITIVE_INFINITY;
  image.cuts++;
  return at;
}

async function bytesOf(reader: ContentReader, data: Data, from: number, to: number): Promise<Uint8Array> {
  const inside = Math.max(0, Math.min(to, data.content.size) - from);
  const read = inside === 0 ? new Uint8Array() : await reader.read(from, inside);
  const bytes = inside === to - from ? read : Buffer.alloc(to - from, SURPLUS_BYTE);
  if (bytes !== read) bytes.set(read);
  const corrupt = (data.image.faults.corruptAt ?? -1) - from;
  const byte = bytes[corrupt];
  if (byte !== undefined) bytes[corrupt] = byte ^ 1;
  return bytes;
}

/** Resolves when there is room for more, or nobody reads any longer. */
function write(exchange: Exchange, bytes: Uint8Array): Promise<void> {
  const { response, entry } = exchange;
  return new Promise((resolve) => {
    if (response.closed || response.destroyed) return resolve();
    const go = () => {
      response.off("drain", go);
      response.off("close", go);
      resolve();
    };
    const more = response.write(bytes, (error) => {
      if (!error) entry.bytes += bytes.byteLength;
    });
    if (more) return resolve();
    response.once("drain", go);
    response.once("close", go);
  });
}

/** All that was written has left Node, so that a cut comes after the bytes before it. */
function flushed(exchange: Exchange): Promise<void> {
  const socket = exchange.response.socket;
  return new Promise((resolve) => {
    if (socket === null || socket.destroyed) return resolve();
    // Sockets write in order: when this empty piece is through, so is everything before it.
    setImmediate(() => socket.write("", () => resolve()));
  });
}

function closed(exchange: Exchange): Promise<void> {
  const { response } = exchange;
  return new Promise((resolve) => {
    if (response.closed) return resolve();
    response.once("close", resolve);
  });
}
