/** Room for an attempt within CACHE_MAX_BYTES: asked of D1, which no reader waits for long. */

import { DeadlineExceeded, withDeadline } from "../../lib/deadline.ts";
import { FillClient, type Fills } from "../client.ts";
import { takeRoom } from "../make-room.ts";
import type { FillCore } from "./core.ts";
import type { RoomAnswer } from "./events.ts";
import type { Readers } from "./readers.ts";
import { type Filling, isCurrent } from "./state.ts";
import type { FillTools } from "./tools.ts";

/** How long a fill waits for D1 before its first slice is stored without a word about room. */
const ROOM_MS = 1_000;

export class Admission {
  readonly #core: FillCore;
  readonly #tools: FillTools;
  readonly #readers: Readers;
  readonly #fills: Fills;

  /** @param fills of all images: one that is not read makes room */
  constructor(core: FillCore, tools: FillTools, readers: Readers, fills: Fills) {
    this.#core = core;
    this.#tools = tools;
    this.#readers = readers;
    this.#fills = fills;
  }

  /** Takes room for an attempt. @returns false when there is none; a D1 that is silent for a second does not keep it from running */
  async admit(filling: Filling): Promise<boolean> {
    const { attempt } = filling;
    const { imageId } = filling.subject;
    const asked = this.ask(filling);
    try {
      const word = await withDeadline("room", ROOM_MS, asked);
      // Not waited for: a refusal ends the pull, which waits for this word.
      if (word !== "had") this.#core.background(this.#core.apply(imageId, { on: "room", attempt, answer: word }));
      return word === "had";
    } catch (cause) {
      if (!(cause instanceof DeadlineExceeded))
        this.#tools.log.error("catalog.unavailable", cause, { image_id: imageId });
      // A no that comes late does not take from readers what they read already: the put asks again.
      asked.catch(() => undefined);
      return true;
    }
  }

  /** Takes room, for as long as that may take. @throws whatever D1 throws */
  async ask({ attempt, size, subject }: Filling): Promise<RoomAnswer> {
    const { imageId, owner = null } = subject;
    const { catalog, room, queue, settings, log } = this.#tools;
    const { queued } = this.#core.of(imageId);
    const isWanted = !queued || this.#readers.count(Date.now()) > 0 || !(await queue.isByPolicy(imageId));
    const by = isWanted ? "download" : "policy";
    const fill = (id: string) => new FillClient(this.#fills, id, log);
    const tools = { catalog, room, fill, log, now: Date.now };
    const word = await takeRoom(tools, settings, { imageId, attempt, size, owner }, by);
    if (word === "had") await this.#core.apply(imageId, { on: "room", attempt, answer: word });
    // Stopped while it was asked: whoever did that gave the room back before it was taken.
    if (word === "had" && !isCurrent(this.#core.of(imageId), attempt)) await room.release(attempt);
    return word === "denied" && by === "policy" ? "denied-to-policy" : word;
  }
}
