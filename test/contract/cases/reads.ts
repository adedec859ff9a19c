/** What else is asked of an image or of Glance, and the forms of a refusal. */
import {
  ACCEPTS,
  DATA,
  data,
  type Form,
  json,
  NO_ROUTE,
  noImage,
  noMethod,
  outside,
  plain,
  REQUEST_ID,
  refusal,
  unauthorized,
} from "../answers.ts";
import type { Caller, Case, Expected } from "../case.ts";
import { record } from "../record.ts";
import { PROBE } from "./rights.ts";

const FILE = "GET /v2/images/{id}/file";

const NOT_LOOKED_AT: readonly Readonly<Record<string, string>>[] = [
  { "if-match": '"x"' },
  { "if-none-match": "*" },
  { "if-none-match": "c3fcd3d76192e4007dfb496cca67e13b" },
  { "if-modified-since": "Wed, 21 Oct 2037 07:28:00 GMT" },
  { "if-unmodified-since": "Wed, 21 Oct 2015 07:28:00 GMT" },
  { "accept-encoding": "gzip" },
  { accept: "application/json" },
  // No origin is allowed in its configuration.
  { origin: "https://page.test" },
];

/** One refusal of each kind, and who gets it for what. */
const REFUSALS: readonly {
  readonly what: string;
  readonly as: Caller;
  readonly ask: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly answer: (form: Form) => Expected;
}[] = [
  { what: "401", as: "nobody", ask: FILE, answer: unauthorized },
  {
    what: "404",
    as: "other",
    ask: FILE,
    answer: (form) => refusal(404, "No image found with ID {id}", { form }),
  },
  {
    what: "403",
    as: "barred",
    ask: FILE,
    answer: (form) => refusal(403, "You are not authorized to complete download_image action.", { form }),
  },
  { what: "416", as: "demo", ask: FILE, headers: { range: PROBE }, answer: (form) => outside(DATA.length, form) },
  {
    what: "400",
    as: "demo",
    ask: "GET /v2/images?limit=-1",
    answer: (form) => refusal(400, "limit param must be positive", { form }),
  },
  {
    what: "405",
    as: "demo",
    ask: "POST /v2/images/{id}/file",
    answer: (form) => noMethod("POST", "GET, PUT", form),
  },
];

const VERSIONS = {
  versions: [
    ...["v2.15", "v2.13", "v2.12", "v2.11", "v2.10", "v2.9", "v2.8", "v2.7", "v2.6", "v2.5", "v2.4", "v2.3", "v2.2"],
    ...["v2.1", "v2.0"],
  ].map((id, at) => ({
    id,
    status: at === 0 ? "CURRENT" : "SUPPORTED",
    links: [{ rel: "self", href: "{url}/v2/" }],
  })),
};
export const choices = (status: 200 | 300) => plain(status, { "content-type": "application/json" }, { json: VERSIONS });

const listed = (query: string, images: readonly unknown[], more: Readonly<Record<string, unknown>> = {}) =>
  json(200, { images, first: `/v2/images?${query}`, schema: "/v2/schemas/images", ...more });

