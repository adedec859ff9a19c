/**
 * What a test can make go wrong: with one image, or with the Keystone. Positions count bytes from the image's beginning,
 * also in a range.
 */
import type { KeystoneFaults } from "../keystone/faults.ts";
import { MAX_IMAGE_BYTES } from "../limits.ts";
import {
  type Fields,
  onlyFields,
  optional,
  readBoolean,
  readDelay,
  readHeaders,
  readOneOf,
  readStatus,
  readText,
  readWhole,
} from "./body.ts";

export interface Faults {
  /** One bit of this byte is flipped. */
  readonly corruptAt?: number;
  /** The image ends this many bytes early, as if that were its end. */
  readonly shortBy?: number;
  /** This many bytes follow the image's end. */
  readonly longBy?: number;
  /** The connection is cut when all bytes before this one are sent. */
  readonly cutAt?: number;
  /** So many downloads are cut; without it all are. */
  readonly cutTimes?: number;
  /** Each cut comes so many bytes behind the one before it. */
  readonly cutStep?: number;
  /** Nothing is sent from this byte on, but the connection stays open. */
  readonly stallAt?: number;
  /** A ranged request gets 200 and the whole image. */
  readonly ignoreRange?: boolean;
  /** Chunks, as from a Glance that fills a cache of its own, instead of a Content-Length with the bytes really sent. */
  readonly chunked?: boolean;
  /** Bytes per second of each download. A new rate holds for those under way as well, which keep all other faults. */
  readonly rate?: number;
  /** Instead of the data. */
  readonly status?: number;
  /** Instead of the record (v2 GET, v1 HEAD). */
  readonly recordStatus?: number;
  /** A Content-Encoding header; the bytes stay what they are. */
  readonly contentEncoding?: string;
  /** On the answer with the record (v2 GET, v1 HEAD). `{origin}` is the request's Origin; without one the field is left out. */
  readonly recordHeaders?: Readonly<Record<string, string>>;
  /** On the answer with the data. */
  readonly extraHeaders?: Readonly<Record<string, string>>;
  /** Before the data's headers. */
  readonly delayMs?: number;
  /** False: the image is in a store that can't read from the middle (Ceph, S3, Swift, VMware, HTTP). */
  readonly randomAccess?: boolean;
}

/** @throws HttpError 400 that names the wrong field */
export function readFaults(body: Fields): Faults {
  onlyFields(body, [
    ...["corruptAt", "shortBy", "longBy", "cutAt", "cutTimes", "cutStep", "stallAt", "ignoreRange", "chunked", "rate"],
    ...["status", "recordStatus", "contentEncoding", "extraHeaders", "recordHeaders", "delayMs", "randomAccess"],
  ]);
  return {
    ...optional(body, "corruptAt", readWhole),
    ...optional(body, "shortBy", readWhole),
    ...optional(body, "longBy", (value, name) => readWhole(value, name, 0, MAX_IMAGE_BYTES)),
    ...optional(body, "cutAt", readWhole),
    ...optional(body, "cutTimes", readWhole),
    ...optional(body, "cutStep", readWhole),
    ...optional(body, "stallAt", readWhole),
    ...optional(body, "ignoreRange", readBoolean),
    ...optional(body, "chunked", readBoolean),
    ...optional(body, "rate", (value, name) => readWhole(value, name, 1)),
    ...optional(body, "status", readStatus),
    ...optional(body, "recordStatus", readStatus),
    ...optional(body, "contentEncoding", readText),
    ...optional(body, "extraHeaders", readHeaders),
    ...optional(body, "recordHeaders", readHeaders),
    ...optional(body, "delayMs", readDelay),
    ...optional(body, "randomAccess", readBoolean),
  };
}

/** @throws HttpError 400 that names the wrong field */
export function readKeystoneFaults(body: Fields): KeystoneFaults {
  onlyFields(body, ["lifetimeSeconds", "noSelfValidation", "status", "page", "padding", "headers", "hangAt"]);
  return {
    ...optional(body, "lifetimeSeconds", (value, name) => readWhole(value, name, 1)),
    ...optional(body, "noSelfValidation", readBoolean),
    ...optional(body, "status", readStatus),
    ...optional(body, "page", readText),
    ...optional(body, "padding", readWhole),
    ...optional(body, "headers", readHeaders),
    ...optional(body, "hangAt", (value, name) => readOneOf(value, name, ["headers", "body"])),
  };
}
