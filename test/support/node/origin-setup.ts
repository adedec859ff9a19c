/**
 * Starts the demo origins for the tests inside workerd, which reach them over loopback: one for each workerd, so that no
 * test reads what the others asked.
 */
import type { TestProject } from "vitest/node";
import { startDemoOrigin } from "../../../demo/origin.ts";

/** As a workerd gets it, in its bindings. */
export interface Origin {
  readonly ORIGIN_URL: string;
  /** The origin's control, without /_demo. */
  readonly CONTROL_URL: string;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { originCount = 1 } = project.config.provide;
  const starting = Array.from({ length: originCount }, () => startDemoOrigin({ port: 0 }));
  const origins = await Promise.all(starting);
  project.provide(
    "origins",
    origins.map(({ url, controlUrl }) => ({ ORIGIN_URL: url, CONTROL_URL: controlUrl })),
  );
  return async () => {
    await Promise.all(origins.map((origin) => origin.close()));
  };
}

declare module "vitest" {
  interface ProvidedContext {
    /** How many; set by the project (vitest.config.ts). */
    originCount: number;
    origins: readonly Origin[];
  }
}
