/** What the rules ask for is done here. Nothing of it fails an event: what is left over is found by the clean. */

import { READ_MS } from "../make-room.ts";
import type { AwaitedTurn } from "./awaited.ts";
import type { FillCore } from "./core.ts";
import type { Effect } from "./events.ts";
import type { Pulling } from "./pulling.ts";
import type { Removal } from "./removal.ts";
import type { FillTools } from "./tools.ts";

/** Who does what effects ask for. */
export interface EffectParts {
  readonly core: FillCore;
  readonly tools: FillTools;
  readonly pulling: Pulling;
  readonly removal: Removal;
  readonly awaited: AwaitedTurn;
}

/** Does what an event asks for; resolves when it is done, but for a pull. Never rejects. */
export async function doEffect(imageId: string, effect: Effect, parts: EffectParts): Promise<void> {
  const { core, tools, pulling, removal, awaited } = parts;
  const { catalog, queue, log } = tools;
  try {
    switch (effect.do) {
      case "pull":
        return pulling.begin();
      case "abort-pull":
        return pulling.abort();
      case "drop":
        return await removal.drop(imageId, effect.attempt);
      case "remove-object":
        return await removal.removeImage(imageId);
      case "index": {
        const { attempt, size, subject } = effect.filling;
        log.info("fill.kept", { image_id: imageId, attempt, size, digest: subject.digest.algorithm });
        awaited.end();
        const { name = null, owner = null, pinned = null } = subject;
        await catalog.keep({ imageId, attempt, size, name, owner, pinned }, Date.now());
        return core.queueMoved();
      }
      case "queue-failed":
        if (effect.why === "no-room" && (await queue.isByPolicy(imageId))) {
          log.info("prefetch.unfit", { image_id: imageId, why: describeProblem("no-room") });
          // By then all that nobody reads makes room for it.
          await queue.postpone(imageId, describeProblem("no-room"), Date.now() + READ_MS);
          return core.queueMoved();
        }
        log.info("prefetch.failed", { image_id: imageId, why: effect.why });
        await queue.failed(imageId, describeProblem(effect.why), Date.now());
        return core.queueMoved();
    }
  } catch (cause) {
    // What is left over is the clean's: nothing of it is ever served.
    log.error("fill.not-done", cause, { image_id: imageId, what: effect.do });
  }
}

function describeProblem(why: string): string {
  switch (why) {
    case "digest-mismatch":
      return "the origin's data does not match the image's digest";
    case "no-room":
      return "there is no room within CACHE_MAX_BYTES";
    case "store-unavailable":
      return "R2 does not take the image";
    default:
      return `the fill ended: ${why}`;
  }
}
