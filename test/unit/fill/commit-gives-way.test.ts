import { expect, test } from "vitest";
import { duty } from "../../../src/fill/object/duty.ts";
import type { Event } from "../../../src/fill/object/events.ts";
import { step } from "../../../src/fill/object/rules.ts";
import { type FillState, newFill } from "../../../src/fill/object/state.ts";
import { COMMIT_AFTER_MS, COMMIT_LATEST_MS } from "../../../src/fill/object/times.ts";
import { sliceCount } from "../../../src/store/slice-plan.ts";

const DAY_MS = 86_400_000;
const NOW = 1_000_000;
const DONE = NOW + 5_000;

/** A fill whose last slice was stored at DONE. */
function complete(): FillState {
  const attempt = "11111111-0000-4000-8000-000000000001";
  const size = 64;
  const sliceBytes = 8;
  const subject = {
    imageId: "image",
    size,
    digest: { algorithm: "md5", hex: "0".repeat(32) },
    checksum: null,
  } as const;
  const events: [Event, number][] = [
    [{ on: "begin", subject, attempt, sliceBytes, partBytes: null }, NOW],
    [{ on: "stored", attempt, stored: sliceCount({ size, sliceBytes }), fetched: size, sums: [] }, DONE],
  ];
  return events.reduce((state, [event, at]) => step(state, event, at).state, newFill("image"));
}

test.each([
  { when: "just after the last slice", after: 0, readers: 0, expected: { do: "wait", until: DONE + COMMIT_AFTER_MS } },
  { when: "when nobody reads any more", after: COMMIT_AFTER_MS, readers: 0, expected: { do: "put" } },
  {
    when: "while clients read",
    after: COMMIT_AFTER_MS,
    readers: 64,
    expected: { do: "wait", until: DONE + 2 * COMMIT_AFTER_MS },
  },
  {
    when: "a moment before its latest time, while a slow client reads",
    after: COMMIT_LATEST_MS - 1,
    readers: 1,
    expected: { do: "wait", until: DONE + COMMIT_LATEST_MS },
  },
  {
    when: "at its latest time, while a slow client reads",
    after: COMMIT_LATEST_MS,
    readers: 1,
    expected: { do: "put" },
  },
])("the commit of a complete fill $when: $expected.do", ({ after, readers, expected }) => {
  expect(duty(complete(), DAY_MS, DONE + after, readers)).toEqual(expected);
});
