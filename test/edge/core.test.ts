import { describe, expect, it } from "vitest";
import {
  ask,
  bindings,
  calls,
  createImage,
  download,
  expectCalls,
  setFaults,
  settled,
  sha512,
  trueBytes,
} from "../support/scenario.ts";

const kept = async (id: string) => {
  for (let i = 0; i < 300; i++) {
    if ((await bindings.BUCKET.head(`images/${id}`)) !== null) return true;
    await scheduler.wait(50);
  }
  return false;
};
const drain = async () => {
  await settled();
  const c = await calls();
  await expectCalls(...c.map((x) => `${x.method} ${x.path}${x.range === null ? "" : ` ${x.range}`}`));
  return c.map((x) => `${x.method} ${x.path.slice(-10)} ${x.range ?? ""} ${x.status} ${x.bytes}`);
};
describe("core", () => {
  it("miss then hit", async () => {
    const image = await createImage({ size: 3_000_000 });
    const r = await download(image.id);
    console.log(r.status, r.headers.get("cache-status"), r.headers.get("content-length"));
    expect(await sha512(await r.arrayBuffer())).toBe(image.os_hash_value);
    expect(await kept(image.id)).toBe(true);
    const h = await download(image.id);
    console.log(h.status, h.headers.get("cache-status"));
    expect(await sha512(await h.arrayBuffer())).toBe(image.os_hash_value);
    const p = await download(image.id, { headers: { range: "bytes=1000000-1999999" } });
    expect(p.status).toBe(206);
    const bytes = await trueBytes(image.id);
    expect(new Uint8Array(await p.arrayBuffer())).toEqual(bytes.slice(1000000, 2000000));
    console.log(await drain());
  });
  it("storm of 12", async () => {
    const image = await createImage({ size: 4_000_000 });
    const all = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const r = await download(image.id);
        return sha512(await r.arrayBuffer());
      }),
    );
    for (const one of all) expect(one).toBe(image.os_hash_value);
    const c = await drain();
    console.log(c.filter((l) => l.includes("/file") && !l.includes("bytes=")));
  });
  it("wrong bytes", async () => {
    const image = await createImage({ size: 3_000_000 });
    await setFaults(image.id, { corruptAt: 1_500_000 });
    const r = await download(image.id);
    console.log(r.status);
    await expect(r.arrayBuffer()).rejects.toThrow();
    const p = await download(image.id, { headers: { range: "bytes=1000000-" } });
    console.log(p.status, await p.text());
    console.log(await drain());
  });
});
describe("large", () => {
  it("is kept in parts, hit, ranged across a part's boundary, deleted", async () => {
    const { fillEnv } = await import("../support/fill-env.ts");
    fillEnv.changes = { OBJECT_MAX_BYTES: String(1024 * 1024) };
    const image = await createImage({ size: 3_500_000 });
    const r = await download(image.id);
    expect(await sha512(await r.arrayBuffer())).toBe(image.os_hash_value);
    expect(await kept(image.id)).toBe(true);
    console.log((await bindings.BUCKET.list()).objects.map((o) => o.key).filter((k) => k.includes(image.id)));
    const h = await download(image.id);
    console.log(h.status, h.headers.get("cache-status"));
    expect(await sha512(await h.arrayBuffer())).toBe(image.os_hash_value);
    const bytes = await trueBytes(image.id);
    const p = await download(image.id, { headers: { range: "bytes=1000000-2999999" } });
    expect(p.status).toBe(206);
    expect(new Uint8Array(await p.arrayBuffer())).toEqual(bytes.slice(1000000, 3000000));
    await settled();
    const d = await ask(`/v2/images/${image.id}`, { method: "DELETE" });
    console.log(d.status);
    console.log((await bindings.BUCKET.list()).objects.map((o) => o.key).filter((k) => k.includes(image.id)));
    await drain();
  });
});
