import type { Edge } from "../edge.ts";
export async function listFills(_edge: Edge): Promise<unknown[]> {
  return [];
}
