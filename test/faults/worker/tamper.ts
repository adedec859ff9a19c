/** What happens to stored things by another hand than the Fill's. */
import type { Env } from "../../../src/settings.ts";
import type { Tampering } from "../injection.ts";

/** @returns whether there was something to tamper with */
export async function tamper({ BUCKET, CATALOG }: Env, imageId: string, { what, how }: Tampering): Promise<boolean> {
  if (what === "index") {
    const tables = ["images", "fills", "queue"];
    const done = await CATALOG.batch(
      tables.map((table) => CATALOG.prepare(`DELETE FROM ${table} WHERE image_id = ?1`).bind(imageId)),
    );
    return done.some(({ meta }) => meta.changes > 0);
  }
  const prefix = what === "images" ? `images/${imageId}` : `${what}/${imageId}/`;
  const { objects } = await BUCKET.list({ prefix, include: ["customMetadata", "httpMetadata"] });
  // One in the middle.
  const object = objects[Math.floor(objects.length / 2)];
  if (object === undefined) return false;
  const { key, size, customMetadata = {} } = object;
  switch (how) {
    case "lost":
      await BUCKET.delete(key);
      break;
    case "short":
      await BUCKET.put(key, new Uint8Array(Math.floor(size / 2)), { customMetadata });
      break;
    case "foreign":
      await BUCKET.put(key, new Uint8Array(size).fill(0x66), { customMetadata });
      break;
  }
  return true;
}
