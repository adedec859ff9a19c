/** What all answers to one download need. */
import type { Edge } from "../context.ts";
import type { ImageTarget } from "../glance/target.ts";

export interface Call {
  readonly edge: Edge;
  readonly request: Request;
  readonly target: ImageTarget;
}
