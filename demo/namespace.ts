/** A private origin: its images, tokens, log and line. Tests that run side by side each have one. */
import { mkdtemp } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pacer } from "./content/pacer.ts";
import { Receiver } from "./control/notifications.ts";
import type { Image } from "./glance/image.ts";
import type { RequestEntry } from "./http/request-log.ts";
import type { KeystoneFaults } from "./keystone/faults.ts";
import { Tokens } from "./keystone/tokens.ts";

export class Namespace {
  /** What all paths of the namespace begin with: "" or "/t/NAME". */
  readonly prefix: string;
  /** What the Keystone catalogue names as Glance; null: this origin itself. */
  readonly imageEndpoint: string | null;
  readonly images = new Map<string, Image>();
  readonly tokens = new Tokens();
  /** What goes wrong with its Keystone. */
  keystoneFaults: KeystoneFaults = {};
  readonly requests: RequestEntry[] = [];
  readonly receiver = new Receiver();
  /** The line that all its downloads share. */
  readonly link = new Pacer(null);
  /** Every connection is cut, now and until the line is up again. */
  down = false;
  readonly #sockets = new Set<Socket>();
  readonly #uploads: () => Promise<string>;

  /** @param uploads the directory for uploaded data */
  constructor(prefix: string, imageEndpoint: string | null, uploads: () => Promise<string>) {
    this.prefix = prefix;
    this.imageEndpoint = imageEndpoint;
    this.#uploads = uploads;
  }

  /** Notes that this connection's last request was for this namespace. */
  addSocket(socket: Socket): void {
    this.#sockets.add(socket);
  }

  removeSocket(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  /** Cuts every connection but the one that asks for it. */
  cut(spared: Socket): void {
    for (const socket of this.#sockets) if (socket !== spared) socket.destroy();
  }

  /** A path for one more uploaded file. */
  async uploadPath(): Promise<string> {
    return join(await this.#uploads(), crypto.randomUUID());
  }

  async removeImage(image: Image): Promise<void> {
    this.images.delete(image.id);
    const content = image.content;
    image.content = null;
    await content?.discard();
  }

  async removeImages(): Promise<void> {
    for (const image of [...this.images.values()]) await this.removeImage(image);
  }
}

/** A directory that is made when it's first asked for. */
export class TemporaryDirectory {
  #path: Promise<string> | null = null;

  get path(): Promise<string> {
    this.#path ??= mkdtemp(join(tmpdir(), "demo-origin-"));
    return this.#path;
  }

  get made(): Promise<string> | null {
    return this.#path;
  }
}
