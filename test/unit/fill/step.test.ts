/** What each event changes in each phase of a fill, and what is to be done then. */
import { describe, expect, it } from "vitest";
import { duty } from "../../../src/fill/object/duty.ts";
import type { Event } from "../../../src/fill/object/events.ts";
import { LEFT_ALONE_MS, step } from "../../../src/fill/object/rules.ts";
import { type FillState, newFill } from "../../../src/fill/object/state.ts";
import {
  COMMIT_AFTER_MS,
  FAILED_MS,
  PUT_AGAIN_MS,
  RANGES_AFTER_MISMATCH_MS,
  REOPEN_MS,
  TOMBSTONE_MS,
} from "../../../src/fill/object/times.ts";
import {
  attempt,
  fillIn,
  IMAGE_ID,
  NOW,
  OTHER_SUBJECT,
  PHASE_NAMES,
  PHASES,
  type PhaseName,
  SLICES,
  SUBJECT,
} from "../../support/fill-states.ts";

const T = NOW + 1_000;
const STONE = { attempt: "mine", at: T + TOMBSTONE_MS };
const BEGIN = { on: "begin", subject: SUBJECT, attempt: "next", sliceBytes: 8, partBytes: null } as const;
const KEPT = { attempt: "kept before", subject: SUBJECT };

const stepped = (state: FillState, event: Event) => step(state, event, T);
const effectsOf = (state: FillState, event: Event) => stepped(state, event).effects;
const phaseOf = (state: FillState, event: Event) => stepped(state, event).state.phase;

/** Each event about an attempt, for one. */
const about = (name: string): Event[] => [
  { on: "room", attempt: name, answer: "had" },
  { on: "room", attempt: name, answer: "denied" },
  { on: "room", attempt: name, answer: "denied-to-policy" },
  { on: "stored", attempt: name, stored: 2, fetched: 2, sums: [] },
  { on: "stored", attempt: name, stored: SLICES, fetched: 3, sums: [] },
  { on: "broken", attempt: name, fetched: 2, by: "origin" },
  { on: "broken", attempt: name, fetched: 2, by: "store" },
  { on: "failed", attempt: name, why: "encoded", keep: false },
  { on: "failed", attempt: name, why: "store-unavailable", keep: true },
  { on: "mismatched", attempt: name },
  { on: "putting", attempt: name },
  { on: "postponed", attempt: name, until: T },
  { on: "put", attempt: name, answer: "kept" },
  { on: "put", attempt: name, answer: "wrong-digest" },
  { on: "put", attempt: name, answer: "unknown" },
  { on: "lost", attempt: name },
  { on: "swept", attempt: name },
];

