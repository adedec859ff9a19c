/** Builds the Worker once for all processes of a run that start an edge. */
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { BUNDLE, buildBundle } from "./bundle.ts";

export default async function setup(): Promise<() => Promise<void>> {
  const path = await buildBundle();
  process.env[BUNDLE] = path;
  return async () => {
    delete process.env[BUNDLE];
    await rm(dirname(path), { recursive: true });
  };
}
