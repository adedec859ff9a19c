/** What all answers to one download need. */
import type { Edge } from "../edge.ts";
import type { ImageTarget } from "../origin/target.ts";

export interface Call {
  readonly edge: Edge;
  readonly request: Request;
  readonly target: ImageTarget;
}
