import { describe, expect, it } from "vitest";
import { endOfAttempt } from "../../../src/fill/object/count.ts";
import type { Phase } from "../../../src/fill/object/state.ts";
import type { FillProblem } from "../../../src/fill/protocol.ts";
import { attempt, NOW, PHASES } from "../../support/fill-states.ts";

const failed = (why: FillProblem): Phase => ({ is: "failed", why, until: NOW, attempt: "mine", resume: null });

describe("an attempt", () => {
  it.each<[string, Phase, Phase, string | null]>([
    ["is kept", PHASES.complete, PHASES.kept, "kept"],
    ["did not match", PHASES.filling, failed("digest-mismatch"), "mismatch"],
    ["has no room", PHASES.filling, failed("no-room"), "no-room"],
    ["was failed by the origin", PHASES.filling, failed("fill-failed"), "failed"],
    ["was failed by the store", PHASES.complete, failed("store-unavailable"), "failed"],
    ["was stopped", PHASES.filling, { is: "idle" }, "stopped"],
    ["has lost its slices", PHASES.filling, failed("fill-stopped"), "stopped"],
    [
      "gave way to another",
      PHASES.filling,
      { ...attempt(0, { attempt: "other" }), is: "filling", notBefore: 0 },
      "stopped",
    ],
    ["goes on", PHASES.filling, PHASES.complete, null],
    ["was kept before", PHASES.kept, { is: "idle" }, null],
    ["begins", { is: "idle" }, PHASES.filling, null],
    ["had failed before", failed("fill-failed"), PHASES.filling, null],
  ])("that %s counts once, as that", (_, before, after, result) => {
    expect(endOfAttempt(before, after)).toBe(result);
  });
});
