import { describe, expect, it } from "vitest";
import { Digester, DigestGate, DigestMismatch } from "../../src/download/digest-gate.ts";
import type { Digest } from "../../src/store/blob.ts";

const HELD = 64 * 1024;

/** A client that keeps what it gets. */
class Client {
  readonly #chunks: Uint8Array[] = [];

  async write(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk.slice());
  }

  get length(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  }

  /** Whether it has these bytes and no more. */
  has(bytes: Uint8Array): boolean {
    let at = 0;
    for (const chunk of this.#chunks) {
      if (chunk.some((byte, index) => byte !== bytes[at + index])) return false;
      at += chunk.byteLength;
    }
    return at === bytes.byteLength;
  }
}

function content(size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8)) % 251);
}

async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<Digest> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return { algorithm: "sha256", hex: Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("") };
}

async function writeAll(gate: DigestGate, bytes: Uint8Array, chunkBytes: number): Promise<void> {
  // One buffer for all chunks, as a puller has: the gate must have let go of it when a write is done.
  const buffer = new Uint8Array(chunkBytes);
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    const chunk = bytes.subarray(at, at + chunkBytes);
    buffer.set(chunk);
    await gate.write(buffer.subarray(0, chunk.byteLength));
  }
}

const SIZES = [1, HELD - 1, HELD, HELD + 1, 2 * HELD + 7];
const CHUNKS = [4_000, HELD - 1, HELD, HELD + 1, 2 ** 20];

describe.each(SIZES)("an image of %i bytes", (size) => {
  it.each(CHUNKS)(
    "in chunks of %i goes through but for the last bytes, and these when it agrees",
    async (chunkBytes) => {
      const bytes = content(size);
      const client = new Client();
      const gate = new DigestGate(await digestOf(bytes), size, client);
      await writeAll(gate, bytes, chunkBytes);
      expect(client.length).toBe(Math.max(0, size - HELD));
      await gate.finish();
      expect(client.has(bytes)).toBe(true);
    },
  );

  it.each(CHUNKS)("in chunks of %i that is wrong ends without its last bytes", async (chunkBytes) => {
    const bytes = content(size);
    const digest = await digestOf(bytes);
    bytes[size - 1] = (bytes[size - 1] ?? 0) ^ 1;
    const client = new Client();
    const gate = new DigestGate(digest, size, client);
    await writeAll(gate, bytes, chunkBytes);
    await expect(gate.finish()).rejects.toBeInstanceOf(DigestMismatch);
    expect(client.length).toBe(Math.max(0, size - HELD));
  });
});

it("an image that is wrong in its first byte only ends without its last bytes", async () => {
  const bytes = content(200_000);
  const digest = await digestOf(bytes);
  bytes[0] = 255;
  const client = new Client();
  const gate = new DigestGate(digest, bytes.byteLength, client);
  await writeAll(gate, bytes, 50_000);
  await expect(gate.finish()).rejects.toBeInstanceOf(DigestMismatch);
  expect(client.length).toBe(200_000 - HELD);
});

it("an image that ends early does not agree", async () => {
  const bytes = content(200_000);
  const client = new Client();
  const gate = new DigestGate(await digestOf(bytes), bytes.byteLength, client);
  await writeAll(gate, bytes.subarray(0, 199_999), 50_000);
  await expect(gate.finish()).rejects.toBeInstanceOf(DigestMismatch);
});

it("bytes beyond the image's size are held back and do not agree", async () => {
  const bytes = content(200_000);
  const client = new Client();
  const gate = new DigestGate(await digestOf(bytes), bytes.byteLength, client);
  await writeAll(gate, bytes, 50_000);
  await gate.write(new Uint8Array(10));
  await expect(gate.finish()).rejects.toBeInstanceOf(DigestMismatch);
  expect(client.length).toBe(200_000 - HELD);
});

describe("what the client has already", () => {
  it.each([1, 100_000, 200_000 - HELD, 199_999])(
    "counts for the digest and is not sent again: %i bytes",
    async (had) => {
      const bytes = content(200_000);
      const client = new Client();
      const gate = new DigestGate(await digestOf(bytes), bytes.byteLength, client);
      await gate.absorb(bytes.subarray(0, had));
      await writeAll(gate, bytes.subarray(had), 30_000);
      expect(client.length).toBe(Math.max(0, 200_000 - HELD - had));
      await gate.finish();
      expect(client.has(bytes.subarray(had))).toBe(true);
    },
  );

  it("makes the rest wrong when it was wrong", async () => {
    const bytes = content(200_000);
    const client = new Client();
    const gate = new DigestGate(await digestOf(bytes), bytes.byteLength, client);
    await gate.absorb(new Uint8Array(100_000));
    await writeAll(gate, bytes.subarray(100_000), 30_000);
    await expect(gate.finish()).rejects.toBeInstanceOf(DigestMismatch);
  });
});

it("a client that is gone is told to whoever writes", async () => {
  const gone = { write: () => Promise.reject(new Error("the client is gone")) };
  const bytes = content(200_000);
  const gate = new DigestGate(await digestOf(bytes), bytes.byteLength, gone);
  await expect(gate.write(bytes)).rejects.toThrow("the client is gone");
});

describe("a digester", () => {
  it.each([
    [
      "sha512",
      "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    ],
    ["sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["sha1", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
    ["md5", "d41d8cd98f00b204e9800998ecf8427e"],
  ] as const)("knows the %s of nothing", async (algorithm, hex) => {
    expect(await new Digester({ algorithm, hex }).agrees()).toBe(true);
    expect(await new Digester({ algorithm, hex: hex.replace(/^./, "0") }).agrees()).toBe(false);
  });
});
