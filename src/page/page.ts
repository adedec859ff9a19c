/** The page at `/edge/` and its API. What it changes is done by Glance's cache API, with the rights, checks and words of that; but for pins. */
import * as v from "valibot";
import type { Edge } from "../context.ts";
import { pathForOrigin, pathOnly } from "../glance/base-url.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Endpoint } from "../lib/fetch.ts";
import { askManager } from "../manage/rights.ts";
import { act, clear } from "./actions.ts";
import {
  apiError,
  INDEX_AWAY,
  json,
  KEYSTONE_AWAY,
  NO_KEYSTONE,
  NO_SESSION,
  NOTHING,
  notAdministrator,
} from "./answers.ts";
import { answerFile } from "./assets.ts";
import { answerLogin } from "./login.ts";
import { matchPage, type Route } from "./routes.ts";
import { ImagesQuery, TrafficQuery } from "./schemas.ts";
import { readState } from "./state.ts";
import { readTraffic } from "./traffic.ts";

/** D1 takes some ms, with 5,000 images to sort some 10. */
const INDEX_MS = 10_000;

/** @returns undefined for what is none of the page's */
export async function page(edge: Edge, request: Request): Promise<Response | undefined> {
  const match = matchPage(request.method, pathOnly(pathForOrigin(request, edge.settings.publicUrl)));
  if (match === null) return undefined;
  switch (match.kind) {
    case "moved":
      return new Response(null, { status: 308, headers: { location: `${edge.url}/edge/` } });
    case "file":
      return answerFile(edge, request, match.file);
    default:
      break;
  }
  const { keystone } = edge.settings;
  if (keystone === null) return apiError(edge, 503, NO_KEYSTONE);
  const route = match.kind === "api" ? match.route : null;
  if (route?.do === "login") return answerLogin(edge, request, keystone);
  // These ask Keystone themselves.
  if (route?.do === "manage") return act(edge, request, route);
  if (route?.do === "clear") return clear(edge, request);
  const refusal = await refuseStranger(edge, request, keystone);
  if (refusal !== null) return refusal;
  if (match.kind === "method-not-allowed") {
    return apiError(edge, 405, `This takes ${match.allow} only.`, { allow: match.allow });
  }
  if (route?.do === "pin") return answerPin(edge, route.imageId, route.pinned);
  return route === null ? apiError(edge, 404, NOTHING) : answerRead(edge, request, route);
}

async function refuseStranger(edge: Edge, request: Request, keystone: Endpoint): Promise<Response | null> {
  const { adminRoles } = edge.settings;
  const answer = await askManager(request, { keystone, adminRoles }, edge.service);
  switch (answer.kind) {
    case "manager":
      return null;
    case "member":
      return apiError(edge, 403, notAdministrator(adminRoles));
    case "unauthenticated":
      return apiError(edge, 401, NO_SESSION);
    case "unavailable":
      edge.log.error("keystone.unavailable", answer.cause);
      return apiError(edge, 503, KEYSTONE_AWAY);
  }
}

async function answerRead(edge: Edge, request: Request, route: Route): Promise<Response> {
  const query = Object.fromEntries(new URL(request.url).searchParams);
  switch (route.do) {
    case "state":
      return json(edge, await readState(edge));
    case "images":
      return answerQuery(edge, ImagesQuery, query, (asked) => edge.images.part(asked));
    default:
      return answerQuery(edge, TrafficQuery, query, ({ hours }) => readTraffic(edge, Number(hours)));
  }
}

/** Of the edge's own: Glance's cache API knows no pins. */
async function answerPin(edge: Edge, imageId: string, pinned: boolean): Promise<Response> {
  try {
    const isKept = await withDeadline("the index", INDEX_MS, edge.catalog.pin(imageId, pinned));
    return isKept ? json(edge, {}) : apiError(edge, 404, `Image ${imageId} is not stored.`);
  } catch (cause) {
    edge.log.error("catalog.unavailable", cause);
    return apiError(edge, 503, INDEX_AWAY);
  }
}

/** What one question to the index gives, or why there is no answer. */
async function answerQuery<S extends v.GenericSchema>(
  edge: Edge,
  schema: S,
  query: unknown,
  read: (asked: v.InferOutput<S>) => Promise<unknown>,
): Promise<Response> {
  const asked = v.safeParse(schema, query);
  if (!asked.success) {
    const [issue] = asked.issues;
    return apiError(edge, 400, `The query's ${v.getDotPath(issue) ?? "form"} is wrong: ${issue.message}`);
  }
  try {
    return json(edge, await withDeadline("the index", INDEX_MS, read(asked.output)));
  } catch (cause) {
    edge.log.error("catalog.unavailable", cause);
    return apiError(edge, 503, INDEX_AWAY);
  }
}