describe.each(PHASE_NAMES)("a fill that is %s", (name) => {
  it.each(about("gone").map((event) => [JSON.stringify(event), event] as const))(
    "is not changed by an event about an attempt that is gone: %s",
    (_, event) => {
      const state = fillIn(name);
      const next = stepped(state, event);
      expect(next.state).toBe(state);
      expect(next.effects).toEqual([]);
    },
  );

  // What is listed here changes it; all other events about its own attempt do not.
  const heeds: Record<PhaseName, readonly Event["on"][]> = {
    idle: [],
    filling: ["room", "stored", "broken", "failed", "mismatched"],
    complete: ["room", "failed", "putting", "postponed", "put"],
    kept: ["lost", "swept"],
    "kept without slices": ["lost", "swept"],
    failed: [],
    "failed, to be resumed": [],
    mismatched: [],
  };
  it.each(about("mine").map((event) => [JSON.stringify(event), event] as const))(
    "heeds of its own attempt only what fits: %s",
    (_, event) => {
      const state = fillIn(name);
      expect(stepped(state, event).state !== state).toBe(heeds[name].includes(event.on));
    },
  );

  it("remembers whether it is queued", () => {
    expect(stepped(fillIn(name), { on: "queued", queued: true })).toEqual({
      state: fillIn(name, { queued: true }),
      effects: [],
    });
    expect(stepped(fillIn(name, { queued: true }), { on: "queued", queued: false }).state).toEqual(fillIn(name));
  });

  it("is idle when it was stopped, and the object goes with all that is stored", () => {
    const left = name !== "idle" && name !== "failed" && name !== "mismatched";
    const { state, effects } = stepped(fillIn(name), { on: "stop", read: false });
    expect(state).toEqual(fillIn("idle", { tombstones: left ? [STONE] : [] }));
    expect(effects).toEqual([
      ...(name === "filling" ? [{ do: "abort-pull" }] : []),
      { do: "remove-object" },
      ...(left ? [{ do: "drop", attempt: "mine" }] : []),
    ]);
  });

  it("remembers what R2 has of another attempt when it is stopped: should that not be removed now, it goes later", () => {
    const { state, effects } = stepped(fillIn(name), { on: "stop", read: false, found: "other" });
    expect(state.tombstones).toContainEqual({ attempt: "other", at: T + TOMBSTONE_MS });
    expect(effects).toContainEqual({ do: "remove-object" });
    expect(effects).toContainEqual({ do: "drop", attempt: "other" });
  });

  it("gives its place in the queue back when it was stopped", () => {
    expect(effectsOf(fillIn(name, { queued: true }), { on: "stop", read: false })).toContainEqual({
      do: "queue-failed",
      why: "fill-stopped",
    });
    expect(stepped(fillIn(name, { queued: true }), { on: "stop", read: false }).state.queued).toBe(false);
  });

  it("keeps what is not its business when it was stopped", () => {
    const other = { attempt: "older", at: 5 };
    const state = fillIn(name, { leftAloneUntil: NOW + 5, tombstones: [other] });
    const next = stepped(state, { on: "stop", read: false }).state;
    expect(next.leftAloneUntil).toBe(NOW + 5);
    expect(next.tombstones).toContainEqual(other);
  });

  it("looks for what stopped attempts have put again later, and has its own duty meanwhile", () => {
    const tombstones = ["a", "b"].map((stone) => ({ attempt: stone, at: NOW }));
    const { state, effects } = stepped(fillIn(name, { tombstones }), { on: "burying", attempts: ["a", "b"] });
    expect(state).toEqual(
      fillIn(name, { tombstones: tombstones.map((stone) => ({ ...stone, at: T + TOMBSTONE_MS })) }),
    );
    expect(effects).toEqual([]);
    expect(duty(state, 10 ** 9, T).do).not.toBe("bury");
  });

  it("forgets the tombstones that have been seen to, and no other", () => {
    const stones = ["a", "b", "c"].map((stone) => ({ attempt: stone, at: 5 }));
    const next = stepped(fillIn(name, { tombstones: stones }), { on: "buried", attempts: ["a", "c"] });
    expect(next).toEqual({ state: fillIn(name, { tombstones: [{ attempt: "b", at: 5 }] }), effects: [] });
  });
});

