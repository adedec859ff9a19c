/** Removes what was cleared from the index: each image by its Fill, so a long cache takes many calls and many runs. */
import type { Edge } from "../context.ts";
import { FillClient } from "../fill/client.ts";
import { BEGINNING } from "../store/queue.ts";

/** Images that are read from the index at a time, and Fills that are asked at a time. */
const PAGE = 200;
const AT_ONCE = 20;

type ClearTools = Pick<Edge, "catalog" | "fills" | "now" | "log">;

/**
 * @param deadline ms since the epoch: nothing new is begun after it
 * @returns number of images that are gone
 * @throws whatever D1 throws
 */
export async function removeCleared({ catalog, fills, now, log }: ClearTools, deadline: number): Promise<number> {
  let removed = 0;
  let place = BEGINNING;
  while (now() < deadline) {
    const page = await catalog.cleared(place, PAGE);
    for (let at = 0; at < page.length && now() < deadline; at += AT_ONCE) {
      const some = page.slice(at, at + AT_ONCE);
      const answers = await Promise.all(
        some.map(({ imageId }) => new FillClient(fills, imageId, log).remove("unless-read")),
      );
      removed += answers.filter((answer) => answer === "removed" || answer === "nothing").length;
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    // Those that can't be removed now are passed by: the next run comes to them again.
    place = last;
  }
  return removed;
}
