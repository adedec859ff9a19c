/**
 * In how many spellings of its path Glance takes a change of an image, and that the edge notices each of them: it forgets
 * what it knows of the image's rights whenever Glance changed something, and evicts it whenever Glance deleted it.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { changeOf } from "../../../src/glance/changes.ts";
import { EDGE, GLANCE, withoutEdge } from "./addresses.ts";
import { cacheState } from "./cache-api.ts";
import { curl } from "./clients.ts";
import { filePath, makeImage, store, tokenOf } from "./cloud.ts";

/** {id}, or with its first letter percent-encoded once or twice, in upper case, or without dashes. */
interface Row {
  readonly path: string;
  /** Whether Glance takes it for the image. */
  readonly taken: boolean;
  readonly accept?: string;
}

const TABLE: readonly Row[] = [
  { path: "/v2/images/{id}", taken: true },
  { path: "/v2.0/images/{id}", taken: true },
  { path: "/v2.7/images/{id}", taken: true },
  { path: "/v2.15/images/{id}", taken: true },
  { path: "/v2.99/images/{id}", taken: false },
  { path: "/V2/images/{id}", taken: false },
  { path: "/v2/Images/{id}", taken: false },
  { path: "//v2/images/{id}", taken: true },
  { path: "///v2///images///{id}", taken: true },
  { path: "/v2//images/{id}", taken: true },
  { path: "/v2/images//{id}", taken: true },
  { path: "/v2/images/{id}/", taken: false },
  { path: "/v2/images/{id}//", taken: false },
  { path: "/v2/images/{ID}", taken: false },
  { path: "/v2/images/{%id}", taken: true },
  { path: "/v2/images/{%25id}", taken: false },
  { path: "/v2%2Fimages%2F{id}", taken: true },
  { path: "/v2/images%2f{id}", taken: true },
  { path: "/v2/images/{id}%2F", taken: false },
  { path: "/%76%32/%69mages/{id}", taken: true },
  { path: "/v2/images/{id}?a=b", taken: true },
  { path: "/v2/images/{id}%3Fa=b", taken: false },
  { path: "/v2/images/{id};a=b", taken: false },
  { path: "/v2;a=b/images/{id}", taken: false },
  { path: "/v2/images/{id}%20", taken: false },
  { path: "/v2/images/{id}%00", taken: false },
  { path: "/v2/images/{id}.json", taken: false },
  { path: "/v2/images/%7B{id}%7D", taken: false },
  { path: "/v2/images/{nodashes}", taken: false },
  { path: "/v2/v2/images/{id}", taken: false },
  { path: "/v1/images/{id}", taken: false },
  { path: "/images/{id}", taken: false },
  { path: "/images/{id}", taken: true, accept: "application/vnd.openstack.images-v2" },
  { path: "/images/{id}", taken: true, accept: "application/vnd.openstack.images-v2.7" },
  { path: "/v2/images/{id}", taken: false, accept: "application/vnd.openstack.images-v2" },
];

/** What changes an image from below it. Each is a success, and none deletes the image. */
const BELOW = [
  { ask: "PUT /v2.7//images/{id}/tags/x", user: "demo" },
  { ask: "DELETE /v2/images/{%id}//tags%2Fx", user: "demo" },
  { ask: "POST //v2/images/{id}/members", user: "demo", body: '{"member": "somebody"}' },
  { ask: "DELETE /v2.7/images/{id}/members/somebody", user: "demo" },
  { ask: "POST /v2/images/{%id}/actions/deactivate", user: "admin" },
  { ask: "POST /v2%2Fimages/{id}/actions%2Freactivate", user: "admin" },
] as const;

function spell(template: string, id: string): string {
  const first = id.charCodeAt(0).toString(16);
  return template
    .replace("{id}", id)
    .replace("{ID}", id.toUpperCase())
    .replace("{%id}", `%${first}${id.slice(1)}`)
    .replace("{%25id}", `%25${first}${id.slice(1)}`)
    .replace("{nodashes}", id.replaceAll("-", ""));
}

function covers(method: string, path: string, id: string): boolean {
  const { images } = changeOf(method, path.split("?", 1)[0] ?? "");
  return images === "any" || images.includes(id);
}

/** @returns the image's name as Glance has it, or null: it is gone */
async function nameAtGlance(id: string): Promise<string | null> {
  const answer = await curl(`${GLANCE}/v2/images/${id}`, { token: await tokenOf("demo") });
  if (answer.status === 404) return null;
  assert.equal(answer.status, 200);
  return (JSON.parse(answer.body.toString()) as { name: string }).name;
}

async function isStored(id: string): Promise<boolean> {
  return (await cacheState(EDGE)).cached_images.some(({ image_id }) => image_id === id);
}

describe("Glance and the edge read alike", { skip: withoutEdge }, () => {
  for (const { path: template, taken, accept } of TABLE) {
    const verb = taken ? "takes" : "does not take";
    test(`Glance ${verb} ${template} for the image${accept === undefined ? "" : ` with Accept: ${accept}`}`, async () => {
      const { id } = await makeImage({ size: 1000 });
      await store(id);
      const path = spell(template, id);
      const token = await tokenOf("demo");
      const headers = [
        "Content-Type: application/openstack-images-v2.1-json-patch",
        ...(accept === undefined ? [] : [`Accept: ${accept}`]),
      ];

      const body = '[{"op": "replace", "path": "/name", "value": "changed"}]';
      const patched = await curl(EDGE + path, { method: "PATCH", token, headers, body });
      const changed = (await nameAtGlance(id)) === "changed";
      assert.deepEqual([changed, patched.status < 300], [taken, taken], `PATCH: ${patched.status}`);
      if (changed) assert.ok(covers("PATCH", path, id), "the edge has to forget what Glance changed");
      assert.ok(await isStored(id), "a change evicts nothing");

      const deleted = await curl(EDGE + path, { method: "DELETE", token, headers });
      const gone = (await nameAtGlance(id)) === null;
      assert.deepEqual([gone, deleted.status < 300], [taken, taken], `DELETE: ${deleted.status}`);
      if (gone) assert.ok(covers("DELETE", path, id), "the edge has to forget what Glance deleted");
      assert.equal(await isStored(id), !gone);
    });
  }

  test("what changes an image from below is noticed too, and evicts nothing", async () => {
    const { id } = await makeImage({ size: 1000, visibility: "shared" });
    await store(id);
    for (const row of BELOW) {
      const [method = "", template = ""] = row.ask.split(" ");
      const path = spell(template, id);
      const options = "body" in row ? { body: row.body, headers: ["Content-Type: application/json"] } : {};
      const answer = await curl(EDGE + path, { method, token: await tokenOf(row.user), ...options });
      assert.ok(answer.status < 300, `${row.ask}: ${answer.status} ${answer.body.toString()}`);
      assert.ok(covers(method, path, id), row.ask);
    }
    assert.ok(await isStored(id));
    assert.equal((await curl(EDGE + filePath(id), { token: await tokenOf("demo") })).status, 200);
  });
});
