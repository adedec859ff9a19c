/** What the page does: requests to Glance's cache API, and its answers in the form of the page's own. */
import * as v from "valibot";
import type { Edge } from "../context.ts";
import { OriginUnreachable } from "../glance/forward.ts";
import { readText } from "../http/read-text.ts";
import { parseJson } from "../lib/json.ts";
import { manage } from "../manage/manage.ts";
import { apiError, json, NO_SESSION, NOTHING, notAdministrator } from "./answers.ts";
import type { Route } from "./routes.ts";
import { ClearBody } from "./schemas.ts";

type Managing = Extract<Route, { do: "manage" }>;

const MAX_BYTES = 64 * 1024;
const READ_MS = 5_000;

/** @throws OriginUnreachable, BadOriginAnswer */
export async function act(edge: Edge, request: Request, { method, path }: Managing): Promise<Response> {
  return through(edge, new Request(request.url, { method, headers: withoutBody(request) }), path);
}

export async function clear(edge: Edge, request: Request): Promise<Response> {
  const text = await readText(new Response(request.body), "what to clear", MAX_BYTES, READ_MS).catch(() => "");
  const body = v.safeParse(ClearBody, parseJson(text));
  const headers = withoutBody(request);
  // Anything else Glance's API refuses, once it knows who is asking.
  headers.set("x-image-cache-clear-target", body.success ? body.output.what.replace("all", "") : "neither");
  const answer = await through(edge, new Request(request.url, { method: "DELETE", headers }), "/v2/cache");
  return answer.status === 400 ? apiError(edge, 400, `"what" must be cache, queue or all.`) : answer;
}

/** The caller's headers, without those of what this request carries. */
function withoutBody(request: Request): Headers {
  const headers = new Headers(request.headers);
  for (const name of ["content-length", "content-type", "transfer-encoding", "x-image-cache-clear-target"]) {
    headers.delete(name);
  }
  headers.set("accept", "application/json");
  return headers;
}

const Refused = v.object({ message: v.string() });
const Pruning = v.object({ total_files_pruned: v.number(), total_bytes_pruned: v.number() });

async function through(edge: Edge, request: Request, path: string): Promise<Response> {
  let answer: Response | undefined;
  try {
    answer = await manage(edge, request, path);
  } catch (cause) {
    if (cause instanceof OriginUnreachable) {
      edge.log.error("origin.unreachable", cause);
      return apiError(
        edge,
        502,
        "The image service behind this edge can't be reached, so that it can't be asked. Nothing was done.",
      );
    }
    edge.log.error("request.failed", cause);
    const why = `the index (D1) or the image's fill did not answer; the log has the reason under ${edge.requestId}`;
    return apiError(edge, 503, `This may not be done, or in part: ${why}. Try again in a moment.`);
  }
  if (answer === undefined) return apiError(edge, 404, NOTHING);
  const body = parseJson(await readText(answer, "an answer of the edge", MAX_BYTES, READ_MS));
  if (!answer.ok) return apiError(edge, answer.status, said(edge, answer.status, body));
  const pruned = v.safeParse(Pruning, body);
  if (!pruned.success) return json(edge, {});
  const { total_files_pruned, total_bytes_pruned } = pruned.output;
  return json(edge, { files: total_files_pruned, bytes: total_bytes_pruned });
}

/** What the API's refusal says, or better words than its own for who has a page before him. */
function said({ settings }: Edge, status: number, body: unknown): string {
  if (status === 401) return NO_SESSION;
  if (status === 403) return notAdministrator(settings.adminRoles);
  const refused = v.safeParse(Refused, body);
  return refused.success ? (refused.output.message.split("<br />", 1)[0] ?? "") : `The edge answered ${status}.`;
}
