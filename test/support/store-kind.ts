/** Which kind of store the origin has for the test file that runs. */
import { expect } from "vitest";

/** Files below test/sequential/ run another file's tests in front of a store that can't read from the middle. */
export function readsAtRandom(): boolean {
  return expect.getState().testPath?.includes("/test/sequential/") !== true;
}