describe("an attempt begins", () => {
  const fresh = {
    ...attempt(0, { attempt: "next", storedAt: T, room: "unknown", fetched: 0 }),
    is: "filling",
    notBefore: T,
  };

  it("in a new fill", () => {
    expect(stepped(newFill(IMAGE_ID), BEGIN)).toEqual({
      state: { ...newFill(IMAGE_ID), phase: fresh },
      effects: [{ do: "pull" }],
    });
  });

  it.each<PhaseName>(["idle", "failed", "mismatched"])("in one that is %s", (name) => {
    expect(stepped(fillIn(name), BEGIN)).toEqual({ state: fillIn(fresh as never), effects: [{ do: "pull" }] });
  });

  it.each<PhaseName>(["filling", "complete"])("never beside another one: %s", (name) => {
    const state = fillIn(name);
    expect(stepped(state, BEGIN).state).toBe(state);
    expect(effectsOf(state, BEGIN)).toEqual([]);
  });

  it.each<PhaseName>(["kept", "kept without slices"])("in place of one that is %s, whose slices go", (name) => {
    expect(stepped(fillIn(name), BEGIN)).toEqual({
      state: fillIn(fresh as never, { tombstones: [STONE] }),
      effects: [{ do: "drop", attempt: "mine" }, { do: "pull" }],
    });
  });

  it("where the one before can go on, if that was about the same content; what that cost is forgiven", () => {
    expect(stepped(fillIn("failed, to be resumed"), BEGIN)).toEqual({
      state: fillIn({ ...attempt(1, { fetched: 0 }), is: "filling", notBefore: T }),
      effects: [{ do: "pull" }],
    });
  });

  it("anew where that was about another content, which goes", () => {
    const { state, effects } = stepped(fillIn("failed, to be resumed"), { ...BEGIN, subject: OTHER_SUBJECT });
    expect(state.phase).toMatchObject({ is: "filling", attempt: "next", subject: OTHER_SUBJECT, stored: 0 });
    expect(state.tombstones).toEqual([STONE]);
    expect(effects).toEqual([{ do: "drop", attempt: "mine" }, { do: "pull" }]);
  });

  it("of an image that is left alone, which it stays until it agrees", () => {
    expect(stepped(fillIn("mismatched", { leftAloneUntil: T + 5 }), BEGIN).state.leftAloneUntil).toBe(T + 5);
  });
});

describe("a stored slice", () => {
  it("is counted, and with it the reopenings begin anew", () => {
    const state = fillIn({ ...attempt(1, { reopenings: 2 }), is: "filling", notBefore: NOW });
    expect(stepped(state, { on: "stored", attempt: "mine", stored: 2, fetched: 5, sums: [] })).toEqual({
      state: fillIn({ ...attempt(2, { storedAt: T, fetched: 5 }), is: "filling", notBefore: NOW }),
      effects: [],
    });
  });

  it("that was counted already changes nothing", () => {
    const state = fillIn("filling");
    expect(stepped(state, { on: "stored", attempt: "mine", stored: 1, fetched: 9, sums: [] }).state).toBe(state);
    expect(stepped(state, { on: "stored", attempt: "mine", stored: 0, fetched: 9, sums: [] }).state).toBe(state);
  });

  it("that is the last makes the fill complete, to be kept a little later", () => {
    expect(stepped(fillIn("filling"), { on: "stored", attempt: "mine", stored: SLICES, fetched: 3, sums: [] })).toEqual(
      {
        state: fillIn({ ...attempt(SLICES, { storedAt: T }), is: "complete", putAt: T + COMMIT_AFTER_MS, puts: 0 }),
        effects: [],
      },
    );
  });

  it("does not save an attempt that has cost the image three times", () => {
    const stored = (fetched: number) =>
      phaseOf(fillIn("filling"), { on: "stored", attempt: "mine", stored: 2, fetched, sums: [] });
    expect(stored(3 * SLICES - 1)).toMatchObject({ is: "filling" });
    expect(stored(3 * SLICES)).toMatchObject({ is: "failed", why: "fill-failed", resume: null });
  });

  it("that is the last is worth what it has cost", () => {
    const last: Event = { on: "stored", attempt: "mine", stored: SLICES, fetched: 99, sums: [] };
    expect(phaseOf(fillIn("filling"), last)).toMatchObject({ is: "complete" });
  });
});

