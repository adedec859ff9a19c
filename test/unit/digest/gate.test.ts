/** The digest gate: a `{ readable, writable }` pair that lets the end of an image through only if all of it is right. */
import { describe, expect, it } from "vitest";
import { Digester } from "../../../src/digest/digester.ts";
import { DigestGate, DigestMismatch, type GateOptions, TooShort } from "../../../src/digest/gate.ts";
import { bodyOf, content, digestOf } from "../../support/stored.ts";

const HELD = 64 * 1024;
const MIB = 2 ** 20;

/** What comes out of the gate, and why it ended early, if it did. */
interface Passed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly failure: unknown;
}

async function read(readable: ReadableStream<Uint8Array>): Promise<Passed> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const reader = readable.getReader();
  reader.closed.catch(() => undefined);
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return { bytes: joined(chunks), failure: null };
      chunks.push(new Uint8Array(value));
    }
  } catch (failure) {
    return { bytes: joined(chunks), failure };
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}

/** Sends a body through a gate. `verdict`: what `passed` rejects with, or null. */
async function through(body: ReadableStream<Uint8Array>, options: GateOptions): Promise<Passed & { verdict: unknown }> {
  const gate = new DigestGate(options);
  const verdict = gate.passed.then(
    () => null,
    (cause: unknown) => cause,
  );
  return { ...(await read(body.pipeThrough(gate))), verdict: await verdict };
}

const same = (a: Uint8Array, b: Uint8Array) => a.byteLength === b.byteLength && a.every((byte, at) => byte === b[at]);

describe.each([1, HELD - 1, HELD, HELD + 1, 2 * HELD + 7, MIB, MIB + HELD + 1, 3 * MIB + 5])(
  "an image of %i bytes",
  (size) => {
    it("goes through, byte by byte, when it is right", async () => {
      const bytes = content(size);
      const passed = await through(bodyOf(bytes), { digest: await digestOf(bytes), size });
      expect([passed.failure, passed.verdict, same(passed.bytes, bytes)]).toEqual([null, null, true]);
    });

    it.each([
      ["first", 0],
      ["middle", Math.floor(size / 2)],
      ["last", size - 1],
    ])("ends without its last bytes when its %s byte is wrong", async (_, at) => {
      const bytes = content(size);
      const digest = await digestOf(bytes);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      const passed = await through(bodyOf(bytes), { digest, size });
      expect(passed.verdict).toBeInstanceOf(DigestMismatch);
      expect(passed.failure).not.toBeNull();
      expect(passed.bytes.byteLength).toBeLessThanOrEqual(Math.max(0, size - HELD));
    });

    it("ends without its last bytes when there is one byte more", async () => {
      const bytes = content(size + 1);
      const digest = await digestOf(bytes.slice(0, size));
      const passed = await through(bodyOf(bytes), { digest, size });
      expect(passed.verdict).toBeInstanceOf(DigestMismatch);
      expect(passed.failure).not.toBeNull();
      expect(passed.bytes.byteLength).toBeLessThanOrEqual(Math.max(0, size - HELD));
    });

    it("ends without its last bytes when one is missing", async () => {
      const bytes = content(size);
      const passed = await through(bodyOf(bytes.slice(0, -1)), { digest: await digestOf(bytes), size });
      expect(passed.verdict).toBeInstanceOf(TooShort);
      expect(passed.failure).not.toBeNull();
      expect(passed.bytes.byteLength).toBeLessThanOrEqual(Math.max(0, size - HELD));
    });
  },
);

