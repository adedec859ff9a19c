/** The one put of a complete image under its key: driven slowly while clients read, and seen to when it hangs. */

import { withDeadline } from "../../lib/deadline.ts";
import type { Admission } from "./admission.ts";
import { commit, SliceMissing } from "./commit.ts";
import type { FillCore } from "./core.ts";
import type { Readers } from "./readers.ts";
import type { Removal } from "./removal.ts";
import { type FillState, isCurrent, rangesFrom } from "./state.ts";
import { PUT_MS, ROOM_AGAIN_MS } from "./times.ts";
import type { FillTools } from "./tools.ts";

/** A pause of the put before each slice while clients read: it competes with them for the store. */
const GIVE_WAY_MS = 20;

/** What a put needs of its Fill. */
export interface PuttingParts {
  readonly core: FillCore;
  readonly tools: FillTools;
  readonly readers: Readers;
  readonly admission: Admission;
  readonly removal: Removal;
}

export class Putting {
  readonly #parts: PuttingParts;
  /** The attempt whose one put is under way. */
  #attempt: string | null = null;
  /** When the put that is under way last took a slice, ms since the epoch. */
  #movedAt = 0;

  constructor(parts: PuttingParts) {
    this.#parts = parts;
  }

  /** The attempt whose put is under way. */
  get attempt(): string | null {
    return this.#attempt;
  }

  /** Whether the put that is under way has not moved for too long. @param now ms since the epoch */
  hangs(now: number): boolean {
    return this.#attempt !== null && now >= this.#movedAt + PUT_MS;
  }

  /** Puts the image, if it is complete and no put is under way. */
  async put(state: FillState): Promise<void> {
    const { imageId, phase } = state;
    if (this.#attempt !== null || phase.is !== "complete") return;
    const { attempt } = phase;
    const { core, tools, readers, admission, removal } = this.#parts;
    const { objects, slices, parts, log } = tools;
    this.#attempt = attempt;
    this.#movedAt = Date.now();
    try {
      if (phase.room !== "had") {
        const asked = admission.ask(phase);
        if ((await withDeadline("room", ROOM_AGAIN_MS, asked)) !== "had") {
          return await this.#noRoom(imageId, attempt);
        }
      }
      // Stopped while room was asked: what is there by now may be another attempt's.
      if (!isCurrent(core.of(imageId), attempt)) return;
      await core.apply(imageId, { on: "putting", attempt });
      const pause = () => {
        this.#movedAt = Date.now();
        return readers.count(Date.now()) > 0 ? GIVE_WAY_MS : 0;
      };
      const end = await commit({
        filling: phase,
        slices,
        objects,
        parts,
        rangesFrom: rangesFrom(core.of(imageId), Date.now()),
        pause,
        stopped: () => !isCurrent(core.of(imageId), attempt),
      });
      // Stopped while it was put: it is there all the same.
      if (!isCurrent(core.of(imageId), attempt)) return await removal.removeStopped(imageId, [attempt]);
      await core.apply(imageId, { on: "put", attempt, answer: end });
    } catch (cause) {
      // Stopped while it was put: its slices went from under it, and that is no failure. What it stored the tombstone sees to.
      if (!isCurrent(core.of(imageId), attempt)) return;
      log.error("fill.put-failed", cause, { image_id: imageId, attempt });
      if (cause instanceof SliceMissing) {
        await core.apply(imageId, { on: "failed", attempt, why: "fill-stopped", keep: false });
      } else if (core.of(imageId).phase.is === "complete" && phase.room !== "had") {
        await core.apply(imageId, { on: "postponed", attempt, until: Date.now() + ROOM_AGAIN_MS });
      } else {
        await core.apply(imageId, { on: "put", attempt, answer: "unknown" });
      }
    } finally {
      this.#attempt = null;
    }
  }

  /** A complete image has no room: its slices stay for those who read them, and go then. */
  async #noRoom(imageId: string, attempt: string): Promise<void> {
    const { core, readers } = this.#parts;
    const read = readers.count(Date.now()) > 0;
    if (read) await core.apply(imageId, { on: "postponed", attempt, until: Date.now() + ROOM_AGAIN_MS });
    else await core.apply(imageId, { on: "room", attempt, answer: "denied" });
  }
}
