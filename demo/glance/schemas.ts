/** GET /v2/schemas/image and /v2/schemas/member: the records' fields, as much of them as glanceclient looks at. */
import { type Exchange, replyJson } from "../http/exchange.ts";

const TEXT = { type: ["null", "string"] };
const NUMBER = { type: "integer" };
const FLAG = { type: "boolean" };

export function imageSchema(exchange: Exchange): void {
  replyJson(exchange, 200, {
    name: "image",
    properties: {
      id: { type: "string" },
      name: TEXT,
      status: { type: "string", readOnly: true },
      visibility: { type: "string", enum: ["community", "public", "private", "shared"] },
      protected: FLAG,
      os_hidden: FLAG,
      checksum: { ...TEXT, readOnly: true },
      os_hash_algo: { ...TEXT, readOnly: true },
      os_hash_value: { ...TEXT, readOnly: true },
      owner: TEXT,
      size: { type: ["null", "integer"], readOnly: true },
      virtual_size: { type: ["null", "integer"], readOnly: true },
      container_format: TEXT,
      disk_format: TEXT,
      created_at: { type: "string", readOnly: true },
      updated_at: { type: "string", readOnly: true },
      tags: { type: "array", items: { type: "string" } },
      min_ram: NUMBER,
      min_disk: NUMBER,
      self: { type: "string", readOnly: true },
      file: { type: "string", readOnly: true },
      schema: { type: "string", readOnly: true },
    },
    additionalProperties: { type: "string" },
    links: [
      { rel: "self", href: "{self}" },
      { rel: "enclosure", href: "{file}" },
      { rel: "describedby", href: "{schema}" },
    ],
  });
}

export function memberSchema(exchange: Exchange): void {
  replyJson(exchange, 200, {
    name: "member",
    properties: {
      member_id: { type: "string" },
      image_id: { type: "string" },
      status: { type: "string", enum: ["pending", "accepted", "rejected"] },
      created_at: { type: "string" },
      updated_at: { type: "string" },
      schema: { type: "string", readOnly: true },
    },
  });
}
