/**
 * The demo origin: a stand-in for a Glance 25.1 and its Keystone that `npm start` puts behind the edge. A program of plain
 * node:http, because cut sockets, wrong lengths and slow lines need a real socket. Its control (control/control.ts), by which
 * tests drive it, has a port of its own: whoever reaches the edge reaches all of the other one.
 *
 * Every path also works below /t/{name}: a private origin of its own, made when it's first used.
 */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { control } from "./control/control.ts";
import { glance } from "./glance/router.ts";
import { type Exchange, headerOf, replyError } from "./http/exchange.ts";
import { entryFor, RequestLog } from "./http/request-log.ts";
import { HttpError, notFound } from "./http/webob-error.ts";
import { keystone } from "./keystone/keystone.ts";
import { MAX_NAMESPACES, Room } from "./limits.ts";
import { Namespace, type Shared, TemporaryDirectory } from "./namespace.ts";
import { seedImages } from "./seeds.ts";

export interface DemoOriginOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  /** The control's; default 0: any free one. */
  readonly controlPort?: number;
  /** Puts two public images there (seeds.ts). */
  readonly seed?: boolean;
  /** What the Keystone catalogue names as the image endpoint, say the edge. Default: this origin. */
  readonly imageEndpoint?: string;
  /** False: the store can't read from the middle of an image, as that of most Glances (Ceph, S3, Swift, VMware, HTTP). */
  readonly randomAccess?: boolean;
  /** Private origins, which all stay until they are dropped. Default: limits.ts. */
  readonly maxNamespaces?: number;
  /** Room for uploaded data. Default: limits.ts. */
  readonly maxUploadedBytes?: number;
}

export interface DemoOrigin {
  /** Without a trailing slash. */
  readonly url: string;
  /** Of the control, without /_demo. */
  readonly controlUrl: string;
  close(): Promise<void>;
}

/** Default ports of the programs that run it: none that OpenStack's services, or their neighbours, have for their own. */
export const ORIGIN_PORT = 19_292;
export const CONTROL_PORT = 19_293;

/** Never another one: its control is for this machine alone, and the edge stands before the rest. */
const HOST = "127.0.0.1";

export async function startDemoOrigin(options: DemoOriginOptions = {}): Promise<DemoOrigin> {
  const origin = new Origin({
    imageEndpoint: options.imageEndpoint ?? null,
    randomAccess: options.randomAccess ?? true,
    room: new Room(options.maxUploadedBytes),
    log: new RequestLog(),
    directory: new TemporaryDirectory(),
    maxNamespaces: options.maxNamespaces ?? MAX_NAMESPACES,
  });
  if (options.seed) await seedImages(origin.namespaceOf(""));
  const controls = await listen(options.controlPort ?? 0, (request, response) => origin.control(request, response));
  const serves = await listen(options.port ?? 0, (request, response) => origin.serve(request, response)).catch(
    async (error: unknown) => {
      await end(controls);
      throw error;
    },
  );
  return {
    url: urlOf(serves),
    controlUrl: urlOf(controls),
    close: async () => {
      await Promise.all([end(serves), end(controls)]);
      await origin.discard();
    },
  };
}

async function listen(
  port: number,
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<Server> {
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      console.error("demo origin:", error);
      response.destroy();
    });
  });
  // A proxy that reuses a connection just when the origin closes it sees an error that no test asked for.
  server.keepAliveTimeout = 0;
  // An upload or a slow download may take any time.
  server.requestTimeout = 0;
  await once(server.listen(port, HOST), "listening");
  return server;
}

async function end(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  return `http://${address.address}:${address.port}`;
}

