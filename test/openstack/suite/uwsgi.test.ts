/** What goes through the edge to a Glance under uWSGI, which reads bodies and sends data in its own way: uploads of both framings, and parts. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type EdgeProcess, startEdge } from "../../support/node/edge-process.ts";
import { UWSGI_GLANCE_URL, WORK_DIR, withoutEdge } from "./addresses.ts";
import { curl } from "./clients.ts";
import { cacheStatus, content, filePath, makeImageWithoutData, sha512, tokenOf } from "./cloud.ts";

const SIZE = 3_000_017;
const TYPE = "Content-Type: application/octet-stream";

describe("with uWSGI under Glance", { skip: withoutEdge }, () => {
  let edge: EdgeProcess;
  before(async () => {
    edge = await startEdge({ persist: join(WORK_DIR, "uwsgi"), vars: { ORIGIN_URL: UWSGI_GLANCE_URL } });
  });
  after(() => edge.stop());

  for (const [framing, fields] of [
    ["of a told length", []],
    ["in chunks", ["Transfer-Encoding: chunked"]],
  ] as const) {
    test(`an upload ${framing} comes whole, and back as a miss, a hit and a part`, async () => {
      const token = await tokenOf("demo");
      const id = await makeImageWithoutData();
      const body = Buffer.concat([...content(id, SIZE)]);
      const url = edge.url + filePath(id);
      const put = await curl(url, { method: "PUT", token, headers: [TYPE, ...fields], body });
      assert.equal(put.status, 204, put.body.toString());
      const direct = await curl(UWSGI_GLANCE_URL + filePath(id), { token });
      assert.deepEqual([direct.status, sha512(direct.body)], [200, sha512(body)]);
      for (const deadline = Date.now() + 30_000; ; await sleep(200)) {
        const got = await curl(url, { token });
        assert.deepEqual([got.status, sha512(got.body)], [200, sha512(body)]);
        if (cacheStatus(got.headers) === "glance-edge; hit") break;
        assert.ok(Date.now() < deadline, "not kept within 30 s");
      }
      for (const where of [edge.url, UWSGI_GLANCE_URL]) {
        const part = await curl(where + filePath(id), { token, headers: ["Range: bytes=1000-2999999"] });
        assert.deepEqual([part.status, sha512(part.body)], [206, sha512(body.subarray(1_000, 3_000_000))], where);
      }
    });
  }
});
