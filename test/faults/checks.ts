/**
 * What must be so after a run, whatever went wrong in it. Where a fault excuses something, its kind says so (faults.ts); all else
 * that is not right is a failure.
 */
import type { Answered } from "./ask.ts";
import { cacheStatusOf, detailOf, isLeftAlone, type Outcome, type Try } from "./client.ts";
import type { Excuses } from "./excuses.ts";
import { isWrongData, kindOf } from "./faults.ts";
import type { Held } from "./injection.ts";
import type { Lane } from "./lane.ts";
import type { ImageAtOrigin } from "./origin.ts";
import type { Plan } from "./plan.ts";
import { sayKeys, untilQuiet } from "./quiet.ts";

/** Bytes that the origin may send of an image, over the image itself. */
const ORIGIN_FACTOR = 1.02;
/** As long as workerd takes at the most until it has tried an alarm six times, ms. */
const KILLED_MS = 120_000;

/** What the clients of one image saw. */
export function checkClients(
  plan: Plan,
  excuses: Excuses,
  image: ImageAtOrigin,
  outcomes: readonly Outcome[],
): string[] {
  return outcomes.flatMap((outcome) => {
    const who = `client ${plan.clients.indexOf(outcome.client)} (${JSON.stringify(outcome.client.does)})`;
    return checkClient(excuses, image, outcome).map((what) => `${who}: ${what}`);
  });
}

function checkClient(excuses: Excuses, image: ImageAtOrigin, { client, tries, file }: Outcome): string[] {
  const { faults, busy } = excuses;
  const failures: string[] = [];
  const shows = busy || faults.some(({ name }) => kindOf(name).shows);
  for (const one of tries) {
    const said = `${one.status} ${one.ended} after ${one.ms} ms, ${cacheStatusOf(one)}`;
    if (one.ended === "hung") failures.push(`hangs: ${said}`);
    if (isWrong(excuses, image, one)) failures.push(`ended well with wrong bytes: ${said}`);
    if (one.status === 500 && one.bytes.includes("The edge failed to answer") && !isManaging(client)) {
      failures.push(`a fault of the edge's own: ${said}`);
    }
  }
  if (file !== null && !image.isImage(file) && !mayBeMixed(excuses, tries)) {
    failures.push(`put together a wrong file of ${tries.length} answers`);
  }
  const last = tries.at(-1);
  if (last === undefined || last.ended === "left" || last.ended === "hung") return failures;
  // Only a whole download tries again what was wrong.
  const leftAlone = client.does.what === "range" && isLeftAlone(last) && faults.some(({ name }) => isWrongData(name));
  if (leftAlone || isFine(client, last)) return failures;
  const saw = tries.map((one) => `${one.status} ${one.range ?? "whole"} ${one.ended} ${cacheStatusOf(one)}`);
  if (client.persists)
    failures.push(`did not get it though it came again ${tries.length} times: ${saw.slice(-3).join("; ")}`);
  else if (!shows) failures.push(`did not get it, and no fault says why: ${saw.join("; ")}`);
  return failures;
}

function isManaging({ does }: Outcome["client"]): boolean {
  return does.what === "delete" || does.what === "prefetch";
}

function isFine({ does }: Outcome["client"], { status, ended }: Answered): boolean {
  if (ended !== "well") return false;
  switch (does.what) {
    case "whole":
    case "crawl":
    case "leave":
    case "head":
      return status === 200 || status === 206;
    case "range":
      return status === 206 || status === 200;
    case "only-if-cached":
      return status === 200 || status === 504;
    case "delete":
    case "prefetch":
      // D1 or the Fill may not have answered, and says so.
      return status === 204 || status === 202 || status >= 500;
  }
}

/** Whether an answer ended well that is not the image. */
function isWrong({ faults }: Excuses, image: ImageAtOrigin, one: Try): boolean {
  if (one.ended !== "well" || (one.status !== 200 && one.status !== 206)) return false;
  // No data, but a word about the cache.
  if (one.headers["content-type"] !== "application/octet-stream") return false;
  // What the origin answers itself is the origin's, where its data is wrong: README, "How a download goes".
  const originsOwn = cacheStatusOf(one).includes("fwd=bypass") || detailOf(one) === "encoded";
  if (originsOwn && faults.some(({ name }) => kindOf(name).wrongData === true)) return false;
  const fromSlices = /stored|collapsed/.test(cacheStatusOf(one));
  if (fromSlices && faults.some(({ name }) => kindOf(name).unseen === true)) return false;
  if (one.status === 200 && one.bytes.length === 0) return Number(one.headers["content-length"]) !== image.plan.size;
  if (one.status === 200) return !image.isImage(one.bytes);
  const from = Number(/^bytes (\d+)-/.exec(String(one.headers["content-range"]))?.[1]);
  return !image.isPart(one.bytes, from);
}

/**
 * Whether a client may have put together bytes of two attempts, the first of which was wrong: it was cut for another reason than
 * the verdict, which nobody had by then.
 */
