/** An image as the origin keeps it, and its record as API v2 shows it (glance/api/v2/images.py, ResponseSerializer). */
import type { ImageContent } from "../content/image-content.ts";
import type { Faults } from "../control/faults.ts";
import { HttpError } from "../http/webob-error.ts";
import { MAX_RECORD_BYTES } from "../limits.ts";

export type Visibility = "public" | "private" | "shared" | "community";
export type MemberStatus = "pending" | "accepted" | "rejected";

export const VISIBILITIES: readonly Visibility[] = ["public", "private", "shared", "community"];
export const MEMBER_STATUSES: readonly MemberStatus[] = ["pending", "accepted", "rejected"];

export interface Member {
  readonly memberId: string;
  status: MemberStatus;
  readonly createdAt: Date;
  updatedAt: Date;
}

/** The record's fields that a user may set. */
export interface ImageFields {
  name: string | null;
  visibility: Visibility;
  disk_format: string | null;
  container_format: string | null;
  min_disk: number;
  min_ram: number;
  protected: boolean;
  os_hidden: boolean;
  tags: string[];
}

export interface Image {
  readonly id: string;
  readonly owner: string;
  readonly fields: ImageFields;
  readonly properties: Map<string, string>;
  readonly members: Map<string, Member>;
  readonly createdAt: Date;
  updatedAt: Date;
  status: string;
  /** Null until there is data. */
  content: ImageContent | null;
  checksum: string | null;
  hash: { readonly algorithm: string; readonly value: string } | null;
  /** Record fields that a test wants told otherwise. */
  readonly overrides: Readonly<Record<string, unknown>>;
  faults: Faults;
  /** Downloads that were cut by these faults' `cutAt`. */
  cuts: number;
}

export function newImage(
  id: string,
  owner: string,
  fields: Partial<ImageFields>,
  overrides: Readonly<Record<string, unknown>> = {},
): Image {
  const now = new Date();
  return {
    id,
    owner,
    fields: {
      name: null,
      // Glance's default since 2.5.
      visibility: "shared",
      disk_format: null,
      container_format: null,
      min_disk: 0,
      min_ram: 0,
      protected: false,
      os_hidden: false,
      tags: [],
      ...fields,
    },
    properties: new Map(),
    members: new Map(),
    createdAt: now,
    updatedAt: now,
    status: "queued",
    content: null,
    checksum: null,
    hash: null,
    overrides,
    faults: {},
    cuts: 0,
  };
}

/** The one store there is, as records and new images name it. */
export const STORE = "local";

export type ImageRecord = Readonly<Record<string, unknown>>;

/** @param admin whether an admin asks */
export function recordOf(image: Image, admin = false): ImageRecord {
  return {
    ...Object.fromEntries(image.properties),
    name: image.fields.name,
    disk_format: image.fields.disk_format,
    container_format: image.fields.container_format,
    visibility: image.fields.visibility,
    size: image.content?.size ?? null,
    // What Glance's format inspector found in the upload; it found nothing in an empty one.
    virtual_size: image.fields.disk_format === "raw" ? image.content?.size || null : null,
    status: image.status,
    checksum: image.checksum,
    protected: image.fields.protected,
    min_ram: image.fields.min_ram,
    min_disk: image.fields.min_disk,
    owner: image.owner,
    os_hidden: image.fields.os_hidden,
    os_hash_algo: image.hash?.algorithm ?? null,
    os_hash_value: image.hash?.value ?? null,
    id: image.id,
    created_at: isoSeconds(image.createdAt),
    updated_at: isoSeconds(image.updatedAt),
    tags: image.fields.tags,
    self: `/v2/images/${image.id}`,
    file: `/v2/images/${image.id}/file`,
    schema: "/v2/schemas/image",
    // Where it is, is kept from who may not download it (glance/location.py).
    ...(image.content !== null && (admin || image.status !== "deactivated") ? { stores: STORE } : {}),
    ...image.overrides,
  };
}

/** @param changes what will be put into it. @throws HttpError 413 when the record would take more than a record may */
export function expectSmall(image: Image, changes: unknown): void {
  if (JSON.stringify([recordOf(image), changes]).length > MAX_RECORD_BYTES) {
    throw new HttpError(413, `The image's record would be larger than ${MAX_RECORD_BYTES} bytes.`);
  }
}

/** The MD5 that the image's headers tell: the record's, so that an override shows in both. */
export function checksumOf(image: Image): string | null {
  const checksum = recordOf(image).checksum;
  return typeof checksum === "string" && checksum !== "" ? checksum : null;
}

/** As oslo's timeutils.isotime: no fraction. */
export function isoSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
