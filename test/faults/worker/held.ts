/** What R2, D1 and the Fill hold of an image, told without any harm. */
import { toHex } from "../../../src/lib/hex.ts";
import type { Env } from "../../../src/settings.ts";
import type { Held, HeldObject } from "../injection.ts";
import type { Fill } from "./fill.ts";
import { harmsOf } from "./known.ts";

/** @param digest whether the SHA-512 of each object is taken */
export async function heldOf(env: Env, imageId: string, digest: boolean): Promise<Held> {
  const rows = (table: string, columns: string) =>
    env.CATALOG.prepare(`SELECT ${columns} FROM ${table} WHERE image_id = ?1`).bind(imageId);
  const [keys, [images, fills, queue], fill] = await Promise.all([
    Promise.all([`images/${imageId}`, `fills/${imageId}/`, `parts/${imageId}/`].map((prefix) => list(env, prefix))),
    env.CATALOG.batch([rows("images", "attempt, size"), rows("fills", "1"), rows("queue", "1")]),
    fillOf(env, imageId).onDisk(),
  ]);
  const objects = keys.flat();
  return {
    objects: digest ? await Promise.all(objects.map((object) => digested(env, object))) : objects,
    images: (images?.results ?? []) as { attempt: string; size: number }[],
    fills: fills?.results.length ?? 0,
    queue: queue?.results.length ?? 0,
    fill,
    reached: harmsOf(imageId).reached,
  };
}

export function fillOf(env: Env, imageId: string): DurableObjectStub<Fill> {
  const fills = env.FILL as unknown as DurableObjectNamespace<Fill>;
  return fills.get(fills.idFromName(imageId));
}

async function list({ BUCKET }: Env, prefix: string): Promise<HeldObject[]> {
  const { objects } = await BUCKET.list({ prefix, include: ["customMetadata"] });
  return objects.map(({ key, size, customMetadata = {} }) => ({ key, size, metadata: customMetadata }));
}

async function digested({ BUCKET }: Env, object: HeldObject): Promise<HeldObject> {
  const there = await BUCKET.get(object.key);
  if (there === null) return object;
  const sha512 = toHex(await crypto.subtle.digest("SHA-512", await there.arrayBuffer()));
  return { ...object, sha512 };
}
