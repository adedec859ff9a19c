import { describe, expect, it } from "vitest";
import { AnswerTooLarge, readText } from "../../../src/http/read-text.ts";
import { DeadlineExceeded } from "../../../src/lib/deadline.ts";

const WHAT = "an answer";

/** A body of such pieces that tells how many were taken, and whether it was cancelled. `endless`: of the last for ever. */
function body(pieces: readonly Uint8Array[], end: "ends" | "endless" | "hangs" | "breaks" = "ends") {
  const seen = { taken: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces[end === "endless" ? Math.min(seen.taken, pieces.length - 1) : seen.taken];
        if (piece !== undefined) {
          seen.taken++;
          return controller.enqueue(piece);
        }
        if (end === "hangs") return new Promise(() => undefined);
        if (end === "breaks") return controller.error(new TypeError("the connection broke"));
        controller.close();
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { response: new Response(stream), seen };
}

const bytes = (...values: number[]) => new Uint8Array(values);

describe("the text of an answer", () => {
  it("is read whole, with characters that lie across pieces", async () => {
    const { response } = body([bytes(0x61, 0xc3), bytes(0xbc), bytes(), bytes(0x62)]);
    expect(await readText(response, WHAT, 4, 1_000)).toBe("aüb");
  });

  it("is empty without a body, or with an empty one", async () => {
    expect(await readText(new Response(null), WHAT, 0, 1_000)).toBe("");
    expect(await readText(body([]).response, WHAT, 0, 1_000)).toBe("");
  });

  it("may have as many bytes as are allowed, and not one more", async () => {
    const of = () => body([bytes(0x61, 0x62), bytes(0x63)]);
    expect(await readText(of().response, WHAT, 3, 1_000)).toBe("abc");
    const { response, seen } = of();
    await expect(readText(response, WHAT, 2, 1_000)).rejects.toThrow(
      new AnswerTooLarge("an answer has more than 2 bytes"),
    );
    expect(seen.cancelled).toBe(true);
  });

  it("without an end is read no further than is allowed, and cancelled", async () => {
    const { response, seen } = body([new Uint8Array(100)], "endless");
    await expect(readText(response, WHAT, 1_000, 5_000)).rejects.toThrow(AnswerTooLarge);
    expect(seen).toEqual({ taken: 11, cancelled: true });
  });

  it("whose length says that it is too large is not read at all", async () => {
    const { response, seen } = body([new Uint8Array(100)], "endless");
    const stated = new Response(response.body, { headers: { "content-length": "1001" } });
    await expect(readText(stated, WHAT, 1_000, 5_000)).rejects.toThrow(AnswerTooLarge);
    expect(seen).toEqual({ taken: 0, cancelled: true });
  });

  it("that does not come to its end in time is given up, and cancelled", async () => {
    const { response, seen } = body([bytes(0x61)], "hangs");
    await expect(readText(response, WHAT, 1_000, 50)).rejects.toThrow(DeadlineExceeded);
    expect(seen).toEqual({ taken: 1, cancelled: true });
  });

  it("that breaks throws what broke it", async () => {
    await expect(readText(body([bytes(0x61)], "breaks").response, WHAT, 1_000, 1_000)).rejects.toThrow(
      "the connection broke",
    );
  });
});
