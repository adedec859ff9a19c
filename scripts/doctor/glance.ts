/** Whether a Glance answers at an address, by its list of versions, which needs no token. */
import * as v from "valibot";
import { parseJson } from "../../src/lib/json.ts";
import { ask, NoAnswer, type Reply } from "./ask.ts";
import { challengeOf, TURN_OFF } from "./challenge.ts";
import { type Finding, no, yes } from "./finding.ts";

const Versions = v.object({ versions: v.array(v.object({ id: v.string(), status: v.string() })) });

/** @param advice what to do where nothing answers, or something else */
export async function answersAsGlance(what: string, base: string, advice: string): Promise<Finding> {
  let reply: Reply;
  try {
    reply = await ask(`${base}/versions`, { headers: { accept: "application/json" } });
  } catch (cause) {
    if (!(cause instanceof NoAnswer)) throw cause;
    return no(what, `${base}: ${cause.message}`, advice);
  }
  const challenge = challengeOf(reply);
  if (challenge !== null) return no(what, `${base}: ${challenge}`, TURN_OFF);
  const read = v.safeParse(Versions, parseJson(reply.text));
  if (!read.success) {
    const type = reply.headers.get("content-type") ?? "no Content-Type";
    return no(what, `${base}/versions: status ${reply.status}, ${type}, no list of versions`, advice);
  }
  const current = read.output.versions.find(({ status }) => status === "CURRENT")?.id ?? "no current version";
  return yes(what, `${base}, ${current}`);
}
