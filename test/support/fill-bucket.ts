/** Fills whose bucket misbehaves: the real one with some of its methods replaced. */
import { bucketBut } from "./bindings.ts";
import { bindings } from "./env.ts";
import { CALM, fillEnv } from "./fill-env.ts";

export type Put = (...put: Parameters<R2Bucket["put"]>) => Promise<R2Object | null>;

/** Whether an R2 key is that of a slice. */
export const isSlice = (key: string) => key.startsWith("fills/");

/** A call of R2 that fails, and one that never ends. */
export const broken = () => Promise.reject(new Error("R2 is down"));
export const never = () => new Promise<never>(() => undefined);

/** From now on Fills have this in the place of the bucket. */
export function fillsHave(replaced: Parameters<typeof bucketBut>[0]): void {
  fillEnv.changes = { ...CALM, BUCKET: bucketBut(replaced) };
}

export function realPut(...put: Parameters<R2Bucket["put"]>): Promise<R2Object | null> {
  return bindings.BUCKET.put(...put);
}
