/** A reader of R2 as it is, or of another bucket, whose Fill says what a test has it say. */
import { Reader } from "../../src/download/reader.ts";
import { FillClient } from "../../src/fill/client.ts";
import type { FillCalls } from "../../src/fill/protocol.ts";
import { createLog } from "../../src/lib/log.ts";
import { ObjectStore } from "../../src/store/objects.ts";
import { PartStore } from "../../src/store/parts.ts";
import { SliceStore } from "../../src/store/slices.ts";
import { bucket } from "./stored.ts";

interface ToldReader {
  readonly imageId: string;
  /** Bytes of the image. */
  readonly size: number;
  /** The Fill's answer to each question. */
  readonly follow: FillCalls["follow"];
  /** Where it finds slices. */
  readonly store?: R2Bucket;
  readonly range?: { readonly from: number; readonly to: number } | null;
}

export function toldReader({ imageId, size, follow, store = bucket, range = null }: ToldReader): Reader {
  const fill: Pick<FillCalls, "follow" | "left"> = { follow, left: async () => undefined };
  const fills = { idFromName: () => null, get: () => fill } as unknown as DurableObjectNamespace;
  const log = createLog({});
  return new Reader({
    subject: { imageId, size, digest: { algorithm: "sha512", hex: "" }, checksum: null },
    range,
    rights: () => ({ target: { api: "v2", imageId }, headers: [] }),
    fill: new FillClient(fills, imageId, log),
    slices: new SliceStore(store),
    objects: new ObjectStore(bucket),
    parts: new PartStore(bucket),
    signal: new AbortController().signal,
    log,
  });
}
