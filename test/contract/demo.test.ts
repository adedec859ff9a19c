/** The contract, kept by the demo origin, which stands for Glance and Keystone in all other tests. */
import { afterAll, beforeAll, describe, test } from "vitest";
import { type DemoOrigin, startDemoOrigin } from "../../demo/origin.ts";
import type { World } from "./case.ts";
import { CASES } from "./cases.ts";
import { checkCase } from "./check.ts";
import { DIFFERENCES } from "./differences.ts";
import { Images } from "./images.ts";

describe.each([true, false])("the demo origin, with a store that can read from the middle: %s,", (readsAtRandom) => {
  let origin: DemoOrigin;
  let world: World;
  let images: Images;
  beforeAll(async () => {
    origin = await startDemoOrigin({ randomAccess: readsAtRandom });
    world = {
      url: origin.url,
      keystoneUrl: `${origin.url}/v3`,
      readsAtRandom,
      tokenOf: async (user) => user,
      projectOf: async (user) => user,
    };
    images = new Images(world);
  });
  afterAll(() => origin.close());

  test.each(CASES)("answers as Glance: $name", (one) => checkCase(world, images, one));
  test.each(DIFFERENCES)("answers otherwise: $name ($why)", ({ demo, ...one }) =>
    checkCase(world, images, { ...one, answer: demo }),
  );
});
