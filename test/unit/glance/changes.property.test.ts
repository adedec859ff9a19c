/** However an image is spelt in a path that changes it, what is remembered of it does not outlive the change. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { changeOf } from "../../../src/glance/changes.ts";
import { holds } from "../../support/property.ts";

const ID = "11111111-2222-4333-8444-55555555abcd";

/** A text with letters in the other case, or encoded, once or several times. */
function spelt(text: string): fc.Arbitrary<string> {
  const letters = [...text].map((letter) =>
    fc.constantFrom(letter, letter, letter, letter.toUpperCase(), ...encodings(letter)),
  );
  return fc.tuple(...letters).map((all) => all.join(""));
}

function encodings(letter: string): string[] {
  const once = `%${letter.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return [once, once.toUpperCase(), once.replace("%", "%25"), once.replace("%", "%2525")];
}

const slash = fc.constantFrom("/", "/", "/", "//", "\\", "%2f", "%5C", "%252F");
const before = fc.constantFrom("v2", "v2.7", "v1", "", "image", "metadefs", "x/..", "%2e%2e", "images");
const behind = fc.constantFrom("", "file", "members/x", "actions/deactivate", "tags/a", "..", ".", "locations", "%00");

it("in whatever spelling", async () => {
  const method = fc.constantFrom("PUT", "POST", "PATCH", "DELETE", "PROPPATCH");
  const parts = fc.tuple(slash, before, slash, spelt("images"), slash, spelt(ID), slash, behind);
  await holds(
    fc.asyncProperty(method, parts, async (method, all) => {
      const { images } = changeOf(method, all.join(""));
      if (images !== "any") expect(images).toContain(ID);
    }),
    500,
  );
});
