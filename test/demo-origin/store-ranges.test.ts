/**
 * What a test may make of ranges, in both kinds of store: one that can read from the middle, and one that can't. What
 * Glance makes of them is the contract's: test/contract.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DemoOrigin, startDemoOrigin } from "../../demo/origin.ts";
import { ask, IMAGE_ID, put } from "./support.ts";

describe.each([true, false])("with randomAccess: %j", (randomAccess) => {
  let origin: DemoOrigin;
  beforeAll(async () => {
    origin = await startDemoOrigin({ randomAccess });
    await put(`${origin.controlUrl}/_demo/images/${IMAGE_ID}`, { size: 26 });
  });
  afterAll(() => origin.close());

  const setFaults = (faults: unknown) => put(`${origin.controlUrl}/_demo/images/${IMAGE_ID}/faults`, faults);
  const statusOf = async (range: string) =>
    (await ask(`${origin.url}/v2/images/${IMAGE_ID}/file`, { headers: { range } })).status;

  test("an ignored range is no reading from the middle", async () => {
    await setFaults({ ignoreRange: true });
    expect(await statusOf("bytes=3-5")).toBe(200);
  });

  test("an image's faults may say otherwise, and {} takes that back", async () => {
    const [usual, other] = randomAccess ? [206, 400] : [400, 206];
    await setFaults({ randomAccess: !randomAccess });
    expect(await statusOf("bytes=0-0")).toBe(other);
    await setFaults({});
    expect(await statusOf("bytes=0-0")).toBe(usual);
  });

  test("a status comes before the range is looked at", async () => {
    await setFaults({ status: 403 });
    expect(await statusOf("bytes=9223372036854775806-")).toBe(403);
  });
});
