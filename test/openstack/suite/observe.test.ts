/** What an operator sees of the edge: its health before a real Keystone and Glance, its metrics, and whose each download was. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { EDGE, GLANCE_LOG, LOGS_DIR, withoutEdge } from "./addresses.ts";
import { curl, field } from "./clients.ts";
import { filePath, makeImage, projectIdOf, store, tokenOf } from "./cloud.ts";

const edgeLog = join(LOGS_DIR, "edge.log");

/** The line of this request in the edge's log. */
async function lineOf(requestId: string): Promise<Record<string, unknown>> {
  for (let tries = 0; tries < 100; tries++) {
    for (const text of readFileSync(edgeLog, "utf8").split("\n")) {
      if (!text.includes("download.done") || !text.includes(requestId)) continue;
      return JSON.parse(text.slice(text.indexOf("{"))) as Record<string, unknown>;
    }
    await sleep(100);
  }
  throw new Error(`the edge's log has no line of ${requestId}`);
}

describe("what is seen of the edge", { skip: withoutEdge }, () => {
  test("all that it needs is well", async () => {
    const { status, body } = await curl(`${EDGE}/edge/health`, {});
    const health = JSON.parse(body.toString()) as { checks: Record<string, { ok: boolean }> };
    assert.deepEqual([status, Object.values(health.checks).filter(({ ok }) => !ok)], [200, []], body.toString());
    assert.equal((await curl(`${EDGE}/edge/ready`, {})).status, 200);
  });

  test("its metrics are an administrator's to read", async () => {
    assert.equal((await curl(`${EDGE}/edge/metrics`, { token: await tokenOf("demo") })).status, 403);
    assert.equal((await curl(`${EDGE}/edge/metrics`, {})).status, 401);
    const { status, body } = await curl(`${EDGE}/edge/metrics`, { token: await tokenOf("admin") });
    assert.equal(status, 200);
    assert.match(body.toString(), /^glance_edge_index_up 1$/m);
  });

  test("a hit's line in the log has Glance's own request id, the caller's, and whose it was", async () => {
    const { id, bytes } = await makeImage({ size: 100_000 });
    await store(id);
    const caller = `req-${randomUUID()}`;
    const token = await tokenOf("demo");
    const hit = await curl(EDGE + filePath(id), { token, headers: [`X-OpenStack-Request-ID: ${caller}`] });
    const line = await lineOf(field(hit.headers, "x-openstack-request-id") ?? "none");
    assert.deepEqual(
      [line.outcome, line.bytes, line.image_id, line.global_request_id, line.project_id],
      ["hit", bytes.length, id, caller, await projectIdOf("demo")],
    );
    assert.match(String(line.user_id), /^[0-9a-f]{32}$/);
    const glances = readFileSync(GLANCE_LOG, "utf8");
    assert.ok(glances.includes(String(line.glance_request_id)), `${line.glance_request_id} is not in Glance's log`);
    assert.equal(readFileSync(edgeLog, "utf8").includes(token), false);
  });
});