describe("room", () => {
  it.each<PhaseName>(["filling", "complete"])("that was had is noted: %s", (name) => {
    const state = fillIn({ ...(fillIn(name).phase as never as FillState["phase"]), room: "unknown" } as never);
    expect(stepped(state, { on: "room", attempt: "mine", answer: "had" })).toEqual({
      state: fillIn(name),
      effects: [],
    });
  });

  it.each<PhaseName>(["filling", "complete"])(
    "that is denied ends the attempt, and nothing of it stays: %s",
    (name) => {
      const { state, effects } = stepped(fillIn(name), { on: "room", attempt: "mine", answer: "denied" });
      expect(state).toEqual(
        fillIn(
          { is: "failed", why: "no-room", attempt: "mine", until: T + FAILED_MS, resume: null },
          { tombstones: [STONE] },
        ),
      );
      expect(effects).toEqual([{ do: "abort-pull" }, { do: "drop", attempt: "mine" }]);
    },
  );

  it.each<PhaseName>(["filling", "complete"])(
    "that is denied to a policy leaves nothing for clients to be told: %s",
    (name) => {
      const room = { on: "room", attempt: "mine", answer: "denied-to-policy" } as const;
      const { state, effects } = stepped({ ...fillIn(name), queued: true }, room);
      expect(state).toEqual(fillIn({ is: "idle" }, { tombstones: [STONE] }));
      expect(effects).toEqual([
        { do: "abort-pull" },
        { do: "drop", attempt: "mine" },
        { do: "queue-failed", why: "no-room" },
      ]);
    },
  );
});

describe("a pull that broke", () => {
  const broken = (reopenings: number, fetched = 2, by: "origin" | "store" = "origin", stored = 1) =>
    stepped(fillIn({ ...attempt(stored, { reopenings }), is: "filling", notBefore: NOW }, { queued: true }), {
      on: "broken",
      attempt: "mine",
      fetched,
      by,
    });

  it.each([0, 1, 2])("begins again after a pause: %i before", (reopenings) => {
    expect(broken(reopenings).state.phase).toEqual({
      ...attempt(1, { reopenings: reopenings + 1, fetched: 2 }),
      is: "filling",
      notBefore: T + (REOPEN_MS[reopenings] ?? Number.NaN),
    });
    expect(broken(reopenings).effects).toEqual([]);
  });

  it.each(["origin", "store"] as const)(
    "too often without a new slice fails, and what is stored stays for the next one: by the %s",
    (by) => {
      const { state, effects } = broken(3, 2, by);
      const why = by === "origin" ? "fill-failed" : "store-unavailable";
      expect(state.phase).toEqual({
        is: "failed",
        why,
        attempt: "mine",
        until: T + FAILED_MS,
        resume: attempt(1, { reopenings: 4, fetched: 2 }),
      });
      expect(state.tombstones).toEqual([]);
      expect(effects).toEqual([{ do: "abort-pull" }, { do: "queue-failed", why }]);
    },
  );

  it("too often with nothing stored leaves nothing", () => {
    const { state, effects } = broken(3, 2, "origin", 0);
    expect(state.phase).toMatchObject({ is: "failed", resume: null });
    expect(state.tombstones).toEqual([STONE]);
    expect(effects).toContainEqual({ do: "drop", attempt: "mine" });
  });

  it("after three times the image fails, however seldom it broke, and begins at nothing then", () => {
    expect(broken(0, 3 * SLICES - 1).state.phase).toMatchObject({ is: "filling" });
    expect(broken(0, 3 * SLICES).state.phase).toMatchObject({ is: "failed", why: "fill-failed", resume: null });
  });
});

describe("an object that was made anew", () => {
  it("counts that as a reopening, so that one which never lasts comes to an end", () => {
    const ends: string[] = [];
    let state = fillIn("filling");
    for (let restarts = 0; restarts < 4; restarts++) {
      state = stepped(state, { on: "restarted" }).state;
      ends.push(state.phase.is);
    }
    expect(ends).toEqual(["filling", "filling", "filling", "failed"]);
  });

  it("removes later still what stopped attempts have put: nobody waits for the end of their puts any more", () => {
    const tombstones = [
      { attempt: "a", at: T - 1 },
      { attempt: "b", at: T + 2 * TOMBSTONE_MS },
    ];
    expect(stepped(fillIn("idle", { tombstones }), { on: "restarted" }).state.tombstones).toEqual([
      { attempt: "a", at: T + TOMBSTONE_MS },
      { attempt: "b", at: T + 2 * TOMBSTONE_MS },
    ]);
  });

  it("fails when the put was begun as often as it may be, and hung each time", () => {
    const complete = (puts: number) => fillIn({ ...PHASES.complete, puts }, { queued: true });
    const last = complete(PUT_AGAIN_MS.length);
    expect(stepped(last, { on: "restarted" })).toEqual({ state: last, effects: [] });
    const { state, effects } = stepped(complete(PUT_AGAIN_MS.length + 1), { on: "restarted" });
    expect(state.phase).toMatchObject({ is: "failed", why: "store-unavailable", resume: null });
    expect(state.tombstones).toEqual([STONE]);
    expect(effects).toContainEqual({ do: "drop", attempt: "mine" });
    expect(effects).toContainEqual({ do: "queue-failed", why: "store-unavailable" });
  });

  it.each(PHASE_NAMES.filter((name) => name !== "filling"))("goes on where it was: %s", (name) => {
    const state = fillIn(name);
    expect(stepped(state, { on: "restarted" })).toEqual({ state, effects: [] });
  });
});

