/** What all answers to one download need. */
import type { Edge } from "../context.ts";
import type { ImageTarget } from "../glance/target.ts";
import type { Watch } from "./watch.ts";

export interface Call {
  readonly edge: Edge;
  readonly request: Request;
  readonly target: ImageTarget;
  readonly watch: Watch;
}