describe("the gate", () => {
  it.each(["sha512", "sha384", "sha256", "sha1", "md5"] as const)("knows the %s", async (algorithm) => {
    const bytes = content(200_000);
    const digest = await digestOf(bytes, algorithm);
    expect((await through(bodyOf(bytes), { digest, size: 200_000 })).verdict).toBeNull();
    const wrong = { ...digest, hex: digest.hex.replace(/^./, (digit) => (digit === "0" ? "1" : "0")) };
    expect((await through(bodyOf(bytes), { digest: wrong, size: 200_000 })).verdict).toBeInstanceOf(DigestMismatch);
  });

  it("lets bytes through as they come, a MiB at a time, but for the last 64 KiB", async () => {
    const size = 2 * MIB + HELD;
    const bytes = content(size);
    const gate = new DigestGate({ digest: await digestOf(bytes), size });
    const writer = gate.writable.getWriter();
    const reader = gate.readable.getReader({ mode: "byob" });
    const writing = writer.write(bytes);
    const { value } = await reader.readAtLeast(2 * MIB, new Uint8Array(size));
    expect(value?.byteLength).toBe(2 * MIB);
    await writing;
    let more = false;
    const rest = reader.readAtLeast(HELD, new Uint8Array(HELD)).then((result) => {
      more = true;
      return result.value;
    });
    await scheduler.wait(20);
    expect(more).toBe(false);
    await writer.close();
    expect((await rest)?.byteLength).toBe(HELD);
    await gate.passed;
  });

  it("takes small chunks as well as large ones", async () => {
    const size = 150_001;
    const bytes = content(size);
    const gate = new DigestGate({ digest: await digestOf(bytes), size });
    const reading = read(gate.readable);
    const writer = gate.writable.getWriter();
    for (let at = 0; at < size; at += 997) await writer.write(bytes.slice(at, at + 997));
    await writer.close();
    expect(same((await reading).bytes, bytes)).toBe(true);
  });

  it("stops reading what is too long, and does not wait for its end", async () => {
    const bytes = content(1_000);
    const gate = new DigestGate({ digest: await digestOf(bytes), size: 1_000 });
    const reading = read(gate.readable);
    const writer = gate.writable.getWriter();
    const endless = (async () => {
      for (;;) await writer.write(content(10_000));
    })();
    await expect(endless).rejects.toBeDefined();
    await expect(gate.passed).rejects.toBeInstanceOf(DigestMismatch);
    expect((await reading).bytes.byteLength).toBe(0);
  });

  it("breaks where its source broke, and says why", async () => {
    const bytes = content(400_000);
    const gate = new DigestGate({ digest: await digestOf(bytes), size: 400_000 });
    const reading = read(gate.readable);
    const writer = gate.writable.getWriter();
    await writer.write(bytes.slice(0, 200_000));
    await writer.abort(new Error("the origin is gone"));
    await expect(gate.passed).rejects.toThrow("the origin is gone");
    expect((await reading).failure).not.toBeNull();
  });

  it("tells its source when whoever reads has gone", async () => {
    const bytes = content(3 * MIB);
    const gate = new DigestGate({ digest: await digestOf(bytes), size: 3 * MIB });
    const reader = gate.readable.getReader();
    await Promise.all([
      gate.writable
        .getWriter()
        .write(bytes)
        .then(
          () => "written",
          () => "refused",
        )
        .then((end) => expect(end).toBe("refused")),
      reader.read().then(() => reader.cancel(new Error("the client left"))),
    ]);
    await expect(gate.passed).rejects.toBeDefined();
  });
});

describe("what was there before", () => {
  const SIZE = 300_000;

  it.each([1, 100_000, SIZE - HELD, SIZE - HELD + 1, SIZE - 1])(
    "counts for the digest and is not sent again: %i bytes",
    async (had) => {
      const bytes = content(SIZE);
      const prefix = new Digester("sha512");
      await prefix.write(bytes.slice(0, had));
      const options = { digest: await digestOf(bytes), size: SIZE, prefix };
      const passed = await through(bodyOf(bytes.slice(had)), options);
      expect([passed.verdict, same(passed.bytes, bytes.slice(had))]).toEqual([null, true]);
    },
  );

  it.each([1, 100_000, SIZE - 1])("makes the rest wrong when it was wrong: %i bytes", async (had) => {
    const bytes = content(SIZE);
    const prefix = new Digester("sha512");
    await prefix.write(new Uint8Array(had).fill(255));
    const options = { digest: await digestOf(bytes), size: SIZE, prefix };
    const passed = await through(bodyOf(bytes.slice(had)), options);
    expect(passed.verdict).toBeInstanceOf(DigestMismatch);
    expect(passed.bytes.byteLength).toBeLessThanOrEqual(Math.max(0, SIZE - HELD - had));
  });
});

describe("a digester", () => {
  it("knows the digest of nothing, and of what comes in pieces", async () => {
    expect(await new Digester("md5").finish()).toBe("d41d8cd98f00b204e9800998ecf8427e");
    const bytes = content(5_000);
    const digester = new Digester("sha256");
    for (let at = 0; at < 5_000; at += 777) await digester.write(bytes.subarray(at, at + 777));
    expect(digester.bytes).toBe(5_000);
    expect(await digester.finish()).toBe((await digestOf(bytes, "sha256")).hex);
  });

  it.each([0, 1, MIB - 1, MIB, 2 * MIB + 3])("reads a body of %i bytes to its end", async (size) => {
    const bytes = content(size);
    const digester = new Digester("sha512");
    await digester.absorb(bodyOf(bytes));
    expect(digester.bytes).toBe(size);
    expect(await digester.finish()).toBe((await digestOf(bytes)).hex);
  });

  it("tells when a body breaks", async () => {
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    const absorbing = new Digester("sha512").absorb(readable);
    await writer.write(content(10));
    await writer.abort(new Error("gone"));
    await expect(absorbing).rejects.toThrow("gone");
  });
});
