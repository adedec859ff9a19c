/** What changes an image, and what may not. */
import {
  DATA,
  data,
  json,
  NO_DEACTIVATED,
  NOT_YOURS,
  NOTHING,
  noImage,
  notAuthorized,
  refusal,
  unauthorized,
} from "../answers.ts";
import type { Case, Expected, Step } from "../case.ts";
import { record } from "../record.ts";

const IMAGE = "/v2/images/{id}";
const PATCH_TYPES = "application/openstack-images-v2.0-json-patch, application/openstack-images-v2.1-json-patch";
const JSON_TYPE = { "content-type": "application/json" };
const OCTETS = { "content-type": "application/octet-stream" };

const patch = (...changes: unknown[]) => ({
  ask: `PATCH ${IMAGE}`,
  headers: { "content-type": "application/openstack-images-v2.1-json-patch" },
  body: JSON.stringify(changes),
});
const set = (path: string, value: unknown) => patch({ op: "replace", path, value });
const show = (answer: Expected): Step => ({ ask: `GET ${IMAGE}`, answer });
const download = (answer: Expected): Step => ({ ask: `GET ${IMAGE}/file`, answer });
const unsupported = (type: string, headers: Readonly<Record<string, string>> = {}) =>
  refusal(415, `The request media type ${type} is not supported by this server. `, { headers });
const made = {
  id: "{uuid}",
  name: "x",
  owner: "{demo}",
  self: "/v2/images/{uuid}",
  file: "/v2/images/{uuid}/file",
  visibility: "shared",
};
const { os_distro: _, ...queued } = record("queued", made);

