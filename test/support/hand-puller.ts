/**
 * A puller that a test plays itself, so that it can die at any point without a word: it asks the Fill for a turn and
 * stores slices as a download would.
 */
import { expect } from "vitest";
import type { Subject, Turn } from "../../src/fill/protocol.ts";
import { sliceLength, sliceStart } from "../../src/store/slice-plan.ts";
import { SliceStore } from "../../src/store/slices.ts";
import { fillClient, fillStub } from "./bindings.ts";
import { bindings, control, type Image, MARK, type OriginCall, trueBytes } from "./scenario.ts";

export interface HandPuller {
  readonly turn: Extract<Turn, { do: "pull" }>;
  /** The name under which it asked. */
  readonly reader: string;
  /** Stores the image's true bytes of one slice and reports it under a lease, its own by default. */
  store(slice: number, lease?: string): Promise<void>;
  /** Says that it lives and has received more. */
  beat(): Promise<void>;
  /** Says that its digest gate agreed with all of the image. */
  agree(): Promise<void>;
}

export function subjectOf(image: Image): Subject {
  const hex = image.os_hash_value ?? "";
  const digest = { algorithm: "sha512", hex } as const;
  return { imageId: image.id, blob: `sha512-${hex}`, digest, checksum: image.checksum, size: image.size };
}

/** Takes the lease of an image's fill. The rights that it leaves behind are those of the token `demo`. */
export async function pullByHand(image: Image): Promise<HandPuller> {
  const subject = subjectOf(image);
  const ask = { reader: crypto.randomUUID(), generation: null, need: { what: "slice", slice: 0 } } as const;
  const errand = { target: { api: "v2", imageId: image.id }, headers: [["x-auth-token", "demo"]] } as const;
  const turn = await fillClient(image.id).turn(subject, ask, 0, errand);
  expect(turn.do).toBe("pull");
  if (turn.do !== "pull") throw new Error("somebody else pulls");
  const bytes = await trueBytes(image.id);
  const plan = { size: image.size, sliceBytes: turn.sliceBytes };
  const { blob, generation } = turn;
  let received = 0;
  return {
    turn,
    reader: ask.reader,
    async store(slice, lease = turn.lease) {
      const start = sliceStart(plan, slice);
      const piece = bytes.slice(start, start + sliceLength(plan, slice));
      const put = await new SliceStore(bindings.BUCKET).put(blob, generation, slice, piece);
      await fillStub(image.id).stored(lease, generation, blob, slice, put.etag, put.kind === "exists");
    },
    async agree() {
      await fillStub(image.id).agreed(turn.lease, generation);
    },
    async beat() {
      await fillStub(image.id).alive(turn.lease, generation, ++received);
    },
  };
}

/** The calls for an image's data under the rights that {@link pullByHand} left, which carry no test's mark. */
export async function callsOnErrand(image: Image): Promise<OriginCall[]> {
  const all: OriginCall[] = await (await control("GET", "/requests")).json();
  return all.filter(
    (call) => call.path === `/v2/images/${image.id}/file` && call.token === "demo" && !(MARK in call.headers),
  );
}
