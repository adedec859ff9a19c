/**
 * The receiver of notifications that an operator would have: takes what the edge's queue consumer posts, or refuses it as a
 * test wants, and shows all that came.
 */
import { type Exchange, headerOf, pause, readJson, replyEmpty, replyJson } from "../http/exchange.ts";
import { methodNotAllowed } from "../http/webob-error.ts";
import { MAX_DELIVERIES } from "../limits.ts";
import { onlyFields, readDelay, readFields, readHeaders, readStatus, readText, readWhole } from "./body.ts";

export interface Delivery {
  /** What it was answered with. */
  readonly status: number;
  readonly contentType: string | null;
  readonly authorization: string | null;
  readonly body: unknown;
  /** Ms since the epoch. */
  readonly at: number;
}

/** How deliveries are answered. */
export interface Reception {
  readonly status: number;
  /** How many of the next ones; those after them are taken. */
  times: number;
  /** Before each answer. */
  readonly delayMs: number;
  /** Only those that have this text in them; all others are taken. */
  readonly containing: string;
  /** On each of these answers. */
  readonly headers: Readonly<Record<string, string>>;
}

export class Receiver {
  readonly deliveries: Delivery[] = [];
  reception: Reception = TAKES_ALL;
}

const TAKES_ALL: Reception = { status: 204, times: 0, delayMs: 0, containing: "", headers: {} };

export async function notifications(exchange: Exchange): Promise<void> {
  const { receiver } = exchange.namespace;
  switch (exchange.method) {
    case "GET":
      return replyJson(exchange, 200, receiver.deliveries);
    case "POST":
      return receive(exchange, receiver);
    case "PUT":
      receiver.reception = readReception(await readJson(exchange));
      return replyEmpty(exchange, 204);
    case "DELETE":
      receiver.deliveries.length = 0;
      return replyEmpty(exchange, 204);
    default:
      throw methodNotAllowed(exchange.method, "GET, POST, PUT, DELETE");
  }
}

async function receive(exchange: Exchange, receiver: Receiver): Promise<void> {
  const body = await readJson(exchange);
  const { reception } = receiver;
  const chosen = reception.times > 0 && JSON.stringify(body).includes(reception.containing);
  if (chosen) reception.times--;
  const status = chosen ? reception.status : TAKES_ALL.status;
  if (receiver.deliveries.length >= MAX_DELIVERIES) receiver.deliveries.shift();
  receiver.deliveries.push({
    status,
    contentType: headerOf(exchange.request, "content-type"),
    authorization: headerOf(exchange.request, "authorization"),
    body,
    at: Date.now(),
  });
  if (chosen) await pause(exchange, reception.delayMs);
  const location = status >= 300 && status < 400 ? { Location: `${exchange.base}/_demo/requests` } : {};
  replyEmpty(exchange, status, { ...location, ...(chosen ? reception.headers : {}) });
}

function readReception(value: unknown): Reception {
  const body = readFields(value);
  onlyFields(body, ["status", "times", "delayMs", "containing", "headers"]);
  return {
    status: readStatus(body.status ?? TAKES_ALL.status, "status"),
    times: body.times === undefined ? Number.POSITIVE_INFINITY : readWhole(body.times, "times"),
    delayMs: readDelay(body.delayMs ?? 0, "delayMs"),
    containing: readText(body.containing ?? "", "containing"),
    headers: readHeaders(body.headers ?? {}, "headers"),
  };
}
