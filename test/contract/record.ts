/** The record of an image in a state (images.ts). */
import { DATA, digestOf, LARGE_DATA } from "./answers.ts";
import type { State } from "./case.ts";
import { visibilityOf } from "./images.ts";

export function record(state: State, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  const bytes = state === "queued" ? null : state === "large" ? LARGE_DATA : state === "empty" ? "" : DATA;
  const status = state === "queued" || state === "deactivated" ? state : "active";
  return {
    id: "{id}",
    name: "{id}",
    owner: state === "public" ? "{admin}" : "{demo}",
    status,
    visibility: visibilityOf(state),
    protected: state === "protected",
    size: bytes?.length ?? null,
    // What was found in the data, if there is any.
    virtual_size: bytes?.length || null,
    checksum: bytes === null ? null : digestOf("md5", bytes),
    os_hash_algo: bytes === null ? null : "sha512",
    os_hash_value: bytes === null ? null : digestOf("sha512", bytes),
    disk_format: "raw",
    container_format: "bare",
    min_disk: 0,
    min_ram: 0,
    os_hidden: false,
    tags: [],
    os_distro: "x",
    created_at: "{time}",
    updated_at: "{time}",
    self: "/v2/images/{id}",
    file: "/v2/images/{id}/file",
    schema: "/v2/schemas/image",
    ...(status === "active" ? { stores: "local" } : {}),
    ...more,
  };
}
