import { describe, expect, it } from "vitest";
import { type OpenSlice, SliceStore } from "../../src/store/slices.ts";
import { bindings } from "../support/env.ts";

const bucket = bindings.BUCKET;
const store = new SliceStore(bucket);
const bytes = (text: string) => Uint8Array.from(new TextEncoder().encode(text));
const WHOLE = { slice: 0, size: 5, offset: 0, length: 5 };

/** A blob of its own for each test: they share one bucket. */
const newBlob = () => `sha256-${crypto.randomUUID()}`;
const text = async (slice: OpenSlice | null) => (slice === null ? null : new Response(slice.body).text());

async function md5(content: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("MD5", content));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

describe("a put", () => {
  it("stores a slice, and its etag is its MD5", async () => {
    const blob = newBlob();
    const answer = await store.put(blob, "g", 0, bytes("hello"));
    expect(answer).toEqual({ kind: "created", etag: await md5(bytes("hello")) });
    expect(await text(await store.open(blob, "g", WHOLE, answer.etag))).toBe("hello");
  });

  it("leaves a slice that is there, and tells of it", async () => {
    const blob = newBlob();
    const first = await store.put(blob, "g", 0, bytes("hello"));
    expect(await store.put(blob, "g", 0, bytes("other!"))).toEqual({ kind: "exists", etag: first.etag, size: 5 });
    expect(await text(await store.open(blob, "g", WHOLE, null))).toBe("hello");
  });

  it("of one of two at once wins", async () => {
    const blob = newBlob();
    const answers = await Promise.all(["hello", "world"].map((word) => store.put(blob, "g", 0, bytes(word))));
    expect(answers.map((answer) => answer.kind).sort()).toEqual(["created", "exists"]);
    expect(new Set(answers.map((answer) => answer.etag)).size).toBe(1);
  });

  it("in another generation is another slice", async () => {
    const blob = newBlob();
    await store.put(blob, "g", 0, bytes("hello"));
    expect((await store.put(blob, "h", 0, bytes("world"))).kind).toBe("created");
    expect(await text(await store.open(blob, "g", WHOLE, null))).toBe("hello");
  });

  it("with the right md5 is taken", async () => {
    const blob = newBlob();
    expect((await store.put(blob, "g", 0, bytes("hello"), await md5(bytes("hello")))).kind).toBe("created");
  });

  it("with a wrong md5 is refused and stores nothing", async () => {
    const blob = newBlob();
    await expect(store.put(blob, "g", 0, bytes("hello"), await md5(bytes("world")))).rejects.toThrow();
    expect(await store.open(blob, "g", WHOLE, null)).toBeNull();
  });
});

describe("opening a slice", () => {
  it("gives a part of it", async () => {
    const blob = newBlob();
    const { etag } = await store.put(blob, "g", 0, bytes("hello"));
    expect(await text(await store.open(blob, "g", { ...WHOLE, offset: 1, length: 3 }, etag))).toBe("ell");
    expect(await text(await store.open(blob, "g", { ...WHOLE, offset: 4, length: 1 }, null))).toBe("o");
  });

  it("that is missing gives null", async () => {
    expect(await store.open(newBlob(), "g", WHOLE, null)).toBeNull();
    expect(await store.open(newBlob(), "g", { ...WHOLE, offset: 1, length: 3 }, "etag")).toBeNull();
  });

  it("that was changed since gives null, a part of it as well", async () => {
    const blob = newBlob();
    const { etag } = await store.put(blob, "g", 0, bytes("hello"));
    await bucket.put(`blobs/${blob}/g/0`, "world");
    expect(await store.open(blob, "g", WHOLE, etag)).toBeNull();
    expect(await store.open(blob, "g", { ...WHOLE, offset: 1, length: 3 }, etag)).toBeNull();
  });

  it("that is shorter or longer than it should be gives null", async () => {
    const blob = newBlob();
    await store.put(blob, "g", 0, bytes("hell"));
    await store.put(blob, "g", 1, bytes("hello!"));
    expect(await store.open(blob, "g", WHOLE, null)).toBeNull();
    expect(await store.open(blob, "g", { ...WHOLE, offset: 1, length: 3 }, null)).toBeNull();
    expect(await store.open(blob, "g", { ...WHOLE, slice: 1 }, null)).toBeNull();
  });

  it("that ends before the part gives null", async () => {
    const blob = newBlob();
    await store.put(blob, "g", 0, bytes("he"));
    expect(await store.open(blob, "g", { ...WHOLE, offset: 3, length: 2 }, null)).toBeNull();
  });

  it("that was changed and ends before the part gives null", async () => {
    const blob = newBlob();
    const { etag } = await store.put(blob, "g", 0, bytes("hello"));
    await bucket.put(`blobs/${blob}/g/0`, "he");
    expect(await store.open(blob, "g", { ...WHOLE, offset: 3, length: 2 }, etag)).toBeNull();
  });
});

describe("removing", () => {
  it("a slice makes room for a true one", async () => {
    const blob = newBlob();
    await store.put(blob, "g", 0, bytes("wrong"));
    await store.remove(blob, "g", 0);
    expect((await store.put(blob, "g", 0, bytes("right"))).kind).toBe("created");
  });

  it("a generation removes more slices than one list or one delete takes, and nothing else", async () => {
    const blob = newBlob();
    const other = `${blob}0`;
    for (let at = 0; at < 1_050; at += 150) {
      await Promise.all(Array.from({ length: 150 }, (_, index) => bucket.put(`blobs/${blob}/g/${at + index}`, "")));
    }
    const kept = [`blobs/${blob}/g2/0`, `blobs/${blob}/h/0`, `blobs/${other}/g/0`];
    await Promise.all(kept.map((key) => bucket.put(key, "")));
    await store.removeGeneration(blob, "g");
    const { objects } = await bucket.list({ prefix: `blobs/${blob}` });
    expect(objects.map((object) => object.key)).toEqual(kept);
  }, 30_000);

  it("what is not there is no error", async () => {
    const blob = newBlob();
    await store.remove(blob, "g", 0);
    await store.removeGeneration(blob, "g");
    expect((await bucket.list({ prefix: `blobs/${blob}` })).objects).toEqual([]);
  });
});

describe("a generation", () => {
  it("is empty as long as it has no slice of its own", async () => {
    const blob = newBlob();
    expect(await store.isEmpty(blob, "g")).toBe(true);
    // Neither another generation's nor another blob's are.
    await store.put(blob, "gg", 0, bytes("hello"));
    await store.put(`${blob}0`, "g", 0, bytes("hello"));
    expect(await store.isEmpty(blob, "g")).toBe(true);
    await store.put(blob, "g", 7, bytes("hello"));
    expect(await store.isEmpty(blob, "g")).toBe(false);
    await store.remove(blob, "g", 7);
    expect(await store.isEmpty(blob, "g")).toBe(true);
  });
});
