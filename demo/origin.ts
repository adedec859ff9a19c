/**
 * The demo origin: a stand-in for a Glance 25.1 and its Keystone that `npm start` puts behind the edge, and that the
 * tests drive through /_demo (control/control.ts). A program of plain node:http, because cut sockets, wrong lengths and
 * slow lines need a real socket.
 *
 * Every path also works below /t/{name}: a private origin of its own, made when it's first used.
 */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { control } from "./control/control.ts";
import { glance } from "./glance/router.ts";
import { type Exchange, replyError } from "./http/exchange.ts";
import { entryFor } from "./http/request-log.ts";
import { HttpError } from "./http/webob-error.ts";
import { keystone } from "./keystone/keystone.ts";
import { Namespace, TemporaryDirectory } from "./namespace.ts";
import { seedImages } from "./seeds.ts";

export interface DemoOriginOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  readonly host?: "127.0.0.1";
  /** Puts two public images there (seeds.ts). */
  readonly seed?: boolean;
  /** What the Keystone catalogue names as the image endpoint, say the edge. Default: this origin. */
  readonly imageEndpoint?: string;
}

export interface DemoOrigin {
  /** Without a trailing slash. */
  readonly url: string;
  readonly port: number;
  /** The URL of a private origin. */
  namespace(name: string): string;
  close(): Promise<void>;
}

export async function startDemoOrigin(options: DemoOriginOptions = {}): Promise<DemoOrigin> {
  const origin = new Origin(options.imageEndpoint ?? null);
  if (options.seed) await seedImages(origin.namespaceOf(""));
  const server = createServer((request, response) => {
    origin.handle(request, response).catch((error: unknown) => {
      console.error("demo origin:", error);
      response.destroy();
    });
  });
  // A proxy that reuses a connection just when the origin closes it sees an error that no test asked for.
  server.keepAliveTimeout = 0;
  // An upload or a slow download may take any time.
  server.requestTimeout = 0;
  await once(server.listen(options.port ?? 0, options.host ?? "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  const url = `http://${address.address}:${address.port}`;
  return {
    url,
    port: address.port,
    namespace: (name) => `${url}/t/${name}`,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      await origin.discard();
    },
  };
}

class Origin {
  readonly #namespaces = new Map<string, Namespace>();
  /** Which namespace a connection's last request was for. */
  readonly #users = new WeakMap<Socket, Namespace>();
  readonly #directory = new TemporaryDirectory();
  readonly #imageEndpoint: string | null;

  constructor(imageEndpoint: string | null) {
    this.#imageEndpoint = imageEndpoint;
  }

  /** @param prefix "" or "/t/NAME" */
  namespaceOf(prefix: string): Namespace {
    const known = this.#namespaces.get(prefix);
    if (known !== undefined) return known;
    const namespace = new Namespace(prefix, this.#imageEndpoint, () => this.#directory.path);
    this.#namespaces.set(prefix, namespace);
    return namespace;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, prefix = "", rest = ""] = /^(\/t\/[\w.~-]+)?(?=[/?]|$)(.*)$/s.exec(request.url ?? "/") ?? [];
    const target = rest.startsWith("/") ? rest : `/${rest}`;
    const [rawPath = "/"] = target.split("?", 1);
    const isControl = /^\/_demo(\/|$)/.test(rawPath);
    const namespace = this.namespaceOf(prefix);
    this.#noteUse(request.socket, namespace);
    if (namespace.down && !isControl) {
      request.socket.destroy();
      return;
    }
    const exchange: Exchange = {
      request,
      response,
      namespace,
      entry: entryFor(request, target),
      method: request.method ?? "",
      path: decode(rawPath),
      query: new URLSearchParams(target.slice(rawPath.length)),
      base: `http://${request.headers.host ?? "127.0.0.1"}${prefix}`,
    };
    if (!isControl) namespace.requests.push(exchange.entry);
    response.on("close", () => {
      if (!response.writableFinished) exchange.entry.aborted = true;
    });
    await this.#answer(exchange, isControl);
  }

  async #answer(exchange: Exchange, isControl: boolean): Promise<void> {
    const { request, response, path } = exchange;
    try {
      if (isControl) await control(exchange, () => this.#drop(exchange.namespace));
      else if (path === "/v3" || path.startsWith("/v3/")) await keystone(exchange);
      else await glance(exchange);
    } catch (error) {
      // A client that left in the middle of its upload has nobody to answer to.
      if (request.destroyed && !request.complete) return;
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
    await namespace.removeImages();
  }

  async discard(): Promise<void> {
    for (const namespace of [...this.#namespaces.values()]) await this.#drop(namespace);
    const directory = await this.#directory.made;
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
