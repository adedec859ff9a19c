/** A private origin: its images, tokens, log and line. Tests that run side by side each have one. */
import { mkdtemp } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pacer } from "./content/pacer.ts";
import { Receiver } from "./control/notifications.ts";
import type { Image } from "./glance/image.ts";
import type { RequestLog } from "./http/request-log.ts";
import type { KeystoneFaults } from "./keystone/faults.ts";
import { Tokens } from "./keystone/tokens.ts";
import type { Room } from "./limits.ts";

/** What all namespaces of an origin have in common. */
export interface Shared {
  /** What the Keystone catalogue names as Glance; null: this origin itself. */
  readonly imageEndpoint: string | null;
  /** Whether the store can read from the middle of an image, where an image's faults don't say. */
  randomAccess: boolean;
  readonly room: Room;
  readonly maxNamespaces: number;
  readonly log: RequestLog;
  /** Where uploaded data goes. */
  readonly directory: TemporaryDirectory;
}

export class Namespace {
  /** What all paths of the namespace begin with: "" or "/t/NAME". */
  readonly prefix: string;
  readonly shared: Shared;
  readonly tokens = new Tokens();
  /** What goes wrong with its Keystone. */
  keystoneFaults: KeystoneFaults = {};
  readonly receiver = new Receiver();
  /** The line that all its downloads share. */
  readonly link = new Pacer(null);
  /** Every connection is cut, now and until the line is up again. */
  down = false;
  readonly #images = new Map<string, Image>();
  readonly #sockets = new Set<Socket>();

  constructor(prefix: string, shared: Shared) {
    this.prefix = prefix;
    this.shared = shared;
  }

  get images(): ReadonlyMap<string, Image> {
    return this.#images;
  }

  /** Notes that this connection's last request was for this namespace. */
  addSocket(socket: Socket): void {
    this.#sockets.add(socket);
  }

  removeSocket(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** A path for one more uploaded file. */
  async uploadPath(): Promise<string> {
    return join(await this.shared.directory.path, crypto.randomUUID());
  }

  /** @throws HttpError 413 when there is no room for one more */
  addImage(image: Image): void {
    this.shared.room.takeImage();
    this.#images.set(image.id, image);
  }

  async removeImage(image: Image): Promise<void> {
    if (this.#images.delete(image.id)) this.shared.room.giveImage();
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