class Origin {
  readonly #namespaces = new Map<string, Namespace>();
  /** Which namespace a connection's last request was for. */
  readonly #users = new WeakMap<Socket, Namespace>();
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /** @param prefix "" or "/t/NAME". @throws HttpError 503 when there are too many */
  namespaceOf(prefix: string): Namespace {
    const known = this.#namespaces.get(prefix);
    if (known !== undefined) return known;
    if (this.#namespaces.size >= this.#shared.maxNamespaces)
      throw new HttpError(503, "There are too many private origins.");
    const namespace = new Namespace(prefix, this.#shared);
    this.#namespaces.set(prefix, namespace);
    return namespace;
  }

  /** Answers as Glance and Keystone. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = this.#exchange(request, response);
    if (exchange === null) return;
    const { namespace, path } = exchange;
    this.#noteUse(request.socket, namespace);
    if (namespace.down) {
      request.socket.destroy();
      return;
    }
    this.#shared.log.add(namespace.prefix, exchange.entry);
    await this.#answer(exchange, () =>
      path === "/v3" || path.startsWith("/v3/") ? keystone(exchange) : glance(exchange),
    );
  }

  /** Does what a test wants. */
  async control(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = this.#exchange(request, response);
    if (exchange === null) return;
    await this.#answer(exchange, () => {
      // A web page can have a name of its own lead here (DNS rebinding), but not send another Host than that name.
      if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? "")) throw new HttpError(403);
      if (!/^\/_demo(\/|$)/.test(exchange.path)) throw notFound();
      return control(exchange, () => this.#drop(exchange.namespace));
    });
  }

  /** @returns null when it was refused, since it would be for one private origin too many */
  #exchange(request: IncomingMessage, response: ServerResponse): Exchange | null {
    const [, prefix = "", rest = ""] = /^(\/t\/[\w.~-]+)?(?=[/?]|$)(.*)$/s.exec(request.url ?? "/") ?? [];
    const target = rest.startsWith("/") ? rest : `/${rest}`;
    const [rawPath = "/"] = target.split("?", 1);
    let namespace: Namespace;
    try {
      namespace = this.namespaceOf(prefix);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      response.writeHead(error.status, { "Content-Type": "text/plain; charset=UTF-8" }).end(error.message);
      return null;
    }
    const gone = new AbortController();
    const exchange: Exchange = {
      request,
      response,
      namespace,
      entry: entryFor(request, target),
      token: headerOf(request, "x-auth-token"),
      gone: gone.signal,
      method: request.method ?? "",
      path: decode(rawPath),
      query: new URLSearchParams(target.slice(rawPath.length)),
      base: `http://${request.headers.host ?? HOST}${prefix}`,
    };
    response.on("close", () => {
      if (response.writableFinished) return;
      exchange.entry.aborted = true;
      gone.abort();
    });
    return exchange;
  }

  async #answer(exchange: Exchange, handle: () => void | Promise<void>): Promise<void> {
    const { request, response, path } = exchange;
    try {
      await handle();
    } catch (error) {
      // A client that left, in the middle of its upload or before its answer, has nobody to answer to.
      if ((request.destroyed && !request.complete) || (exchange.gone.aborted && error === exchange.gone.reason)) return;
      if (!(error instanceof HttpError)) console.error(`demo origin: ${exchange.method} ${path}:`, error);
      if (response.headersSent) response.destroy();
      else replyError(exchange, error instanceof HttpError ? error : new HttpError(500));
    }
  }

  #noteUse(socket: Socket, namespace: Namespace): void {
    const before = this.#users.get(socket);
    if (before === namespace) return;
    if (before === undefined) socket.once("close", () => this.#users.get(socket)?.removeSocket(socket));
    before?.removeSocket(socket);
    namespace.addSocket(socket);
    this.#users.set(socket, namespace);
  }

  async #drop(namespace: Namespace): Promise<void> {
    this.#namespaces.delete(namespace.prefix);
    this.#shared.log.forget(namespace.prefix);
    await namespace.removeImages();
  }

  async discard(): Promise<void> {
    for (const namespace of [...this.#namespaces.values()]) await this.#drop(namespace);
    const directory = await this.#shared.directory.made;
    if (directory !== null) await rm(directory, { recursive: true, force: true });
  }
}

/** Paths reach a WSGI application decoded. */
function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // A bad escape stays as it is and matches no route.
    return path;
  }
}
