/** What wrangler says when it fails, as one sentence for who deploys. Pure. */
import { stripVTControlCharacters } from "node:util";

/** Error codes of Cloudflare's API, with what to do. */
const KNOWN: readonly (readonly [code: number, sentence: string])[] = [
  [
    100328,
    "This account is on the Workers Free plan, which gives 10 ms of CPU: take Workers Paid in the dashboard (Workers & Pages, Plans), then run this again.",
  ],
  [10042, "R2 is not switched on in this account: do so in the dashboard (R2), then run this again."],
  [
    10000,
    "Cloudflare refuses the log-in for this: the token needs to edit Workers scripts, Workers routes, R2, D1 and Queues, and to read the account.",
  ],
  [
    9109,
    "Cloudflare refuses the log-in for this account: has the token expired, or is CLOUDFLARE_ACCOUNT_ID another one's?",
  ],
];

/** @param doing "making the bucket glance-edge" */
export function sentenceOf(doing: string, output: string): string {
  const text = stripVTControlCharacters(output);
  const failed =
    /A request to the Cloudflare API \((?<path>[^)]*)\) failed\.[\s-]+(?<message>.*?)\s*\[code: (?<code>\d+)\]/s.exec(
      text,
    )?.groups;
  if (failed !== undefined) {
    const { path = "", message = "", code = "" } = failed;
    const known = KNOWN.find(([number]) => number === Number(code))?.[1];
    if (known !== undefined) return known;
    const said = `Cloudflare says: ${oneLine(message)} (code ${code}).`;
    if (/\/domains\/|\/zones\b|\/routes\b/.test(path))
      return `The edge could not be given its name: is its zone active in this account? ${said}`;
    return `Failed at ${doing}. ${said}`;
  }
  // What wrangler could not do of several things stands in a list.
  const error =
    /only partially updated:.*?\n\s+- (.*?)\n/s.exec(text)?.[1] ??
    /\[ERROR\]\s*(.*?)(?:\n\s*\n|$)/s.exec(text)?.[1] ??
    text.trim().split("\n").at(-1) ??
    "";
  return `Failed at ${doing}. wrangler says: ${oneLine(error) || "nothing"}.`;
}

/** Whether Cloudflare answered with one of these codes. */
export function hasCode(output: string, codes: readonly number[]): boolean {
  return [...output.matchAll(/\[code: (\d+)\]/g)].some(([, code]) => codes.includes(Number(code)));
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim().replace(/\.$/, "");
}