export const CHANGES: readonly Case[] = [
  {
    name: "its owner changes a record",
    ...set("/name", "y"),
    answer: json(200, record("active", { name: "y" })),
    after: [show(json(200, record("active", { name: "y" })))],
  },
  {
    name: "properties come and go",
    ...patch({ op: "add", path: "/colour", value: "red" }, { op: "replace", path: "/os_distro", value: "z" }),
    answer: json(200, record("active", { colour: "red", os_distro: "z" })),
  },
  { name: "another project can't change what it does not see", as: "other", ...set("/name", "y"), answer: noImage() },
  { name: "nor what it sees", image: "public", as: "other", ...set("/name", "y"), answer: NOT_YOURS },
  {
    name: "only an admin makes an image public",
    ...set("/visibility", "public"),
    answer: notAuthorized("publicize_image"),
  },
  ...["size", "status", "checksum", "os_hash_value"].map((name) => ({
    name: `nobody changes ${name}`,
    ...set(`/${name}`, "1"),
    answer: refusal(403, `Attribute '${name}' is read-only.`),
  })),
  {
    name: "what a record has not is not replaced",
    ...set("/none", "x"),
    answer: refusal(409, "There was a conflict when trying to complete your request.", {
      detail: "Property none does not exist.",
    }),
  },
  {
    name: "a patch is a list",
    ...patch(),
    body: "{}",
    answer: refusal(400, "Request body must be a JSON array of operation objects."),
  },
  {
    name: "a patch has a type of its own",
    ...patch(),
    headers: JSON_TYPE,
    answer: unsupported("application/json", { "accept-patch": PATCH_TYPES }),
  },

  {
    name: "an upload makes an image active, once",
    image: "queued",
    ask: `PUT ${IMAGE}/file`,
    headers: OCTETS,
    body: DATA,
    answer: NOTHING,
    after: [
      show(json(200, record("active"))),
      download(data(DATA)),
      {
        ask: `PUT ${IMAGE}/file`,
        headers: OCTETS,
        body: "x",
        answer: refusal(409, "Image status transition from active to saving is not allowed"),
      },
    ],
  },
  {
    name: "another project can't upload",
    image: "queued",
    as: "other",
    ask: `PUT ${IMAGE}/file`,
    headers: OCTETS,
    body: "x",
    answer: noImage(),
    after: [show(json(200, record("queued")))],
  },
  {
    name: "nor to what it sees",
    image: "public",
    as: "other",
    ask: `PUT ${IMAGE}/file`,
    headers: OCTETS,
    body: "x",
    answer: refusal(403, "Not allowed to upload image data for image {id}"),
  },
  {
    name: "data has one type",
    image: "queued",
    ask: `PUT ${IMAGE}/file`,
    headers: { "content-type": "text/plain" },
    body: "x",
    answer: unsupported("text/plain"),
  },
  {
    name: "an upload without a token is refused",
    image: "queued",
    as: "nobody",
    ask: `PUT ${IMAGE}/file`,
    headers: OCTETS,
    body: "x",
    answer: unauthorized(),
  },

  {
    name: "its owner deletes an image, and it is gone for all",
    ask: `DELETE ${IMAGE}`,
    answer: NOTHING,
    after: [show(noImage()), download(noImage()), { as: "admin", ask: `GET ${IMAGE}/file`, answer: noImage() }],
  },
  {
    name: "an admin deletes any image",
    as: "admin",
    ask: `DELETE ${IMAGE}`,
    answer: NOTHING,
  },
  {
    name: "another project can't delete what it does not see",
    as: "other",
    ask: `DELETE ${IMAGE}`,
    answer: refusal(404, "Failed to find image {id} to delete"),
    after: [download(data(DATA))],
  },
  { name: "nor delete what it sees", image: "public", as: "other", ask: `DELETE ${IMAGE}`, answer: NOT_YOURS },
  {
    name: "a protected image is not deleted",
    image: "protected",
    ask: `DELETE ${IMAGE}`,
    answer: refusal(403, "Image {id} is protected and cannot be deleted."),
  },
  {
    name: "what is deleted is not deleted again",
    image: "deleted",
    ask: `DELETE ${IMAGE}`,
    answer: refusal(404, "Failed to find image {id} to delete"),
  },

  {
    name: "an image is deactivated and reactivated",
    ask: `POST ${IMAGE}/actions/deactivate`,
    answer: NOTHING,
    after: [
      show(json(200, record("deactivated"))),
      download(NO_DEACTIVATED),
      { ask: `POST ${IMAGE}/actions/reactivate`, answer: NOTHING },
      download(data(DATA)),
    ],
  },
  {
    name: "another project can't deactivate",
    as: "other",
    image: "public",
    ask: `POST ${IMAGE}/actions/deactivate`,
    answer: NOT_YOURS,
  },
  {
    name: "an image without data is not deactivated",
    image: "queued",
    ask: `POST ${IMAGE}/actions/deactivate`,
    answer: refusal(403, "Not allowed to deactivate image in status 'queued'"),
  },

  {
    name: "a new image is queued, and shared by default",
    ask: "POST /v2/images",
    headers: JSON_TYPE,
    body: '{"name":"x","disk_format":"raw","container_format":"bare"}',
    answer: json(201, queued, {
      location: "{url}/v2/images/{uuid}",
      "openstack-image-import-methods": "glance-direct,web-download,copy-image",
    }),
  },
  {
    name: "an id is there once",
    ask: "POST /v2/images",
    headers: JSON_TYPE,
    body: '{"id":"{id}"}',
    answer: refusal(409, "Image ID {id} already exists!"),
  },
  {
    name: "what is no JSON makes no image",
    ask: "POST /v2/images",
    headers: JSON_TYPE,
    body: "{no",
    answer: refusal(400, "Malformed JSON in request body."),
  },
  {
    name: "no format but those it knows",
    ask: "POST /v2/images",
    headers: JSON_TYPE,
    body: '{"disk_format":"none such"}',
    answer: {
      ...refusal(400, ""),
      body: {
        begins: `400 Bad Request\n\nProvided object does not match schema 'image': 'none such' is not one of [None, 'ami'`,
      },
    },
  },
];