describe("a failure", () => {
  const failed = (keep: boolean, stored = 1) =>
    stepped(fillIn({ ...attempt(stored), is: "filling", notBefore: NOW }, { queued: true }), {
      on: "failed",
      attempt: "mine",
      why: "store-unavailable",
      keep,
    });

  it("of which something is worth keeping leaves its slices", () => {
    expect(failed(true)).toEqual({
      state: fillIn({
        is: "failed",
        why: "store-unavailable",
        attempt: "mine",
        until: T + FAILED_MS,
        resume: attempt(1),
      }),
      effects: [{ do: "abort-pull" }, { do: "queue-failed", why: "store-unavailable" }],
    });
  });

  it.each([
    ["that keeps nothing", false, 1],
    ["with nothing stored", true, 0],
  ] as const)("%s drops its slices, now and once more later", (_, keep, stored) => {
    const { state, effects } = failed(keep, stored);
    expect(state.phase).toMatchObject({ is: "failed", resume: null });
    expect(state.tombstones).toEqual([STONE]);
    expect(effects).toEqual([
      { do: "abort-pull" },
      { do: "drop", attempt: "mine" },
      { do: "queue-failed", why: "store-unavailable" },
    ]);
  });

  it("of one that is not queued is not told to the queue", () => {
    const event: Event = { on: "failed", attempt: "mine", why: "encoded", keep: false };
    expect(effectsOf(fillIn("filling"), event)).not.toContainEqual({ do: "queue-failed", why: "encoded" });
  });
});

describe("wrong data", () => {
  it.each<[string, FillState, Event]>([
    ["at the gate", fillIn("filling"), { on: "mismatched", attempt: "mine" }],
    ["at the put", fillIn("complete"), { on: "put", attempt: "mine", answer: "wrong-digest" }],
  ])("ends the attempt, and the image is left alone for a day: %s", (_, state, event) => {
    expect(stepped(state, event)).toEqual({
      state: fillIn(
        { is: "failed", why: "digest-mismatch", attempt: "mine", until: T + FAILED_MS, resume: null },
        { leftAloneUntil: T + LEFT_ALONE_MS, tombstones: [STONE] },
      ),
      effects: [{ do: "abort-pull" }, { do: "drop", attempt: "mine" }],
    });
  });
});

