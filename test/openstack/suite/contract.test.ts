/** The contract that the demo origin keeps in all other tests, kept by the real Glance: test/contract. */
import { describe, test } from "node:test";
import type { User } from "../../contract/case.ts";
import { CASES } from "../../contract/cases.ts";
import { checkCase } from "../../contract/check.ts";
import { DIFFERENCES } from "../../contract/differences.ts";
import { Images } from "../../contract/images.ts";
import { GLANCE, KEYSTONE, readsAtRandom } from "./addresses.ts";
import { projectIdOf, tokenOf } from "./cloud.ts";

const world = {
  url: GLANCE,
  keystoneUrl: KEYSTONE,
  readsAtRandom,
  tokenOf,
  projectOf: (user: User) => projectIdOf(user),
};
const images = new Images(world);

describe("the real Glance", () => {
  for (const one of CASES) test(`answers so: ${one.name}`, () => checkCase(world, images, one));
  for (const one of DIFFERENCES) test(`answers so: ${one.name}`, () => checkCase(world, images, one));
});