export const READS: readonly Case[] = [
  ...NOT_LOOKED_AT.map((headers) => ({
    name: `${JSON.stringify(headers)} makes no difference to a download`,
    ask: FILE,
    headers,
    answer: data(DATA),
  })),
  { name: "prefer, which this Glance does not know, makes none either", ask: `${FILE}?prefer=x`, answer: data(DATA) },
  {
    name: "the id that a request has already is its answer's",
    ask: FILE,
    headers: { "x-openstack-request-id": "req-mine" },
    answer: { ...data(DATA), headers: { ...data(DATA).headers, "x-openstack-request-id": "req-mine" } },
  },
  ...REFUSALS.flatMap(({ what, answer, ...asked }) =>
    Object.entries(ACCEPTS).map(([accept, form]) => ({
      ...asked,
      name: `${what} is ${form} to who accepts ${accept}`,
      headers: { ...asked.headers, accept },
      answer: answer(form),
    })),
  ),

  ...(
    [
      ["GET /", 300],
      ["GET /versions", 200],
      ["GET /versions/x", 200],
      ["GET //versions/x", 200],
      ["GET /%76ersions", 200],
      ["GET /versionsx", 300],
      ["GET /images/{id}", 300],
      ["GET /V2/images", 300],
      ["GET /nonsense", 300],
      ["GET /v2.14/images/{id}", 300],
      ["GET /v2.99/images/{id}", 300],
    ] as const
  ).map(([ask, status]): Case => ({ name: `${ask} lists the versions`, as: "nobody", ask, answer: choices(status) })),
  ...["/v2.0", "/v2.9", "/v2.13", "/v2.15", "//v2/"].map((prefix) => ({
    name: `${prefix}/images/{id} is the record`,
    ask: `GET ${prefix}/images/{id}`,
    answer: json(200, record("active")),
  })),
  {
    name: "the version may stand in Accept",
    ask: "GET /images/{id}",
    headers: { accept: "application/vnd.openstack.images-v2.7" },
    answer: json(200, record("active")),
  },
  {
    name: "a version in Accept that there is not lists the versions",
    ask: "GET /images/{id}",
    headers: { accept: "application/vnd.openstack.images-v9" },
    answer: choices(300),
  },
  {
    name: "a version in Accept and one in the path are one too many",
    ask: "GET /v2/images/{id}",
    headers: { accept: "application/vnd.openstack.images-v2" },
    answer: NO_ROUTE,
  },
  { name: "a path is read decoded", ask: "GET /v2%2Fimages/{encoded}/file", answer: data(DATA) },
  { name: "slashes of a path may be doubled", ask: "GET //v2//images//{id}//file", answer: data(DATA) },
  ...["GET /v2/images/{id}/", "GET /v2/images/{id}/file/", "GET /v2/nothing", "GET /v2/", "GET /v2/Images/{id}"].map(
    (ask) => ({ name: `${ask} is no route`, ask, answer: NO_ROUTE }),
  ),
  {
    name: "/v2 is sent to /v2/",
    ask: "GET /v2",
    answer: plain(302, { "content-type": "text/plain; charset=utf8", location: "{url}/v2/", ...REQUEST_ID }, ""),
  },
  { name: "the token is looked at before the route", as: "nobody", ask: "GET /v2/nothing", answer: unauthorized() },
  { name: "an id may be any word", ask: "GET /v2/images/nonsense/file", answer: noImage("nonsense") },
  {
    name: "a semicolon belongs to the id",
    ask: "GET /v2/images/{id};a/file",
    answer: noImage("{id};a"),
  },
  ...(["HEAD", "POST", "PUT"] as const).map((method) => ({
    name: `${method} of a record is not allowed`,
    ask: `${method} /v2/images/{id}`,
    answer: noMethod(method, "GET, PATCH, DELETE"),
  })),
  ...(["HEAD", "PUT"] as const).map((method) => ({
    name: `${method} of the list is not allowed`,
    ask: `${method} /v2/images`,
    answer: noMethod(method, "GET, POST"),
  })),
  ...(["/v2/images/{id}/file", "/v2/images"] as const).map(
    (path): Case => ({
      name: `OPTIONS ${path} is answered before the token is looked at`,
      as: "nobody",
      ask: `OPTIONS ${path}`,
      headers: { origin: "https://page.test", "access-control-request-method": "GET" },
      answer: plain(200, {}, ""),
    }),
  ),
  {
    name: "the health check needs no token",
    as: "nobody",
    ask: "GET /healthcheck",
    answer: plain(200, { "content-type": "text/plain; charset=UTF-8" }, "OK"),
  },

  ...(
    [
      ["active", "demo", true],
      ["active", "admin", true],
      ["active", "other", false],
      ["deactivated", "demo", true],
      ["queued", "demo", true],
      ["deleted", "admin", false],
      ["offered", "other", false],
      ["accepted", "other", true],
      ["community", "other", false],
      ["public", "other", true],
    ] as const
  ).map(
    ([image, as, isListed]): Case => ({
      name: `the list that ${as} gets has ${isListed ? "" : "not "}what is ${image}`,
      image,
      as,
      ask: "GET /v2/images?name={id}",
      answer: listed("name={id}", isListed ? [record(image)] : []),
    }),
  ),
  {
    name: "a page of the list that is full names the next one",
    ask: "GET /v2/images?name={id}&limit=1",
    answer: listed("name={id}&limit=1", [record("active")], { next: "/v2/images?name={id}&limit=1&marker={id}" }),
  },
  {
    name: "the page behind the last image is empty",
    ask: "GET /v2/images?name={id}&limit=1&marker={id}",
    answer: listed("name={id}&limit=1", []),
  },
  {
    name: "the list by the last change has images that were changed since then",
    ask: "GET /v2/images?name={id}&sort_key=updated_at&sort_dir=asc&updated_at=gte%3A1970-01-01T00%3A00%3A00Z&visibility=all",
    answer: listed(
      "name={id}&sort_key=updated_at&sort_dir=asc&updated_at=gte%3A1970-01-01T00%3A00%3A00Z&visibility=all",
      [record("active")],
    ),
  },
  {
    name: "and none that was not",
    ask: "GET /v2/images?name={id}&sort_key=updated_at&sort_dir=asc&updated_at=gte%3A2070-01-01T00%3A00%3A00Z&visibility=all",
    answer: listed(
      "name={id}&sort_key=updated_at&sort_dir=asc&updated_at=gte%3A2070-01-01T00%3A00%3A00Z&visibility=all",
      [],
    ),
  },
  {
    name: "and refuses what is no time",
    ask: "GET /v2/images?updated_at=gte:yesterday",
    answer: refusal(400, 'Bad "updated_at" query filter format. Use ISO 8601 DateTime notation.'),
  },
  {
    name: "a limit that is no number is refused",
    ask: "GET /v2/images?limit=x",
    answer: refusal(400, "limit param must be an integer"),
  },
  {
    name: "a marker that is no image is refused",
    ask: "GET /v2/images?marker=nonsense",
    answer: refusal(400, "No image found with ID nonsense"),
  },
];
