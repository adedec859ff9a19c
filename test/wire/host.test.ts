/** What a client says in Host is its own affair: it may break no answer, and stands in nothing but the answer to itself. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type EdgeProcess, startEdge } from "../support/node/edge-process.ts";
import { fieldsOfHead, sendRaw } from "./raw-origin.ts";
import { type Image, Origin, stored, until } from "./support.ts";

const origin = new Origin();
const ends: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const end of ends) await end();
});

let started: Promise<EdgeProcess> | null = null;
/** An edge without PUBLIC_URL, with a queue whose notifications come to the demo origin. */
function edge(): Promise<EdgeProcess> {
  started ??= newEdge();
  return started;
}

async function newEdge(): Promise<EdgeProcess> {
  const url = await origin.start();
  const persist = await mkdtemp(join(tmpdir(), "edge-host-"));
  const vars = {
    ORIGIN_URL: url,
    KEYSTONE_URL: url,
    NOTIFICATIONS_URL: `${origin.controlUrl}/t/host/_demo/notifications`,
    SLICE_BYTES: String(512 * 1024),
  };
  const process = await startEdge({ persist, vars, queues: { maxRetries: 1 } });
  ends.push(async () => {
    await process.stop();
    await rm(persist, { recursive: true });
  });
  return process;
}

describe("a Host that is none", () => {
  it.each(["a b", "[::1", "exa<mple", "a:b:c", "host:99999", "%"])(
    "%j is a Glance-shaped 400, whatever is asked",
    async (host) => {
      const { url } = await edge();
      for (const line of ["GET /v2/images", "GET /", "DELETE /v2/cache", "POST /v2/images", "OPTIONS /v2/images"]) {
        const answer = await sendRaw(url, `${line} HTTP/1.1`, `Host: ${host}`, "Accept: application/json");
        expect(answer.status).toBe(400);
        expect(JSON.parse(answer.body)).toEqual({
          message: "The Host of this request is no host name.<br /><br />\n\n\n",
          code: "400 Bad Request",
          title: "Bad Request",
        });
        expect(fieldsOfHead(answer.head, "x-openstack-request-id")).toHaveLength(1);
      }
    },
  );
});

describe("without PUBLIC_URL the Host of a client", () => {
  const HOST = "attacker.example:99";

  it("is what that client is told, in Location, versions and nodes", async () => {
    const { url } = await edge();
    const fields = [`Host: ${HOST}`, "X-Auth-Token: admin", "Content-Type: application/json", "Content-Length: 2"];
    const created = await sendRaw(url, "POST /v2/images HTTP/1.1", ...fields, "", "{}");
    expect(fieldsOfHead(created.head, "location").join()).toMatch(/^http:\/\/attacker\.example:99\/v2\/images\//);
    const versions = await sendRaw(url, "GET /versions HTTP/1.1", `Host: ${HOST}`);
    expect(versions.body).toContain(`http://${HOST}/v2/`);
    const image = await origin.createImage({ size: 700_000 });
    await download(url, image);
    await stored(url, image);
    const nodes = await sendRaw(
      url,
      `GET /v2/cache/nodes/${image.id} HTTP/1.1`,
      `Host: ${HOST}`,
      "X-Auth-Token: admin",
    );
    expect(JSON.parse(nodes.body)).toEqual([`http://${HOST}`]);
  });

  it("is in no notification and in no line of the log", async () => {
    const process = await edge();
    const image = await origin.createImage({ size: 700_000 });
    await download(process.url, image);
    const delivered = async () => (await fetch(`${origin.controlUrl}/t/host/_demo/notifications`)).text();
    await until("the notification", 10_000, async () => (await delivered()).includes(image.id));
    expect(await delivered()).toContain("image.glance-edge");
    expect(await delivered()).not.toContain("attacker");
    // A failure too: nobody listens for this Keystone token.
    await sendRaw(process.url, "GET /v2/cache HTTP/1.1", `Host: ${HOST}`, "X-Auth-Token: forged");
    expect(process.logs().join("\n")).not.toContain("attacker");
  });

  async function download(url: string, { id }: Image): Promise<void> {
    const answer = await sendRaw(url, `GET /v2/images/${id}/file HTTP/1.1`, `Host: ${HOST}`, "X-Auth-Token: demo");
    expect(answer.status).toBe(200);
  }
});
