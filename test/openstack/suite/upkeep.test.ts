/** Cron tasks on the edge's own account, against a real Keystone and Glance: run on request (`wrangler dev --test-scheduled`). */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { EDGE, withoutEdge } from "./addresses.ts";
import { cacheState, manage, untilCached } from "./cache-api.ts";
import { atGlance, makeImage, tokenOf } from "./cloud.ts";

/** As in wrangler.toml. */
const MINUTELY = "* * * * *";
const TEN_MINUTELY = "*/10 * * * *";
const HOURLY = "23 * * * *";

const withoutCredential = process.env.SERVICE_CREDENTIAL === "0" ? "needs service credentials" : withoutEdge;

describe("by cron", { skip: withoutCredential }, () => {
  before(() => manage(EDGE, "DELETE", "/v2/cache"));

  test("images that were deleted or deactivated behind the edge's back leave the cache, private ones too", async () => {
    const [kept, deleted, deactivated] = await Promise.all([cached(), cached(), cached()]);
    const owner = await tokenOf("demo");
    await atGlance("DELETE", `/v2/images/${deleted}`, owner);
    await atGlance("POST", `/v2/images/${deactivated}/actions/deactivate`, owner);
    await runCron(TEN_MINUTELY);
    assert.deepEqual(await ids(), [kept]);
  });

  test("clean, scrub and prefetch leave a sound cache as it is", async () => {
    const id = await cached();
    const listed = await ids();
    assert.ok(listed.includes(id));
    await runCron(HOURLY);
    await runCron(MINUTELY);
    assert.deepEqual(await ids(), listed);
  });
});

/** The id of a private image of demo's that was queued and is cached. */
async function cached(): Promise<string> {
  const { id } = await makeImage({ size: 100_003 });
  await manage(EDGE, "PUT", `/v2/cache/${id}`);
  await untilCached(EDGE, id);
  return id;
}

async function ids(): Promise<string[]> {
  return (await cacheState(EDGE)).cached_images.map(({ image_id }) => image_id).sort();
}

async function runCron(cron: string): Promise<void> {
  const response = await fetch(`${EDGE}/__scheduled?${new URLSearchParams({ cron })}`);
  assert.equal(await response.text(), "Ran scheduled event");
}
