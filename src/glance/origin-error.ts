/** Of which kind a failure of the origin is, for the figures. Null: it is none that is known as one. */

import { BadOriginAnswer } from "./bad-answer.ts";
import { OriginUnreachable } from "./forward.ts";

export function originErrorOf(cause: unknown): "unreachable" | "bad-answer" | null {
  if (cause instanceof OriginUnreachable) return "unreachable";
  return cause instanceof BadOriginAnswer ? "bad-answer" : null;
}
