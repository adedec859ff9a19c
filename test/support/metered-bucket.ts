/** The real bucket with a meter: what lies in it at any moment, puts under way included, and what was done when. */
import { bucketBut } from "./bindings.ts";
import { bindings } from "./scenario.ts";

export interface MeteredBucket {
  readonly bucket: R2Bucket;
  /** Bytes that are there now. */
  bytes(): number;
  /** The most that ever was there at the same time, bytes. */
  peak(): number;
  /** `put` and `delete`, each with its key, in the order in which they began and ended respectively. */
  readonly log: readonly { readonly what: "put" | "delete"; readonly key: string }[];
}

export function meterBucket(): MeteredBucket {
  const sizes = new Map<string, number>();
  const log: { what: "put" | "delete"; key: string }[] = [];
  let peak = 0;
  const bytes = () => [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const put = async (key: string, value: Uint8Array | ReadableStream | string, options?: R2PutOptions) => {
    log.push({ what: "put", key });
    if (value instanceof Uint8Array) {
      // From here on it may be there.
      sizes.set(key, value.byteLength);
      peak = Math.max(peak, bytes());
    }
    const object = await bindings.BUCKET.put(key, value, options);
    if (object !== null) sizes.set(key, object.size);
    peak = Math.max(peak, bytes());
    return object;
  };
  const remove = async (keys: string | string[]) => {
    await bindings.BUCKET.delete(keys);
    for (const key of [keys].flat()) {
      sizes.delete(key);
      log.push({ what: "delete", key });
    }
  };
  return { bucket: bucketBut({ put, delete: remove }), bytes, peak: () => peak, log };
}
