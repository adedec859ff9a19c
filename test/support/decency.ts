/** What holds for every answer of the edge, whatever was asked and whatever stands behind it. */
import { expect } from "vitest";

/** Lines of a stack, and what only a thrown error calls itself. */
const INTERNALS = /\n\s+at |\.ts\b|\b(Type|Range|Syntax|Reference|Data)Error\b|worker\.js|<anonymous>/;

/** No failure of the edge's own, and nothing of its insides. @returns the body */
export async function decent(response: Response): Promise<Uint8Array> {
  const body = new Uint8Array(await response.arrayBuffer());
  const text = new TextDecoder().decode(body);
  expect(text, `status ${response.status}`).not.toMatch(/The edge failed to answer/);
  expect(text).not.toMatch(INTERNALS);
  return body;
}
