/** A plan becomes an answer: the short ones here, the others in files of their own. */

import type { CacheOutcome } from "../http/cache-status.ts";
import type { Asked } from "./ask.ts";
import { answerForward } from "./bypass.ts";
import type { Call } from "./call.ts";
import type { Plan, PlanOf } from "./decide.ts";
import { answerFollow } from "./follow.ts";
import { dataInit, imageHeaders } from "./headers.ts";
import { answerHit } from "./hit.ts";
import { answerAlone } from "./lone.ts";
import { refuse } from "./refusal.ts";

/** Does what was decided. @throws OriginUnreachable, BadOriginAnswer */
export async function answer(call: Call, plan: Plan, asked: Asked): Promise<Response> {
  switch (plan.do) {
    case "forward":
      return answerForward(call, plan.detail);
    case "conditional":
      return answerConditional(call, plan);
    case "refuse":
      return refuse(call, plan.head.found.headers, plan.why);
    case "head":
      return answerHead(call, plan);
    case "hit":
      return answerHit(call, plan, asked);
    case "follow":
      return answerFollow(call, plan);
    case "alone":
      return answerAlone(call, plan.head, plan.range, plan.why);
  }
}

/** 304 or 412 to a conditional request (RFC 9110 sections 15.4.5 and 15.5.13). */
function answerConditional({ edge }: Call, { status, head, hit }: PlanOf<"conditional">): Response {
  const outcome: CacheOutcome = hit ? { kind: "hit" } : { kind: "miss", stored: false };
  const headers = imageHeaders(head, outcome, edge.requestId);
  for (const name of ["content-type", "content-md5"]) headers.delete(name);
  return new Response(null, { status, headers });
}

/** HEAD of an image that is not kept: as GET would answer. */
function answerHead({ edge }: Call, { head }: PlanOf<"head">): Response {
  const headers = imageHeaders(head, { kind: "miss", stored: false }, edge.requestId);
  return new Response(null, dataInit(headers, head.size, null));
}
