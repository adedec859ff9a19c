/** Mistakes that are planted in src to see that the runner finds them. */
import type { Mutation } from "./bundle.ts";

export const MUTATIONS: readonly Mutation[] = [];

/** @throws for a name that there is not */
export function mutationOf(name: string): Mutation {
  const found = MUTATIONS.find((mutation) => mutation.name === name);
  if (found === undefined) throw new Error(`no mistake ${name}: ${MUTATIONS.map((one) => one.name).join(", ")}`);
  return found;
}
