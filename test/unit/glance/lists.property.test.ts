/** Whatever comes in the place of Glance's lists of images, what is read of them is what it says, or one of the errors that are named. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isGlance } from "../../../src/glance/ask-record.ts";
import { BadOriginAnswer } from "../../../src/glance/bad-answer.ts";
import { ListRefused, listChanged } from "../../../src/glance/list-changed.ts";
import { AnswerTooLarge } from "../../../src/http/read-text.ts";
import { readSettings } from "../../../src/settings.ts";
import { bindings } from "../../support/env.ts";
import { bytesOf, hostile } from "../../support/hostile.ts";
import { holds } from "../../support/property.ts";
import { Scripted } from "../../support/scripted.ts";

const ID = "11111111-2222-4333-8444-555555555555";
const ENTRY = { id: ID, status: "active", size: 5, updated_at: "2026-11-25T00:00:00Z", tags: ["a"], name: "n" };
const list = fc.oneof(
  hostile({ images: [ENTRY], next: "/v2/images?marker=x", first: "/v2/images" }),
  hostile(ENTRY).map((entry) => `{"images":[${entry},${JSON.stringify(ENTRY)}],"next":"x"}`),
);
const status = fc.oneof(
  { weight: 9, arbitrary: fc.constant(200) },
  { weight: 1, arbitrary: fc.constantFrom(206, 400, 500) },
);

function saying(status: number, text: string) {
  const origin = new Scripted(() => new Response(bytesOf(text), { status }));
  return readSettings({ ...bindings, ORIGIN: origin.binding });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytesOf(text)));
  } catch {
    return undefined;
  }
}

describe("whatever comes as a list of images", () => {
  it("is read for ids, times and records that it has, or is an error that is named", async () => {
    await holds(
      fc.asyncProperty(status, list, async (status, text) => {
        const place = { from: "2026-11-24T00:00:00Z", marker: null };
        try {
          const { images } = await listChanged(saying(status, text), "token", place);
          const said = (parse(text) as { images: { id: unknown }[] }).images.map((entry) => Object(entry).id);
          for (const { imageId, updatedAt, record } of images) {
            expect(said).toContain(imageId);
            expect(imageId).toMatch(/^[0-9a-f-]{36}$/);
            expect(updatedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
            expect(typeof record.status).toBe("string");
          }
        } catch (cause) {
          const known = [BadOriginAnswer, ListRefused, AnswerTooLarge].some((kind) => cause instanceof kind);
          if (!known) throw cause;
        }
      }),
      150,
    );
  });

  it("shows that Glance answers only where it is one", async () => {
    await holds(
      fc.asyncProperty(status, list, async (status, text) => {
        const answers = await isGlance(new Headers(), saying(status, text)).catch((cause: unknown) => {
          if (cause instanceof AnswerTooLarge) return false;
          throw cause;
        });
        if (answers) expect([status, Array.isArray(Object(parse(text)).images)]).toEqual([200, true]);
      }),
      100,
    );
  });
});
