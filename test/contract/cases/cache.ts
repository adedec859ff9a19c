/** The cache API of a Glance whose own cache is off, as it is behind the edge. */
import { NO_ROUTE, noMethod, notAuthorized, refusal } from "../answers.ts";
import type { Case } from "../case.ts";

const NO_CACHE = refusal(404, "Caching via API is not supported at this site.");

export const CACHE: readonly Case[] = [
  { name: "an admin has no cache to list", as: "admin", ask: "GET /v2/cache", answer: NO_CACHE },
  { name: "an admin can queue nothing", as: "admin", ask: "PUT /v2/cache/{id}", answer: NO_CACHE },
  { name: "an admin can take nothing out", as: "admin", ask: "DELETE /v2/cache/{id}", answer: NO_CACHE },
  { name: "an admin can clear nothing", as: "admin", ask: "DELETE /v2/cache", answer: NO_CACHE },
  { name: "the cache is not for its users to list", ask: "GET /v2/cache", answer: notAuthorized("cache_list") },
  { name: "the cache is not for its users to fill", ask: "PUT /v2/cache/{id}", answer: notAuthorized("cache_image") },
  { name: "nor to take from", ask: "DELETE /v2/cache/{id}", answer: notAuthorized("cache_delete") },
  { name: "nor to clear", ask: "DELETE /v2/cache", answer: notAuthorized("cache_delete") },
  {
    name: "what is queued must be seen",
    as: "other",
    ask: "PUT /v2/cache/{id}",
    answer: refusal(404, "Image {id} not found."),
  },
  {
    name: "taking out what is unknown fails",
    as: "admin",
    image: "unknown",
    ask: "DELETE /v2/cache/{id}",
    answer: refusal(500, "The server has either erred or is incapable of performing the requested operation."),
  },
  { name: "POST to the cache", as: "admin", ask: "POST /v2/cache", answer: noMethod("POST", "GET, DELETE") },
  {
    name: "clean came later",
    as: "admin",
    ask: "POST /v2/cache/clean",
    answer: noMethod("POST", "DELETE, PUT"),
  },
  { name: "nodes came later", as: "admin", ask: "GET /v2/cache/nodes/{id}", answer: NO_ROUTE },
  ...["GET /v2/cached_images", "PUT /v2/queued_images/{id}"].map(
    (ask): Case => ({ name: `${ask} is no route`, as: "admin", ask, answer: NO_ROUTE }),
  ),
];
