/** Wherever Glance names its own address, clients must read the edge's, or they would walk around it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EDGE, GLANCE, PROXY, withoutEdge } from "./addresses.ts";
import { type Answer, curl, field } from "./clients.ts";
import { tokenOf } from "./cloud.ts";

describe("the edge's own address stands", () => {
  for (const [path, status] of [
    ["/", 300],
    ["/versions", 200],
    ["/v1", 300],
    ["/nonsense", 300],
  ] as const) {
    test(`in the versions document at GET ${path} (${status})`, async () => {
      const answer = await curl(EDGE + path);
      assert.equal(answer.status, status);
      const document: { versions: { id: string; links: { rel: string; href: string }[] }[] } = JSON.parse(
        answer.body.toString(),
      );
      assert.ok(document.versions.some(({ id }) => id === "v2.0"));
      const hrefs = document.versions.flatMap(({ links }) => links.map(({ href }) => href));
      assert.deepEqual([...new Set(hrefs)], [`${EDGE}/v2/`]);
      assertNamesOnlyTheEdge(answer);
    });
  }

  test("in the Location of a new image", async () => {
    const token = await tokenOf("demo");
    const made = await curl(`${EDGE}/v2/images`, {
      method: "POST",
      token,
      headers: ["Content-Type: application/json"],
      body: JSON.stringify({ name: "located", disk_format: "raw", container_format: "bare" }),
    });
    assert.equal(made.status, 201);
    const { id } = JSON.parse(made.body.toString()) as { id: string };
    assert.equal(field(made.headers, "location"), `${EDGE}/v2/images/${id}`);
    assertNamesOnlyTheEdge(made);
    assert.equal((await curl(field(made.headers, "location") ?? "", { token })).status, 200);
  });
});

function assertNamesOnlyTheEdge(answer: Answer): void {
  const text = answer.headers.map(([name, value]) => `${name}: ${value}`).join("\n") + answer.body.toString();
  for (const other of withoutEdge === false ? [GLANCE, PROXY] : [GLANCE]) {
    assert.ok(!text.includes(new URL(other).host), `${other} is named in:\n${text}`);
  }
}
