/** PATCH /v2/images/{id}: JSON patch in Glance's form, one level deep (RFC 6902; glance/api/v2/images.py). */
import { type Exchange, readJson, replyJson } from "../http/exchange.ts";
import { HttpError, unsupported } from "../http/webob-error.ts";
import type { Identity } from "../keystone/tokens.ts";
import { expectOwner, findImage } from "./access.ts";
import { expectSmall, type Image, recordOf } from "./image.ts";
import { expectWritable, isBaseField, setField } from "./image-fields.ts";

const TYPES = ["application/openstack-images-v2.0-json-patch", "application/openstack-images-v2.1-json-patch"];

interface Change {
  readonly op: "add" | "replace" | "remove";
  readonly name: string;
  readonly value: unknown;
}

export async function update(exchange: Exchange, identity: Identity, id: string): Promise<void> {
  const type = exchange.request.headers["content-type"]?.split(";")[0]?.trim() ?? "";
  if (!TYPES.includes(type)) throw unsupported(type, { "Accept-Patch": TYPES.join(", ") });
  const body = await readJson(exchange);
  if (!Array.isArray(body)) throw new HttpError(400, "Request body must be a JSON array of operation objects.");
  const changes = body.map(readChange);
  const image = findImage(exchange, identity, id);
  expectOwner(identity, image);
  expectSmall(image, changes);
  for (const change of changes) apply(image, identity, change);
  if (changes.length > 0) image.updatedAt = new Date();
  replyJson(exchange, 200, recordOf(image, identity.isAdmin));
}

function readChange(raw: unknown): Change {
  if (typeof raw !== "object" || raw === null) throw new HttpError(400, "Operations must be JSON objects.");
  const { op, path, value } = raw as Readonly<Record<string, unknown>>;
  if (op !== "add" && op !== "replace" && op !== "remove") {
    throw new HttpError(400, "Operations must be one of: add, remove, replace.");
  }
  const name = typeof path === "string" ? /^\/([^/]+)$/.exec(path)?.[1] : undefined;
  if (name === undefined) throw new HttpError(400, `Invalid JSON pointer for this resource: '${String(path)}'`);
  // RFC 6901 section 4: ~1 first, so that "~01" becomes "~1".
  return { op, name: name.replaceAll("~1", "/").replaceAll("~0", "~"), value };
}

function apply(image: Image, identity: Identity, { op, name, value }: Change): void {
  const isProperty = !isBaseField(name);
  if (isProperty && op !== "add" && !image.properties.has(name)) {
    expectWritable(name);
    throw new HttpError(409, undefined, { detail: `Property ${name} does not exist.` });
  }
  if (op !== "remove") setField(image, identity, name, value);
  else if (isProperty) image.properties.delete(name);
  else throw new HttpError(403, `Property ${name} may not be removed.`);
}
