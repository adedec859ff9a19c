/**
 * A service account that is no administrator, with an application credential whose access rules allow only what the edge asks
 * for: what it does, and what then does not work (docs/operations.md, "Service credentials").
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type EdgeProcess, startEdge } from "../../support/node/edge-process.ts";
import { type ApplicationCredential, createApplicationCredential } from "../lib/keystone.ts";
import { GLANCE, GLANCE_LOG, KEYSTONE, PROBE, PROXY, WORK_DIR, withoutEdge } from "./addresses.ts";
import { cacheState, manage, untilCached } from "./cache-api.ts";
import { curl } from "./clients.ts";
import { atGlance, cacheStatus, filePath, type Image, makeImage, projectIdOf, sha512, tokenOf } from "./cloud.ts";

/** All that the edge asks under its own account. */
const RULES = ["/v2/images", "/v2/images/*", "/v2/images/*/file"].map((path) => ({
  service: "image",
  method: "GET",
  path,
}));
const SIZE = 100_003;
const TEN_MINUTELY = "*/10 * * * *";

let credential: ApplicationCredential;

before(async () => {
  credential = await createApplicationCredential(KEYSTONE, "edge", RULES);
});

describe("its token is good", () => {
  let token = "";
  let image: Image;

  before(async () => {
    image = await makeImage({ size: SIZE, visibility: "community" });
    token = await logIn();
  });

  for (const [what, method, path, status, range] of [
    ["for the list of images", "GET", () => "/v2/images?limit=1", 200, null],
    ["for a record", "GET", () => `/v2/images/${image.id}`, 200, null],
    ["for the question for the right", "GET", () => filePath(image.id), 416, PROBE],
    ["for the data", "GET", () => filePath(image.id), 200, null],
    ["not for a new image", "POST", () => "/v2/images", 401, null],
    ["not for an upload", "PUT", () => filePath(image.id), 401, null],
    ["not to delete", "DELETE", () => `/v2/images/${image.id}`, 401, null],
    ["not for members", "GET", () => `/v2/images/${image.id}/members`, 401, null],
  ] as const) {
    test(`${what}: ${method} is ${status}`, async () => {
      const headers = range === null ? [] : [`Range: ${range}`];
      const body = method === "POST" ? { body: "{}" } : {};
      const answer = await curl(GLANCE + path(), { method, token, headers, ...body });
      assert.equal(answer.status, status, answer.body.toString());
    });
  }

  test("not for Keystone's lists, nor to ask who others are", async () => {
    assert.ok((await curl(`${KEYSTONE}/users`, { token })).status >= 401);
    const headers = [`X-Subject-Token: ${await tokenOf("demo")}`];
    assert.ok((await curl(`${KEYSTONE}/auth/tokens`, { token, headers })).status >= 401);
  });

  async function logIn(): Promise<string> {
    const identity = { methods: ["application_credential"], application_credential: credential };
    const body = JSON.stringify({ auth: { identity } });
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${KEYSTONE}/auth/tokens`, { method: "POST", headers, body });
    await response.body?.cancel();
    return response.headers.get("x-subject-token") ?? "";
  }
});

describe("an edge with it", { skip: withoutEdge }, () => {
  let edge: EdgeProcess;

  before(async () => {
    edge = await startEdge({
      persist: join(WORK_DIR, "few-rights"),
      vars: {
        ORIGIN_URL: PROXY,
        KEYSTONE_URL: KEYSTONE,
        OS_APPLICATION_CREDENTIAL_ID: credential.id,
        OS_APPLICATION_CREDENTIAL_SECRET: credential.secret,
      },
    });
  });
  after(() => edge.stop());

  test("is well, and so is a download, once and again", async () => {
    const health = await curl(`${edge.url}/edge/health`);
    assert.equal(health.status, 200, health.body.toString());
    const image = await makeImage({ size: SIZE });
    const token = await tokenOf("demo");
    const first = await curl(edge.url + filePath(image.id), { token });
    assert.equal(sha512(first.body), sha512(image.bytes));
    await untilCached(edge.url, image.id);
    const second = await curl(edge.url + filePath(image.id), { token });
    assert.deepEqual([cacheStatus(second.headers), second.body.length], ["glance-edge; hit", SIZE]);
  });

  test("fetches a queued image under its own account if the account may see it: community, or shared with it", async () => {
    const community = await makeImage({ size: SIZE, visibility: "community" });
    const shared = await makeImage({ size: SIZE, visibility: "shared" });
    const member = JSON.stringify({ member: await projectIdOf("edge") });
    await atGlance("POST", `/v2/images/${shared.id}/members`, await tokenOf("demo"), "application/json", member);
    for (const { id } of [community, shared]) {
      await queue(id);
      assert.equal(await downloadedBy(id), await projectIdOf("edge"));
    }
  });

  test("fetches another one under the token of who queued it", async () => {
    const { id } = await makeImage({ size: SIZE });
    await queue(id);
    assert.equal(await downloadedBy(id), await projectIdOf("admin"));
  });

  test("keeps an image that was deleted behind its back, but not one that was deactivated and that it sees", async () => {
    const deleted = await makeImage({ size: SIZE, visibility: "community" });
    const deactivated = await makeImage({ size: SIZE, visibility: "community" });
    for (const { id } of [deleted, deactivated]) await queue(id);
    const owner = await tokenOf("demo");
    await atGlance("DELETE", `/v2/images/${deleted.id}`, owner);
    await atGlance("POST", `/v2/images/${deactivated.id}/actions/deactivate`, owner);
    await edge.runCron(TEN_MINUTELY);
    const ids = (await cacheState(edge.url)).cached_images.map(({ image_id }) => image_id);
    assert.deepEqual([ids.includes(deleted.id), ids.includes(deactivated.id)], [true, false]);
    // Nobody gets it all the same.
    assert.equal((await curl(edge.url + filePath(deleted.id), { token: owner })).status, 404);
  });

  async function queue(id: string): Promise<void> {
    await manage(edge.url, "PUT", `/v2/cache/${id}`);
    await untilCached(edge.url, id);
  }
});

/** The project whose token the image's whole data were sent to, by Glance's log: `[… USER PROJECT - …] … "GET … 200 …`. */
async function downloadedBy(id: string): Promise<string | undefined> {
  for (let tries = 0; tries < 100; tries++) {
    const log = await readFile(GLANCE_LOG, "utf8");
    const line = log.split("\n").find((text) => text.includes(`"GET ${filePath(id)} HTTP/1.1" 200`));
    if (line !== undefined) return /\[[^\]]*\b[0-9a-f]{32} ([0-9a-f]{32})\b/.exec(line)?.[1];
    await sleep(50);
  }
  throw new Error(`Glance's log has no download of ${id}`);
}
