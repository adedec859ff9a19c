/**
 * A download as its operator sees it: counted, and one line in the log when it has ended. Nothing of it is on the path of a
 * download: a hit's body is the store's own, so its bytes are those that its answer promises.
 */
import type { Edge } from "../context.ts";
import { originErrorOf } from "../glance/origin-error.ts";
import type { ImageTarget } from "../glance/target.ts";
import { toldOutcome } from "../http/cache-status.ts";
import { callerHeaders } from "../http/headers.ts";
import type { Fields } from "../lib/log.ts";
import { findReceiver } from "../notify/find-receiver.ts";
import { statusLabel } from "../store/figures.ts";
import type { Asked } from "./ask.ts";
import { outcomeOf, sourceOf } from "./outcome.ts";

/** OpenStack's form of a request id (oslo_middleware/request_id.py): anything else could be anything, a token too. */
const REQUEST_ID = /^req-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f.]*:[0-9a-f:.]*)$/i;

/** How much of a download's body went out, and when that is known. */
interface Sending {
  readonly sent: () => number;
  /** Never rejects. */
  readonly ended: Promise<unknown>;
}

export class Watch {
  readonly #edge: Edge;
  readonly #request: Request;
  readonly #target: ImageTarget;
  readonly #beganAt: number;
  #asked: Asked | null = null;
  #askedAt = 0;
  #sending: Sending | null = null;

  constructor(edge: Edge, request: Request, target: ImageTarget) {
    this.#edge = edge;
    this.#request = request;
    this.#target = target;
    this.#beganAt = edge.now();
  }

  /** All questions are answered. */
  asked(asked: Asked): void {
    const { meter, now } = this.#edge;
    this.#asked = asked;
    this.#askedAt = now();
    const { originMs, storeMs } = asked.took;
    if (originMs !== null) meter.observe("origin_answer_ms", originMs);
    if (storeMs !== null && asked.copy.kind === "there") meter.observe("store_first_byte_ms", storeMs);
  }

  /** The body is counted on its way. @param ended never rejects */
  sends(sent: () => number, ended: Promise<unknown>): void {
    this.#sending = { sent, ended };
  }

  /** The answer is about to leave. */
  answered(response: Response): Response {
    const { settings, background, now } = this.#edge;
    const firstByteMs = now() - this.#beganAt;
    const sending = this.#sending;
    if (settings.serverTiming) response.headers.append("server-timing", this.#timing(response));
    const promised = this.#request.method === "HEAD" || response.body === null ? 0 : lengthOf(response);
    const done = () =>
      this.#done(response.status, response.headers, firstByteMs, promised, sending?.sent() ?? promised);
    if (sending === null) done();
    else background(sending.ended.then(done));
    return response;
  }

  /** There is no answer but an error of index.ts. */
  failed(cause: unknown): void {
    // A client that left before there was an answer has ended what was asked for it as well.
    if (this.#request.signal.aborted) return;
    const { meter, now } = this.#edge;
    const error = originErrorOf(cause);
    if (error !== null) meter.add("origin_errors", error);
    this.#done(error === null ? 500 : 502, new Headers(), now() - this.#beganAt, 0, 0);
  }

  #done(status: number, headers: Headers, firstByteMs: number, promised: number | null, sent: number | null): void {
    const { meter, requestId, background, log, settings, now } = this.#edge;
    const { method, headers: asking } = this.#request;
    const told = toldOutcome(headers);
    const outcome = outcomeOf(status, told);
    const source = sourceOf(outcome);
    if (method === "GET") {
      meter.add("downloads", outcome);
      if (status >= 400) meter.add("refusals", statusLabel(status));
      if (status >= 500 && told?.kind === "bypass") meter.add("origin_errors", "server-error");
      if (source !== null && sent !== null) meter.add("bytes", source, sent);
    }
    const line = {
      image_id: this.#target.imageId,
      outcome,
      detail: told?.detail ?? null,
      status,
      bytes: sent,
      ...(sent !== null && promised !== null && sent < promised ? { cut: true } : {}),
      origin_ms: this.#asked?.took.originMs ?? null,
      store_ms: this.#asked?.took.storeMs ?? null,
      first_byte_ms: firstByteMs,
      // Of a body that the runtime sends by itself nobody knows the end.
      ...(this.#sending === null ? {} : { ms: now() - this.#beganAt }),
      glance_request_id: matching(this.#glanceId(requestId, headers), REQUEST_ID),
      global_request_id: matching(asking.get("x-openstack-request-id"), REQUEST_ID),
    };
    if (settings.audit) background(this.#audit().then((who) => log.info("download.done", { ...line, ...who })));
    else log.info("download.done", line);
  }

  /** The origin's own: of its answer, if that was passed on, else of that with the record. */
  #glanceId(own: string, headers: Headers): string | null {
    const answered = headers.get("x-openstack-request-id");
    if (answered !== null && answered !== own) return answered;
    const permission = this.#asked?.permission;
    return permission?.kind === "seen" ? permission.answer.headers.get("x-openstack-request-id") : null;
  }

  async #audit(): Promise<Fields> {
    const { settings, service, receivers, log, now } = this.#edge;
    const { headers } = this.#request;
    const token = callerHeaders(headers).get("x-auth-token");
    const tools = { keystone: settings.keystone, service, receivers, log, now };
    const receiver = await findReceiver({ imageId: this.#target.imageId, token }, tools);
    return {
      user_id: receiver?.userId ?? null,
      project_id: receiver?.projectId ?? null,
      // Cloudflare's word for who connected.
      client: matching(headers.get("cf-connecting-ip"), ADDRESS),
    };
  }

  #timing({ headers }: Response): string {
    const { originMs = null, storeMs = null } = this.#asked?.took ?? {};
    const kind = toldOutcome(headers)?.kind;
    const fills = kind === "collapsed" || kind === "miss";
    const fillMs = fills && this.#asked !== null ? this.#edge.now() - this.#askedAt : null;
    return Object.entries({ origin: originMs, store: storeMs, fill: fillMs })
      .flatMap(([name, ms]) => (ms === null ? [] : [`${name};dur=${ms}`]))
      .join(", ");
  }
}

/** Bytes that an answer promises; null where it does not say. */
function lengthOf({ headers }: Response): number | null {
  const length = headers.get("content-length");
  return length !== null && /^\d+$/.test(length) ? Number(length) : null;
}

function matching(value: string | null, form: RegExp): string | null {
  return value !== null && form.test(value) ? value : null;
}
