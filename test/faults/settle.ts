/** After the faults: the image is had by a last client, kept, and seen in all the ways in which it may be asked for. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Answered, ask } from "./ask.ts";
import { cacheStatusOf, isLeftAlone } from "./client.ts";
import type { Excuses } from "./excuses.ts";
import { isWrongData, kindOf } from "./faults.ts";
import type { Lane } from "./lane.ts";
import type { ImageAtOrigin } from "./origin.ts";

/** What a Fill still does of what went wrong before: it tries again, tells of a failure, waits for a put that hangs, ms. */
const HAD_MS = 25_000;
/** The last pause between two tries of the one put is below a second here; a put that hangs takes some. */
const KEPT_MS = 20_000;
const TRY_MS = 30_000;
const AGAIN_MS = 200;

export interface Settled {
  readonly failures: readonly string[];
  /** What was asked until the image was had. */
  readonly tries: readonly Answered[];
}

export async function settle(lane: Lane, image: ImageAtOrigin, { faults }: Excuses): Promise<Settled> {
  const tries: Answered[] = [];
  const unseen = faults.some(({ name }) => kindOf(name).unseen === true);
  const failures: string[] = [];
  // One that comes while a failure is told goes alone, and the next one begins.
  for (const deadline = Date.now() + KEPT_MS; ; await sleep(AGAIN_MS)) {
    if (!(await untilHad(lane, image, tries, unseen))) {
      const said = tries.map(({ status, ended, headers }) => `${status} ${ended} ${cacheStatusOf({ headers })}`);
      return { failures: [`the last client did not get it: ${said.slice(-3).join("; ")}`], tries };
    }
    if (await untilKept(lane, image)) break;
    if (Date.now() > deadline) return { failures: ["it was had, and is not kept in the end"], tries };
  }
  const wasWrong = faults.some(({ name }) => isWrongData(name));
  failures.push(...(await lookAtKept(lane, image, wasWrong)));
  return { failures, tries };
}

/** A whole download that ends well. What is wrong with the data shows at once. @param tries gets all answers @param unseen whether wrong slices may be read still */
async function untilHad(lane: Lane, image: ImageAtOrigin, tries: Answered[], unseen: boolean): Promise<boolean> {
  for (const deadline = Date.now() + HAD_MS; ; await sleep(AGAIN_MS)) {
    const answer = await get(lane, image, {});
    tries.push(answer);
    if (answer.ended === "well" && answer.status === 200) {
      const right = image.isImage(answer.bytes);
      if (right || !unseen) return right;
    }
    if (Date.now() > deadline) return false;
  }
}

/** @returns false when nothing is under way that could keep it */
async function untilKept(lane: Lane, image: ImageAtOrigin): Promise<boolean> {
  for (const deadline = Date.now() + KEPT_MS; Date.now() < deadline; await sleep(AGAIN_MS)) {
    const { fill, objects } = await lane.held(image.id);
    if (fill?.phase === "filling" || fill?.phase === "complete") continue;
    return objects.some(({ key }) => key === `images/${image.id}`);
  }
  return false;
}

/** What is kept is given, whole, in part and by its head, without the origin's data. */
async function lookAtKept(lane: Lane, image: ImageAtOrigin, wasWrong: boolean): Promise<string[]> {
  const failures: string[] = [];
  const say = (what: string, answer: Answered) => {
    failures.push(`${what}: ${answer.status} ${answer.ended} ${cacheStatusOf(answer)}`);
  };
  const { size } = image.plan;
  const whole = await get(lane, image, { "cache-control": "only-if-cached" });
  if (whole.status !== 200 || whole.ended !== "well" || !cacheStatusOf(whole).includes("hit"))
    say("kept, but no hit", whole);
  else if (!image.isImage(whole.bytes)) say("kept, and a hit of wrong bytes", whole);
  const from = Math.floor(size / 3);
  const part = await get(lane, image, { range: `bytes=${from}-` });
  // Behind data that was wrong, ranges are refused for a while.
  if (isLeftAlone(part)) {
    if (!wasWrong) say("a range is refused though the data never was wrong", part);
  } else if (part.status !== 206 || part.ended !== "well") say("kept, but a range is not given", part);
  else if (!image.isPart(part.bytes, from)) say("kept, and a range of wrong bytes", part);
  return failures;
}

function get(lane: Lane, image: ImageAtOrigin, headers: Readonly<Record<string, string>>): Promise<Answered> {
  const all = { "x-auth-token": "demo", ...headers };
  return ask(lane.url, { method: "GET", path: `/v2/images/${image.id}/file`, headers: all, patience: TRY_MS });
}
