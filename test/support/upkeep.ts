/** What the upkeep works with: the real bindings, a clock that the test has in its hand, and the lines that it logs. */
import type { Edge } from "../../src/context.ts";
import { FillClient } from "../../src/fill/client.ts";
import type { RoomTools } from "../../src/fill/make-room.ts";
import { readSettings, type Settings } from "../../src/settings.ts";
import { ObjectStore } from "../../src/store/objects.ts";
import { bucketBut } from "./bindings.ts";
import { bindings } from "./env.ts";
import { catalog, cursors, log, objects, parts, room, slices } from "./store.ts";

export type UpkeepTools = Pick<
  Edge,
  "catalog" | "room" | "slices" | "objects" | "parts" | "cursors" | "fills" | "settings" | "now" | "log"
>;

export const NOW = 1_000_000_000;
export const NEVER = Number.POSITIVE_INFINITY;

/** The tools at the time {@link NOW}. */
export function upkeepTools(settings: Partial<Settings> = {}, other: Partial<UpkeepTools> = {}): UpkeepTools {
  return {
    catalog,
    room,
    slices,
    objects,
    parts,
    cursors,
    log,
    fills: bindings.FILL,
    settings: { ...readSettings(bindings), ...settings },
    now: () => NOW,
    ...other,
  };
}

/** A clock that stands still at {@link NOW} until it was looked at so often, and is an hour ahead from then on. */
export function clockThatJumps(looks: number): () => number {
  let left = looks;
  return () => (left-- > 0 ? NOW : NOW + 3_600_000);
}

/** Fills of which none can be reached. */
export const unreachableFills = new Proxy(bindings.FILL, {
  get(target, name) {
    if (name === "get") return () => new Proxy({}, { get: () => () => Promise.reject(new Error("no route to it")) });
    const value: unknown = Reflect.get(target, name);
    return typeof value === "function" ? value.bind(target) : value;
  },
});

/** The tools of who makes room, at the time {@link NOW}. */
export function roomTools(other: Partial<UpkeepTools> = {}): RoomTools {
  const { catalog, room, fills, log, now } = upkeepTools({}, other);
  return { catalog, room, fill: (imageId) => new FillClient(fills, imageId, log), log, now };
}

/** Kept images in an R2 that can't be read where the key tells it. */
export function unreadableObjects(where: (key: string) => boolean): ObjectStore {
  return new ObjectStore(
    bucketBut({
      get: (key: string, options: R2GetOptions) =>
        where(key) ? Promise.reject(new Error("R2 is down")) : bindings.BUCKET.get(key, options),
    }),
  );
}

/** Kept images of which one has rotted: R2 says of it what it always said, and gives other bytes. */
export function rotten(imageId: string): ObjectStore {
  return new ObjectStore(
    bucketBut({
      get: async (key: string, options: R2GetOptions) => {
        const object = await bindings.BUCKET.get(key, options);
        if (object === null || key !== `images/${imageId}`) return object;
        const bytes = new Uint8Array(await object.arrayBuffer());
        bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
        const { body } = new Response(bytes);
        return new Proxy(object, { get: (target, name) => (name === "body" ? body : Reflect.get(target, name)) });
      },
    }),
  );
}