function mayBeMixed({ faults }: Excuses, tries: readonly Try[]): boolean {
  if (faults.some(({ name }) => kindOf(name).unseen === true)) return true;
  const wrong = faults.some(({ name }) => kindOf(name).wrongData === true);
  const other = faults.some(({ name }) => kindOf(name).shows && kindOf(name).wrongData !== true);
  const originsOwn = tries.some((one) => cacheStatusOf(one).includes("fwd=bypass") || detailOf(one) === "encoded");
  return wrong && (other || originsOwn);
}

/** What R2, D1 and the origin's log say behind it all; and then that nothing stays of a deleted image. */
export async function checkAfter(
  lane: Lane,
  image: ImageAtOrigin,
  excuses: Excuses,
  outcomes: readonly Outcome[],
  last: readonly Answered[],
): Promise<string[]> {
  const failures: string[] = [];
  const { faults } = excuses;
  if (!faults.some(({ name }) => kindOf(name).unindexed === true)) {
    // D1 may be slow.
    const indexed = await untilQuiet(lane, image, ({ images }) => images.length > 0);
    if (indexed.what === "busy") failures.push(`kept, and not in the index before any clean: ${indexed.state}`);
  }
  // A workerd that was killed has lost its alarms, or tries them again after pauses that double, which is not so on the platform.
  const clockless = faults.some(({ name }) => kindOf(name).clockless === true);
  const before = clockless ? null : await untilQuiet(lane, image, () => true);
  if (before?.what === "busy")
    failures.push(`something is under way for ever: ${sayKeys(before.keys)} ${before.state}`);
  await lane.clean();
  const after = clockless
    ? await untilQuiet(lane, image, () => true, KILLED_MS)
    : await untilQuiet(lane, image, () => true);
  if (after.what === "busy") failures.push(`something stays behind a clean: ${sayKeys(after.keys)} ${after.state}`);
  failures.push(...(await lookAtHeld(await lane.digests(image.id), image)));
  failures.push(...(await lookAtOrigin(image, excuses, outcomes, last)));
  const gone = await lane.remove(image.id);
  if (gone !== 204) failures.push(`deleting it was answered with ${gone}`);
  const left = await untilQuiet(lane, image, ({ objects, images, queue }) => {
    return objects.length === 0 && images.length === 0 && queue === 0;
  });
  if (left.what === "busy")
    failures.push(`something stays of it when it was deleted: ${sayKeys(left.keys)} ${left.state}`);
  return failures;
}

async function lookAtHeld(held: Held, image: ImageAtOrigin): Promise<string[]> {
  const { objects, images, fills } = held;
  const failures: string[] = [];
  const keys = objects.map(({ key }) => key);
  const slices = keys.filter((key) => key.startsWith("fills/"));
  if (slices.length > 0) failures.push(`${slices.length} slices are left`);
  if (fills > 0) failures.push(`room is taken by ${fills} attempts that are over`);
  const object = objects.find(({ key }) => key.startsWith("images/"));
  const [row] = images;
  if (object === undefined) {
    if (row !== undefined) failures.push("the index names what R2 does not hold");
    return failures;
  }
  const { kind, attempt } = object.metadata;
  if (row === undefined) failures.push("the index does not name what R2 holds");
  else if (row.attempt !== attempt || row.size !== image.plan.size) {
    failures.push(`the index has attempt ${row.attempt} of ${row.size} bytes, R2 has ${attempt}`);
  }
  const parts = objects.filter(({ key }) => key.startsWith("parts/"));
  const strange = parts.filter(({ key }) => kind !== "manifest" || key.split("/")[2] !== attempt);
  if (strange.length > 0) failures.push(`${strange.length} parts are left`);
  if (kind === "image" && object.sha512 !== image.sha512) failures.push("what is kept fails its digest");
  if (kind === "manifest" && !image.isParts(parts)) failures.push("a part of what is kept fails its digest");
  return failures;
}

/** How much the origin has sent, and how much it may. */
async function lookAtOrigin(
  image: ImageAtOrigin,
  { faults, busy }: Excuses,
  outcomes: readonly Outcome[],
  last: readonly Answered[],
): Promise<string[]> {
  const { bytes, calls } = await image.sent();
  const asked = outcomes.reduce((sum, { tries }) => sum + tries.length, 0) + last.length;
  let images = image.plan.kept ? 0 : 1;
  // v1 knows the MD5 alone: who comes by the one does not share a fill with who comes by the other.
  const byV1 = outcomes.some(({ client: { does } }) => does.what === "whole" && does.api === "v1");
  if (byV1 || busy) images += 4 * asked;
  for (const { name } of faults) {
    const { costs } = kindOf(name);
    // Each download may go alone, and the fill may take three times the image, once for each begin.
    images += costs === "each" ? 4 * asked : costs;
  }
  // Taken out of the cache by its operator, it is fetched again.
  images += outcomes.filter(({ client }) => client.does.what === "delete").length;
  // Far ahead of what is stored a range is the origin's own answer.
  const ahead = outcomes.flatMap(({ tries }) => tries).filter((one) => detailOf(one) === "range-not-stored");
  const allowed = images * image.plan.size * ORIGIN_FACTOR + ahead.reduce((sum, one) => sum + one.bytes.length, 0);
  if (bytes <= allowed) return [];
  return [`the origin has sent ${(bytes / image.plan.size).toFixed(2)} images, ${images} may be: ${calls.join(", ")}`];
}
