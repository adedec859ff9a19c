/** What this isolate was told of each image, and of everything. Gone with the isolate: who told it tells it again. */
import type { Env } from "../../../src/settings.ts";
import { Harms } from "./harm.ts";

const NONE = { injections: [], settings: {} };

export const known = {
  harms: new Map<string, Harms>(),
  d1Away: false,
};

/** What harms the calls of an image; nothing, where it was not told. */
export function harmsOf(imageId: string): Harms {
  return known.harms.get(imageId) ?? new Harms(NONE);
}

/** Each image has an origin of its own: what happens to that no other image sees. */
export function withOriginOf(env: Env, imageId: string): Env {
  const url = `${env.ORIGIN_URL}/t/${imageId}`;
  return { ...env, ORIGIN_URL: url, KEYSTONE_URL: url };
}
