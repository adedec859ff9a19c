/** The clients that people use, through the edge. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { EDGE, WORK_DIR, withoutEdge } from "./addresses.ts";
import { curl, field, glance, openstack } from "./clients.ts";
import { content, filePath, forgetCounts, imageBytesFromGlance, sha512, store, tokenOf, untilHit } from "./cloud.ts";

const SIZE = 5 * 1024 * 1024 + 17;
const source = join(WORK_DIR, "clients.raw");
const bytes = Buffer.concat([...content("clients", SIZE)]);

before(() => writeFile(source, bytes));

const RAW = ["--disk-format", "raw", "--container-format", "bare"];

describe("the openstack client", () => {
  let id = "";

  test("creates an image through the edge", async () => {
    const made = await openstack(
      "demo",
      "image",
      "create",
      ...RAW,
      "--file",
      source,
      "--private",
      "-f",
      "json",
      "by-osc",
    );
    id = idIn(made);
    const record = JSON.parse(await openstack("demo", "image", "show", "-f", "json", id));
    assert.equal(record.status, "active");
    assert.equal(record.size, SIZE);
    assert.equal(record.properties.os_hash_value, sha512(bytes));
  });

  test("lists the image", async () => {
    const list: { ID: string; Name: string }[] = JSON.parse(await openstack("demo", "image", "list", "-f", "json"));
    assert.ok(list.some((image) => image.ID === id && image.Name === "by-osc"));
  });

  test("saves the image, the first time and as a hit", async () => {
    const target = join(WORK_DIR, "saved.raw");
    await openstack("demo", "image", "save", "--file", target, id);
    assert.equal(sha512(await readFile(target)), sha512(bytes));
    await untilHit(id, 30);
    await forgetCounts();
    await openstack("demo", "image", "save", "--file", target, id);
    assert.equal(sha512(await readFile(target)), sha512(bytes));
    if (withoutEdge === false) assert.equal(await imageBytesFromGlance(), 0);
  });

  test("deletes the image, and then there is none", async () => {
    await openstack("demo", "image", "delete", id);
    await assert.rejects(openstack("demo", "image", "show", id), /No Image found for/);
    await assert.rejects(openstack("demo", "image", "save", "--file", join(WORK_DIR, "none.raw"), id));
    assert.equal((await curl(EDGE + filePath(id), { token: await tokenOf("demo") })).status, 404);
  });
});

describe("the glance client", () => {
  let id = "";

  test("creates an image with its data through the edge", async () => {
    id = idInTable(await glance("demo", "image-create", ...RAW, "--name", "by-glance", "--file", source));
    assert.match(await glance("demo", "image-show", id), /\| status +\| active/);
  });

  test("downloads the image and finds its digest right, the first time and as a hit", async () => {
    const target = join(WORK_DIR, "downloaded.raw");
    for (const _ of ["miss", "hit"]) {
      await glance("demo", "image-download", "--file", target, id);
      assert.equal(sha512(await readFile(target)), sha512(bytes));
      await untilHit(id, 30);
    }
  });

  test("updates a stored image, which stays a hit", async () => {
    const updated = await glance("demo", "image-update", "--name", "renamed", "--property", "colour=blue", id);
    assert.match(updated, /\| name +\| renamed/);
    assert.match(await glance("demo", "image-show", id), /\| colour +\| blue/);
    await untilHit(id, 1);
  });

  test("lists and deletes the image", async () => {
    assert.match(await glance("demo", "image-list"), new RegExp(`${id} \\| renamed`));
    await glance("demo", "image-delete", id);
    assert.doesNotMatch(await glance("demo", "image-list"), new RegExp(id));
  });
});

describe("curl", () => {
  test("creates, uploads, downloads and deletes an image through the edge", async () => {
    const token = await tokenOf("demo");
    const made = await curl(`${EDGE}/v2/images`, {
      method: "POST",
      token,
      headers: ["Content-Type: application/json"],
      body: JSON.stringify({ name: "by-curl", disk_format: "raw", container_format: "bare" }),
    });
    assert.equal(made.status, 201);
    const id = idIn(made.body.toString());
    const type = ["Content-Type: application/octet-stream"];
    const sent = await curl(EDGE + filePath(id), { method: "PUT", token, headers: type, body: bytes });
    assert.equal(sent.status, 204);
    await store(id);
    const got = await curl(EDGE + filePath(id), { token });
    assert.equal(sha512(got.body), sha512(bytes));
    assert.equal(field(got.headers, "content-type"), "application/octet-stream");
    assert.equal((await curl(`${EDGE}/v2/images/${id}`, { method: "DELETE", token })).status, 204);
    assert.equal((await curl(EDGE + filePath(id), { token })).status, 404);
  });

  test("gets 204 for an image without data, and nothing is stored", async () => {
    const token = await tokenOf("demo");
    const made = await curl(`${EDGE}/v2/images`, {
      method: "POST",
      token,
      headers: ["Content-Type: application/json"],
      body: JSON.stringify({ disk_format: "raw", container_format: "bare" }),
    });
    const empty = await curl(EDGE + filePath(idIn(made.body.toString())), { token });
    assert.equal(empty.status, 204);
    assert.equal(empty.body.length, 0);
  });
});

function idIn(json: string): string {
  const { id } = JSON.parse(json) as { id: unknown };
  assert.ok(typeof id === "string");
  return id;
}

function idInTable(table: string): string {
  const id = /\| id +\| ([0-9a-f-]{36})/.exec(table)?.[1];
  assert.ok(id !== undefined, table);
  return id;
}
