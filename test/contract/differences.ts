/** Where the demo origin is known to answer otherwise than a Glance of today, and why. */
import { DATA, plain, REQUEST_ID } from "./answers.ts";
import type { Case } from "./case.ts";
import { choices } from "./cases/reads.ts";
import { record } from "./record.ts";

export interface Difference extends Case {
  readonly why: string;
  readonly demo: Case["answer"];
}

const V1 = "API v1, which Glance had up to Queens: the edge serves it, and there is no other Glance here to show it";

const now = record("active");
const v1Headers = {
  ...REQUEST_ID,
  "content-type": "application/octet-stream",
  etag: String(now.checksum),
  "x-image-meta-checksum": String(now.checksum),
  "x-image-meta-container_format": "bare",
  "x-image-meta-created_at": "{time}",
  "x-image-meta-deleted": "False",
  "x-image-meta-disk_format": "raw",
  "x-image-meta-id": "{id}",
  "x-image-meta-is_public": "False",
  "x-image-meta-min_disk": "0",
  "x-image-meta-min_ram": "0",
  "x-image-meta-name": "{id}",
  "x-image-meta-owner": "{demo}",
  "x-image-meta-property-os_distro": "x",
  "x-image-meta-protected": "False",
  "x-image-meta-size": "26",
  "x-image-meta-status": "active",
  "x-image-meta-updated_at": "{time}",
  "x-image-meta-virtual_size": "26",
};

export const DIFFERENCES: readonly Difference[] = [
  {
    name: "GET /v1/images/{id}",
    why: V1,
    ask: "GET /v1/images/{id}",
    answer: choices(300),
    demo: plain(200, v1Headers, DATA),
  },
  {
    name: "HEAD /v1/images/{id}",
    why: V1,
    ask: "HEAD /v1/images/{id}",
    answer: { ...choices(300), headers: { ...choices(300).headers, "content-length": "1592" }, body: "" },
    demo: plain(200, { ...v1Headers, "content-length": "26" }, ""),
  },
];
