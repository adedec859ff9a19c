/**
 * Glance's cache API, step by step and in Glance's order of checks, which clients can see: who is asking, whether the
 * method exists, whether the image does, whether the policy allows it, and only then what the request itself says.
 */
import type { Edge } from "../context.ts";
import { askRecord } from "../glance/ask-record.ts";
import { glanceError, methodNotAllowed } from "../glance/errors.ts";
import { downloadTarget } from "../glance/target.ts";
import type { Endpoint } from "../lib/fetch.ts";
import { matchOperation, type Operation, type Policy } from "./operations.ts";
import { perform } from "./perform.ts";
import { askManager } from "./rights.ts";

/** Words of keystonemiddleware's refusal (webob/exc.py, HTTPUnauthorized). */
const UNAUTHORIZED =
  "This server could not verify that you are authorized to access the document you requested. Either you supplied the " +
  "wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials required.";

/** A refusal on the way to an operation. */
interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * @param path undecoded, as the origin would see it, without a query
 * @returns undefined for what is no matter of the edge's management: without Keystone nobody can be told from an
 * administrator, so the whole API is the origin's then, which may have a cache of its own
 * @throws OriginUnreachable, BadOriginAnswer
 */
export async function manage(edge: Edge, request: Request, path: string): Promise<Response | undefined> {
  const { keystone } = edge.settings;
  const match = keystone === null ? null : matchOperation(request.method, path);
  if (keystone === null || match === null) return undefined;
  const id = { "x-openstack-request-id": edge.requestId };
  const refuse = ({ status, message, headers }: Refusal) =>
    glanceError(request, status, message, { ...id, ...headers });

  // 1. Who is asking.
  const caller = await identify(edge, request, keystone);
  if (typeof caller === "object") return refuse(caller);

  // 2. What is asked for.
  if (match.kind === "method-not-allowed") return methodNotAllowed(request, match.allow, id);
  const { operation, policy } = match;
  if (operation.do === "list" && hasBody(request)) {
    return refuse({ status: 400, message: "A body is not expected with this request." });
  }

  // 3. About which image: as Glance, before the policy, so that what the caller can't see is not there.
  const image = await lookUp(edge, request, operation, policy);
  if (image.refusal !== null) return refuse(image.refusal);

  // 4. Whether the caller may.
  if (caller !== "manager") return refuse(notPermitted(policy));

  // 5. What the request says, and the doing.
  if (operation.do === "nodes" && image.status === null) return refuse(imageNotFound(operation.imageId));
  if (operation.do === "queue" && image.status !== "active") {
    return refuse({ status: 400, message: "Only images with status active can be targeted for queueing" });
  }
  const target = (request.headers.get("x-image-cache-clear-target") ?? "").trim().toLowerCase();
  if (operation.do === "clear" && target !== "" && target !== "cache" && target !== "queue") {
    return refuse({
      status: 400,
      message: "If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.",
    });
  }
  return perform(edge, request, operation, target);
}

type Caller = "manager" | "member" | Refusal;

async function identify({ settings, service, log }: Edge, request: Request, keystone: Endpoint): Promise<Caller> {
  const { adminRoles } = settings;
  const answer = await askManager(request, { keystone, adminRoles }, service);
  switch (answer.kind) {
    case "manager":
    case "member":
      return answer.kind;
    case "unauthenticated":
      return unauthenticated(keystone);
    case "unavailable":
      log.error("keystone.unavailable", answer.cause);
      return { status: 503, message: "Keystone can't be asked whether this request is allowed. Try again later." };
  }
}

interface ImageLook {
  /** The image's status for this caller; null when it is not there, or no matter of one image. */
  readonly status: string | null;
  readonly refusal: Refusal | null;
}

/** The image that an operation is about, as the caller sees it. */
async function lookUp(edge: Edge, request: Request, operation: Operation, policy: Policy): Promise<ImageLook> {
  if (operation.do !== "queue" && operation.do !== "delete" && operation.do !== "nodes") {
    return { status: null, refusal: null };
  }
  const { imageId } = operation;
  // What is stored or queued can be deleted after the image itself has gone, and while the origin is down.
  if (operation.do === "delete" && (await isHere(edge, imageId))) return { status: null, refusal: null };
  // Any other spelling is no id of Glance's: it compares them as text.
  const target = downloadTarget(`/v2/images/${imageId}/file`);
  const answer =
    target === null ? { kind: "not-found" as const } : await askRecord(target, request.headers, edge.settings);
  switch (answer.kind) {
    case "found":
      return { status: answer.record.status, refusal: null };
    case "not-found":
      // Nodes are listed, or not, after the policy was asked.
      return { status: null, refusal: operation.do === "nodes" ? null : imageNotFound(imageId) };
    case "refused":
      return { status: null, refusal: refusedByOrigin(edge, answer.status, imageId, policy) };
  }
}

/** The origin knows the caller otherwise than Keystone does, or has a failure of its own. */
function refusedByOrigin({ settings, log }: Edge, status: number, imageId: string, policy: Policy): Refusal {
  if (status === 401) return unauthenticated(settings.keystone);
  if (status === 403) return notPermitted(policy);
  log.error("origin.record-refused", new Error(`status ${status}`), { image_id: imageId });
  return { status: 503, message: "The image service can't be asked about this image. Try again later." };
}

async function isHere({ catalog, queue }: Edge, imageId: string): Promise<boolean> {
  return (await catalog.has(imageId)) || (await queue.has(imageId));
}

function unauthenticated(keystone: Endpoint | null): Refusal {
  return {
    status: 401,
    message: UNAUTHORIZED,
    headers: { "www-authenticate": `Keystone uri="${keystone?.url ?? ""}"` },
  };
}

function imageNotFound(imageId: string): Refusal {
  return { status: 404, message: `Image ${imageId} not found.` };
}

function notPermitted(policy: Policy): Refusal {
  return { status: 403, message: `You are not authorized to complete ${policy} action.` };
}

/** Whether the request says that it has a body (RFC 9112 section 6.3). */
function hasBody({ headers, body }: Request): boolean {
  const length = headers.get("content-length");
  return length === null ? headers.has("transfer-encoding") || body !== null : Number(length) > 0;
}
