/** Uploads, snapshots and downloads have one endpoint, the relay, and what is larger than Cloudflare takes never passes the edge. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { describe, expect, it } from "vitest";
import { STORES } from "../openstack/lib/glance.ts";
import { openstack } from "./support/clients.ts";
import { content, MIB, useSite } from "./support/site.ts";

const SIZE = 300 * MIB;

describe.each(STORES)("with a store of %s access", (store) => {
  const site = useSite({ store });

  it("an image of 300 MiB goes up by glance and down by openstack, through the endpoint of the catalogue", async () => {
    const source = join(site.directory, "source.raw");
    await writeFile(source, content("clients", SIZE));
    const format = ["--disk-format", "raw", "--container-format", "bare"];
    const made = await openstack(
      "glance",
      site.directory,
      "image-create",
      "--name",
      "large",
      ...format,
      "--file",
      source,
    );
    const id = /\| id +\| ([0-9a-f-]{36})/.exec(made)?.[1] ?? "";
    expect(made).toMatch(/\| status +\| active/);
    const edge = await site.exchanges("edge");
    expect(edge.filter(({ path }) => path !== "/edge/ready")).toEqual([]);

    const target = join(site.directory, "target.raw");
    for (const costs of [SIZE, 0]) {
      await site.forget();
      await openstack("openstack", site.directory, "image", "save", "--file", target, id);
      expect(await sha512(target)).toBe(await sha512(source));
      expect((await site.uplink()).edge).toBe(costs);
      await rm(target);
    }
    await openstack("openstack", site.directory, "image", "delete", id);
    await expect(openstack("openstack", site.directory, "image", "save", "--file", target, id)).rejects.toThrow();
  });
});

async function sha512(path: string): Promise<string> {
  const hash = createHash("sha512");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
