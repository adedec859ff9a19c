/** GET and PUT of /v2/images/{id}/file (glance/api/v2/image_data.py). */
import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { FileContent } from "../content/image-content.ts";
import { bodyOf, type Exchange, headerOf, pause, replyEmpty } from "../http/exchange.ts";
import { HttpError, unsupported } from "../http/webob-error.ts";
import type { Identity } from "../keystone/tokens.ts";
import { authenticationRequired, expectDownload, findImage, mayChange } from "./access.ts";
import { checksumOf, type Image } from "./image.ts";
import { refusePart, requestedPart } from "./range.ts";
import { sendData } from "./send.ts";

export const DEACTIVATED = "The requested image has been deactivated. Image data download is forbidden.";

export async function download(exchange: Exchange, identity: Identity, id: string): Promise<void> {
  const image = findImage(exchange, identity, id);
  await preface(exchange, image);
  if (image.status === "deactivated" && !identity.isAdmin) throw new HttpError(403, DEACTIVATED);
  expectDownload(identity);
  const { faults } = image;
  const content = image.content;
  const size = content?.size ?? null;
  const part = faults.ignoreRange ? null : requestedPart(exchange.entry.range, exchange.entry.contentRange, size);
  if (content === null || size === null) return replyEmptyData(exchange);
  // Only now is the store opened.
  if (part !== null && !(faults.randomAccess ?? exchange.namespace.shared.randomAccess)) refusePart(part);
  const checksum = checksumOf(image);
  await sendData(exchange, {
    image,
    content,
    part: part ?? { start: 0, end: size },
    status: part === null ? 200 : 206,
    headers: {
      "Content-Type": "application/octet-stream",
      ...(checksum === null ? {} : { "Content-Md5": checksum }),
      ...(part === null ? {} : { "Content-Range": `bytes ${part.start}-${part.end - 1}/${size}` }),
      ...faultHeaders(image),
    },
    fixedLength: part !== null || faults.chunked !== true,
  });
}

/** What a test wants to happen before the data. @throws HttpError the fault's status */
export async function preface(exchange: Exchange, image: Image): Promise<void> {
  const { delayMs, status } = image.faults;
  if (delayMs !== undefined) await pause(exchange, delayMs);
  if (status !== undefined) throw refusal(exchange, status);
}

/** The answer that a test asked for with a status. */
export function refusal(exchange: Exchange, status: number): HttpError {
  return status === 401 ? authenticationRequired(exchange) : new HttpError(status);
}

export function faultHeaders(image: Image): Record<string, string> {
  const { contentEncoding, extraHeaders } = image.faults;
  return { ...(contentEncoding === undefined ? {} : { "Content-Encoding": contentEncoding }), ...extraHeaders };
}

/** What a test wants on the record's answer, such as what the CORS filter adds (oslo_middleware/cors.py). */
export function recordHeaders({ request }: Exchange, image: Image): Record<string, string> {
  const { origin } = request.headers;
  const headers = Object.entries(image.faults.recordHeaders ?? {});
  return Object.fromEntries(
    headers
      .filter(([, value]) => origin !== undefined || !value.includes("{origin}"))
      .map(([name, value]) => [name, value.replaceAll("{origin}", origin ?? "")]),
  );
}

/** Glance's 204 has a length but no type. */
function replyEmptyData(exchange: Exchange): void {
  exchange.entry.status = 204;
  exchange.response.writeHead(204, { "Content-Length": "0" }).end();
}

export async function upload(exchange: Exchange, identity: Identity, id: string): Promise<void> {
  const { request, namespace } = exchange;
  const type = request.headers["content-type"]?.split(";")[0]?.trim() ?? "";
  if (type !== "application/octet-stream") throw unsupported(type);
  const image = findImage(exchange, identity, id);
  if (!mayChange(identity, image)) throw new HttpError(403, `Not allowed to upload image data for image ${id}`);
  if (image.status !== "queued") {
    throw new HttpError(409, `Image status transition from ${image.status} to saving is not allowed`);
  }
  const { room } = namespace.shared;
  room.expectBytes(Number(headerOf(request, "content-length") ?? 0));
  image.status = "saving";
  const path = await namespace.uploadPath();
  let size = 0;
  try {
    const md5 = createHash("md5");
    const sha512 = createHash("sha512");
    const file = await open(path, "w");
    try {
      for await (const chunk of bodyOf(exchange)) {
        room.takeBytes(chunk.length);
        size += chunk.length;
        md5.update(chunk);
        sha512.update(chunk);
        await file.writeFile(chunk);
      }
    } finally {
      await file.close();
    }
    if (namespace.images.get(id) !== image) {
      throw new HttpError(
        410,
        `Image ${id} could not be found after upload. It may have been deleted during the upload.`,
      );
    }
    image.content = new FileContent(path, size, () => room.giveBytes(size));
    image.checksum = md5.digest("hex");
    image.hash = { algorithm: "sha512", value: sha512.digest("hex") };
  } catch (error) {
    // As Glance: an upload that broke off may be tried again.
    image.status = "queued";
    await rm(path, { force: true });
    room.giveBytes(size);
    throw error;
  }
  image.status = "active";
  image.updatedAt = new Date();
  replyEmpty(exchange, 204);
}
