/** Rights that end and begin again: what Glance decides anew counts at once, stored or not (who gets what: isolation.test.ts). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EDGE, GLANCE, withoutEdge } from "./addresses.ts";
import { curl } from "./clients.ts";
import { cacheStatus, filePath, makeImage, sha512, store, tokenOf } from "./cloud.ts";
import { askBoth, assertSameAnswer } from "./compare.ts";

const SIZE = 300_007;

for (const stored of [false, true]) {
  describe(`of an image that is ${stored ? "stored" : "not stored"}`, () => {
    const prepared = async () => {
      const image = await makeImage({ size: SIZE });
      if (stored) await store(image.id);
      return image;
    };

    test("a deactivated image is 403 for its owner, and admin has it from Glance", async () => {
      const { id, bytes } = await prepared();
      const action = (name: string) => `${EDGE}/v2/images/${id}/actions/${name}`;
      const admin = await tokenOf("admin");
      const demo = await tokenOf("demo");
      assert.equal((await curl(action("deactivate"), { method: "POST", token: admin })).status, 204);

      for (const headers of [[], ["Range: bytes=0-9"]]) {
        const refused = await askBoth(filePath(id), { token: demo, headers });
        assert.equal(refused.origin.status, 403);
        assertSameAnswer(refused);
      }
      const whole = await curl(EDGE + filePath(id), { token: admin });
      assert.equal(whole.status, 200);
      assert.equal(sha512(whole.body), sha512(bytes));
      if (withoutEdge === false) assert.match(cacheStatus(whole.headers), /^glance-edge; fwd=/);

      assert.equal((await curl(action("reactivate"), { method: "POST", token: admin })).status, 204);
      assert.equal((await curl(EDGE + filePath(id), { token: demo })).status, 200);
    });

    test("an image deleted through the edge is 404 for every token", async () => {
      const { id } = await prepared();
      const url = `${EDGE}/v2/images/${id}`;
      assert.equal((await curl(url, { method: "DELETE", token: await tokenOf("other") })).status, 404);
      assert.equal((await curl(EDGE + filePath(id), { token: await tokenOf("demo") })).status, 200);
      assert.equal((await curl(url, { method: "DELETE", token: await tokenOf("demo") })).status, 204);
      await assertGone(id);
    });

    test("an image deleted at Glance is Glance's 404 through the edge", async () => {
      const { id } = await prepared();
      const gone = await curl(`${GLANCE}/v2/images/${id}`, { method: "DELETE", token: await tokenOf("demo") });
      assert.equal(gone.status, 204);
      await assertGone(id);
    });
  });
}

async function assertGone(id: string): Promise<void> {
  for (const user of ["demo", "other", "admin"] as const) {
    for (const headers of [[], ["Range: bytes=0-9"]]) {
      const both = await askBoth(filePath(id), { token: await tokenOf(user), headers });
      assert.equal(both.edge.status, 404, user);
      assertSameAnswer(both);
    }
  }
}
