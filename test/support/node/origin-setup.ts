/** Starts the demo origin for the tests inside workerd, which reach it over loopback. */
import type { TestProject } from "vitest/node";
import { startDemoOrigin } from "../../../demo/origin.ts";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const origin = await startDemoOrigin({ port: 0, randomAccess: project.config.provide.randomAccess === true });
  project.provide("originUrl", origin.url);
  project.provide("controlUrl", origin.controlUrl);
  return () => origin.close();
}

declare module "vitest" {
  interface ProvidedContext {
    originUrl: string;
    controlUrl: string;
    /** Whether the origin's store can read from the middle: set by the project (vitest.config.ts). */
    randomAccess: boolean;
  }
}
