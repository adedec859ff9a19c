/** Properties: each test run searches a little for a counterexample, and as much as somebody wants by hand (test/README.md). */
import fc from "fast-check";
import { inject } from "vitest";

/**
 * @param times in each run of the tests
 * @param examples are always tried, so that it is seen to hold not for want of what it is about
 * @throws Error with the smallest counterexample, its seed and its path
 */
export function holds<T>(property: fc.IAsyncProperty<T>, times: number, ...examples: T[]): Promise<void> {
  const { factor, seed } = inject("search");
  return fc.assert(property, { numRuns: Math.ceil(times * factor), examples, ...(seed === null ? {} : { seed }) });
}

declare module "vitest" {
  interface ProvidedContext {
    /** Set by vitest.config.ts. */
    search: { readonly factor: number; readonly seed: number | null };
  }
}