describe("the put", () => {
  const put = (answer: "kept" | "wrong-digest" | "unknown", change: Partial<FillState> = {}, puts = 1) =>
    stepped(fillIn({ ...attempt(SLICES), is: "complete", putAt: NOW, puts }, change), {
      on: "put",
      attempt: "mine",
      answer,
    });

  it("is counted when it begins, and not begun again at once should the object be made anew", () => {
    expect(phaseOf(fillIn("complete"), { on: "putting", attempt: "mine" })).toMatchObject({
      puts: 1,
      putAt: T + COMMIT_AFTER_MS,
    });
  });

  it("waits where there is no word about room", () => {
    const event: Event = { on: "postponed", attempt: "mine", until: T + 5 };
    expect(phaseOf(fillIn("complete"), event)).toMatchObject({ is: "complete", puts: 0, putAt: T + 5 });
  });

  it("that succeeded makes the image kept, its slices still there", () => {
    expect(put("kept", { queued: true })).toEqual({
      state: fillIn({ ...attempt(SLICES), is: "kept", since: T, slices: true }),
      effects: [{ do: "index", filling: attempt(SLICES) }],
    });
  });

  it("of an image whose data was wrong before refuses ranges for ten minutes more", () => {
    expect(put("kept", { leftAloneUntil: T + LEFT_ALONE_MS }).state.leftAloneUntil).toBe(T + RANGES_AFTER_MISMATCH_MS);
    expect(put("kept", { leftAloneUntil: T }).state.leftAloneUntil).toBe(0);
  });

  it.each([1, 2, 3])("whose fate is unknown is tried again after a pause: the %i.", (puts) => {
    expect(put("unknown", {}, puts)).toEqual({
      state: fillIn({
        ...attempt(SLICES),
        is: "complete",
        puts,
        putAt: T + (PUT_AGAIN_MS[puts - 1] ?? Number.NaN),
      }),
      effects: [],
    });
  });

  it("that never succeeds ends the attempt", () => {
    expect(put("unknown", {}, 4).state.phase).toMatchObject({ is: "failed", why: "store-unavailable", resume: null });
  });
});

describe("what R2 holds already", () => {
  it.each<PhaseName>(["idle", "failed", "mismatched"])("is kept from then on: %s", (name) => {
    const { state, effects } = stepped(fillIn(name), { on: "found", kept: KEPT });
    expect(state.phase).toMatchObject({
      is: "kept",
      attempt: "kept before",
      subject: SUBJECT,
      slices: false,
      since: T,
    });
    expect(effects).toEqual([]);
  });

  it("takes the place of what could have been resumed, which goes, now and once more later", () => {
    const { state, effects } = stepped(fillIn("failed, to be resumed"), { on: "found", kept: KEPT });
    expect(state.phase).toMatchObject({ is: "kept", attempt: "kept before" });
    expect(state.tombstones).toEqual([STONE]);
    expect(effects).toEqual([{ do: "drop", attempt: "mine" }]);
  });

  it.each<PhaseName>(["filling", "complete", "kept"])("changes nothing of a fill that is %s", (name) => {
    const state = fillIn(name);
    expect(stepped(state, { on: "found", kept: KEPT }).state).toBe(state);
  });

  it("of a stopped attempt is not kept: its tombstone will remove it", () => {
    const state = fillIn("idle", { tombstones: [{ attempt: "kept before", at: T + 5 }] });
    expect(stepped(state, { on: "found", kept: KEPT }).state).toBe(state);
  });
});

describe("a kept image that is lost", () => {
  const event: Event = { on: "lost", attempt: "mine" };

  it("is put again from its slices, and nothing is removed beside that put", () => {
    expect(stepped(fillIn("kept"), event)).toEqual({
      state: fillIn({ ...attempt(SLICES), is: "complete", putAt: T + COMMIT_AFTER_MS, puts: 0 }),
      effects: [],
    });
  });

  it("is begun anew where they have gone, and its parts go", () => {
    expect(stepped(fillIn("kept without slices"), event)).toEqual({
      state: fillIn("idle"),
      effects: [{ do: "remove-object" }, { do: "drop", attempt: "mine" }],
    });
  });
});

describe("the end of a kept image's slices", () => {
  it.each<PhaseName>(["kept", "kept without slices"])("ends the fill: %s", (name) => {
    expect(stepped(fillIn(name), { on: "swept", attempt: "mine" })).toEqual({ state: fillIn("idle"), effects: [] });
  });

  it.each(PHASE_NAMES.filter((name) => !name.startsWith("kept")))("changes no other: %s", (name) => {
    const state = fillIn(name);
    expect(stepped(state, { on: "swept", attempt: "mine" }).state).toBe(state);
  });
});
