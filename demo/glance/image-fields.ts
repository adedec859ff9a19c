/** Setting a field of an image's record, with Glance's rules for what may be set to what (glance/api/v2/images.py). */
import { HttpError } from "../http/webob-error.ts";
import type { Identity } from "../keystone/tokens.ts";
import { type Image, VISIBILITIES } from "./image.ts";

const READ_ONLY = new Set([
  ...["checksum", "created_at", "direct_url", "file", "id", "os_hash_algo", "os_hash_value", "schema", "self", "size"],
  ...["status", "stores", "updated_at", "virtual_size"],
]);

/** Fields of the schema itself: they can be changed but not removed. */
const BASE = new Set([
  ...["name", "visibility", "disk_format", "container_format", "min_disk", "min_ram", "protected", "os_hidden", "tags"],
  "owner",
]);

/** Glance's defaults (container_formats and disk_formats in glance/common/config.py). */
const FORMATS: Readonly<Record<"disk_format" | "container_format", readonly string[]>> = {
  disk_format: ["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"],
  container_format: ["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"],
};

export function isBaseField(name: string): boolean {
  return BASE.has(name);
}

/** @throws HttpError 403 for a field that nobody may set, 400 for a value that does not fit */
export function expectWritable(name: string): void {
  if (READ_ONLY.has(name)) throw new HttpError(403, `Attribute '${name}' is read-only.`);
  if (name === "locations") {
    throw new HttpError(403, "It's not allowed to add locations if locations are invisible.");
  }
}

/** @throws HttpError as {@link expectWritable} */
export function setField(image: Image, identity: Identity, name: string, value: unknown): void {
  expectWritable(name);
  const { fields } = image;
  switch (name) {
    case "name":
      if (value !== null && typeof value !== "string") throw unfit(name);
      fields.name = value;
      return;
    case "disk_format":
    case "container_format":
      if (value !== null && (typeof value !== "string" || !FORMATS[name].includes(value))) {
        const known = FORMATS[name].map((one) => `'${one}'`).join(", ");
        throw new HttpError(400, `${UNFIT}: '${String(value)}' is not one of [None, ${known}]`);
      }
      fields[name] = value;
      return;
    case "min_disk":
    case "min_ram":
      if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw unfit(name);
      fields[name] = value;
      return;
    case "protected":
    case "os_hidden":
      if (typeof value !== "boolean") throw unfit(name);
      fields[name] = value;
      return;
    case "tags":
      if (!Array.isArray(value) || !value.every((tag) => typeof tag === "string")) throw unfit(name);
      fields.tags = [...new Set(value)];
      return;
    case "visibility": {
      const visibility = VISIBILITIES.find((one) => one === value);
      if (visibility === undefined) throw unfit(name);
      if (visibility === "public" && !identity.isAdmin) {
        throw new HttpError(403, "You are not authorized to complete publicize_image action.");
      }
      fields.visibility = visibility;
      return;
    }
    case "owner":
      throw new HttpError(403, "You are not permitted to create images owned by another project.");
    default:
      if (typeof value !== "string") throw unfit(name);
      image.properties.set(name, value);
  }
}

const UNFIT = "Provided object does not match schema 'image'";

function unfit(name: string): HttpError {
  return new HttpError(400, `${UNFIT}: the value of ${name} is not valid`);
}
