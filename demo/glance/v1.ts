/**
 * API v1, as Glance had it up to Queens (glance/api/v1/images.py there): the record in x-image-meta-* headers, no ranges.
 * A real one keeps `location` from its users but not from every admin; it's sent here so that a proxy's hiding can be tested.
 */
import { begin, type Exchange, type Headers, replyEmpty, replyJson } from "../http/exchange.ts";
import { HttpError, methodNotAllowed, notFound } from "../http/webob-error.ts";
import type { Identity } from "../keystone/tokens.ts";
import { expectDownload, findImage, mayChange, maySee } from "./access.ts";
import { DEACTIVATED, faultHeaders, preface, recordHeaders, refusal } from "./data.ts";
import { type Image, recordOf } from "./image.ts";
import { sendData } from "./send.ts";

/** Glance's own bound of one page (api_limit_max). */
const MAX_LISTED = 1000;

export async function v1(exchange: Exchange, identity: Identity): Promise<void> {
  const { method, path } = exchange;
  if (path === "/v1/images" || path === "/v1/images/detail") {
    if (method !== "GET") throw methodNotAllowed(method, "GET");
    return listDetails(exchange, identity);
  }
  const id = /^\/v1\/images\/([^/]+)$/.exec(path)?.[1];
  if (id === undefined) throw notFound();
  if (method !== "GET" && method !== "HEAD" && method !== "DELETE") {
    throw methodNotAllowed(method, "GET, HEAD, DELETE");
  }
  const image = findImage(exchange, identity, id);
  if (method === "GET") return download(exchange, identity, image);
  if (method === "HEAD") return head(exchange, identity, image);
  if (!mayChange(identity, image) || image.fields.protected) throw new HttpError(403);
  await exchange.namespace.removeImage(image);
  replyEmpty(exchange, 200);
}

async function download(exchange: Exchange, identity: Identity, image: Image): Promise<void> {
  await preface(exchange, image);
  // Admins too, other than in v2.
  if (image.status === "deactivated") throw new HttpError(403, DEACTIVATED);
  expectDownload(identity);
  const content = image.content;
  if (content === null) throw notFound();
  await sendData(exchange, {
    image,
    content,
    part: { start: 0, end: content.size },
    status: 200,
    headers: { ...headersOf(image, identity), ...faultHeaders(image) },
    fixedLength: true,
  });
}

function head(exchange: Exchange, identity: Identity, image: Image): void {
  if (image.faults.recordStatus !== undefined) throw refusal(exchange, image.faults.recordStatus);
  const length = { "Content-Length": String(image.content?.size ?? 0) };
  begin(exchange, 200, { ...headersOf(image, identity), ...recordHeaders(exchange, image), ...length });
  exchange.response.end();
}

function headersOf(image: Image, identity: Identity): Headers {
  const meta = detailsOf(image);
  const headers: Record<string, string> = { "Content-Type": "application/octet-stream" };
  for (const [name, value] of Object.entries(meta)) {
    if (value === null || value === undefined) continue;
    headers[`x-image-meta-${name}`] = typeof value === "boolean" ? (value ? "True" : "False") : String(value);
  }
  for (const [name, value] of image.properties) headers[`x-image-meta-property-${name}`] = value;
  if (identity.isAdmin) headers["x-image-meta-location"] = `file:///var/lib/glance/images/${image.id}`;
  if (typeof meta.checksum === "string") headers.ETag = meta.checksum;
  return headers;
}

function detailsOf(image: Image): Readonly<Record<string, unknown>> {
  const record = recordOf(image);
  return {
    id: record.id,
    name: record.name,
    status: record.status,
    is_public: record.visibility === "public",
    owner: record.owner,
    size: record.size,
    checksum: record.checksum,
    disk_format: record.disk_format,
    container_format: record.container_format,
    created_at: isoMicroseconds(image.createdAt),
    updated_at: isoMicroseconds(image.updatedAt),
    deleted: false,
    deleted_at: null,
    min_disk: record.min_disk,
    min_ram: record.min_ram,
    protected: record.protected,
    virtual_size: record.virtual_size,
  };
}

function listDetails(exchange: Exchange, identity: Identity): void {
  const images = [...exchange.namespace.images.values()]
    .filter((image) => image.status !== "deleted" && maySee(identity, image))
    .slice(0, MAX_LISTED);
  const listed = images.map((image) => ({ ...detailsOf(image), properties: Object.fromEntries(image.properties) }));
  replyJson(exchange, 200, { images: listed });
}

function isoMicroseconds(date: Date): string {
  return date.toISOString().replace("Z", "000");
}
