/** The look at what has changed at the origin: nothing is passed over, whatever happens between two pages or two runs. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { readSelection } from "../../../src/lib/selection.ts";
import { readSettings, type Settings } from "../../../src/settings.ts";
import { warm } from "../../../src/upkeep/warm.ts";
import { bindings } from "../../support/env.ts";
import { keepLines } from "../../support/lines.ts";
import { catalog, cursors, emptyStore, log, queue } from "../../support/store.ts";
import { NEVER, NOW } from "../../support/upkeep.ts";

const lines = keepLines();

interface Listed {
  readonly id: string;
  /** Seconds. */
  at: number;
  tags: string[];
  readonly other?: Readonly<Record<string, unknown>>;
}

/** A Glance that lists images as glance/api/v2/images.py does, at most `most` at a time. */
class FakeGlance {
  images: Listed[] = [];
  most = 1_000;
  asked: URLSearchParams[] = [];
  /** What happens before the answer to a list. */
  before: (page: number, query: URLSearchParams) => Response | undefined = () => undefined;

  add(count: number, at: (index: number) => number, tags = ["boot"]): void {
    for (let index = 0; index < count; index++) this.images.push({ id: crypto.randomUUID(), at: at(index), tags });
  }

  answer(url: string): Response {
    const query = new URL(url).searchParams;
    const early = this.before(this.asked.length, query);
    this.asked.push(query);
    if (early !== undefined) return early;
    const since = Date.parse(query.get("updated_at")?.replace("gte:", "") ?? "") / 1000;
    const order = this.images.filter(({ at }) => at >= since).sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
    const marker = query.get("marker");
    const behind = marker === null ? 0 : order.findIndex(({ id }) => id === marker) + 1;
    if (marker !== null && behind === 0) return new Response(null, { status: 400 });
    const limit = Math.min(Number(query.get("limit")), this.most);
    const page = order.slice(behind, behind + limit);
    const next = page.length === limit ? { next: "/v2/images?marker=x" } : {};
    return Response.json({ images: page.map(recordOf), ...next });
  }
}

function recordOf({ id, at, tags, other }: Listed) {
  const updated_at = `${new Date(at * 1000).toISOString().slice(0, 19)}Z`;
  const digest = { os_hash_algo: "sha512", os_hash_value: "a".repeat(128), checksum: "c".repeat(32) };
  return {
    id,
    status: "active",
    size: 10,
    ...digest,
    owner: "demo",
    name: "n",
    visibility: "private",
    tags,
    updated_at,
    ...other,
  };
}

let glance: FakeGlance;
let forgotten: string[];

beforeEach(async () => {
  await emptyStore();
  glance = new FakeGlance();
  forgotten = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (url) => glance.answer(String(url)));
});

const service = {
  get: async () => ({ token: "t", identity: { userId: null, projectId: null, roles: [] } }),
  forget: (token: string) => void forgotten.push(token),
};

/** One run. @param pages after which its time is over */
function look(terms = "tag:boot", pages = NEVER, settings: Partial<Settings> = {}) {
  let left = pages;
  return warm(
    {
      // The one that src/ makes can't be made without a Keystone.
      service: service as unknown as NonNullable<Parameters<typeof warm>[0]["service"]>,
      settings: {
        ...readSettings(bindings),
        prefetchImages: readSelection("PREFETCH_IMAGES", terms) ?? [],
        ...settings,
      },
      cursors,
      queue,
      log,
      now: () => (left-- > 0 ? NOW : NOW + 1_000_000),
    },
    NOW + 1,
  );
}

const queuedIds = async () => (await queue.list()).map(({ imageId }) => imageId).sort();
const ids = (images: readonly Listed[]) => images.map(({ id }) => id).sort();

describe("the first look", () => {
  it("queues each image that is named, once whatever number of terms names it, and no other", async () => {
    glance.add(3, () => 1_000);
    glance.add(2, () => 1_000, ["other"]);
    expect(await look("tag:boot,owner:nobody,property:name=n,tag:boot")).toMatchObject({ changed: 5, queued: 5 });
    await emptyStore();
    expect(await look("tag:boot,visibility:public")).toEqual({ changed: 5, queued: 3, unfit: 0, finished: true });
    expect(await queuedIds()).toEqual(ids(glance.images.slice(0, 3)));
  });

  it("leaves those that are not active yet, have no digest yet, are kept or queued already, or no images at all", async () => {
    const other = (at: number, fields: Readonly<Record<string, unknown>>) =>
      glance.images.push({ id: crypto.randomUUID(), at, tags: ["boot"], other: fields });
    other(1, { status: "queued", size: null });
    other(2, { os_hash_value: null, checksum: null });
    other(3, { id: 5 });
    other(4, { updated_at: "yesterday" });
    glance.add(2, () => 5);
    const [kept, queued] = glance.images.slice(-2);
    await catalog.keep({ imageId: kept?.id ?? "", attempt: "one", size: 10 }, 1);
    await queue.add(queued?.id ?? "", 7);
    expect(await look()).toMatchObject({ queued: 0, unfit: 0, finished: true });
    expect(await queue.list()).toMatchObject([{ imageId: queued?.id, queuedAt: 7 }]);
    expect(await queue.isByPolicy(queued?.id ?? "")).toBe(false);
  });

  it.each([
    ["IMAGE_MAX_BYTES", { imageMaxBytes: 9 }],
    ["half of CACHE_MAX_BYTES", { cacheMaxBytes: 19, ownerMaxBytes: 19 }],
    ["OWNER_MAX_PERCENT", { cacheMaxBytes: 100, ownerMaxBytes: 19 }],
    ["CACHE_IMAGES", { cacheImages: [] }],
  ])("says once of each that %s does not let in", async (why, settings) => {
    glance.add(2, (index) => 1_000 + index);
    expect(await look("tag:boot", NEVER, settings)).toMatchObject({ queued: 0, unfit: 2 });
    expect(await look("tag:boot", NEVER, settings)).toMatchObject({ changed: 0, unfit: 0 });
    expect(lines("prefetch.unfit")).toMatchObject(
      glance.images.map(({ id }) => ({ image_id: id, size: 10, why: expect.stringContaining(why) })),
    );
  });

  it("goes through 10,000 images in many runs, 500 of them of one second, and none twice", async () => {
    glance.add(9_500, (index) => 1_000 + Math.floor(index / 3));
    glance.add(500, () => 2_000);
    let runs = 0;
    let changed = 0;
    for (let finished = false; !finished && runs < 100; runs++) {
      const warmed = await look("tag:boot", 10);
      changed += warmed?.changed ?? 0;
      finished = warmed?.finished ?? false;
    }
    expect(changed).toBe(10_000);
    expect((await queue.counts()).queued).toBe(10_000);
    expect(runs).toBeGreaterThan(3);
    // A page has some images of the second of the last one.
    expect(glance.asked.length).toBeLessThan(65);
  });

  it("takes pages as short as Glance gives them", async () => {
    glance.most = 7;
    glance.add(40, (index) => Math.floor(index / 10));
    expect(await look()).toMatchObject({ changed: 40, queued: 40, finished: true });
  });
});

describe("a further look", () => {
  it("has what has changed since, and nothing else", async () => {
    glance.add(300, (index) => 1_000 + index);
    await look();
    await emptyQueue();
    expect(await look()).toMatchObject({ changed: 0, queued: 0, finished: true });
    const changed = glance.images[7];
    if (changed !== undefined) changed.at = 5_000;
    glance.add(1, () => 5_000);
    expect(await look()).toMatchObject({ changed: 2, queued: 2 });
    expect(await queuedIds()).toEqual(ids(glance.images.filter(({ at }) => at === 5_000)));
  });

  it("has one that was named only later, or was seen later than others of a later time", async () => {
    glance.add(2, () => 1_000, ["other"]);
    glance.add(1, () => 2_000);
    await look();
    await emptyQueue();
    const [named] = glance.images;
    if (named !== undefined) Object.assign(named, { at: 3_000, tags: ["boot"] });
    // Another of Glance's hosts is 30 s behind.
    glance.add(1, () => 1_970);
    await look();
    expect(await queuedIds()).toEqual([named?.id, glance.images.at(-1)?.id].sort());
  });

  it("under other settings has all of them anew", async () => {
    glance.add(3, () => 1_000, ["eu"]);
    expect(await look("tag:boot")).toMatchObject({ changed: 3, queued: 0 });
    expect(await look("tag:boot,tag:eu")).toMatchObject({ changed: 3, queued: 3 });
  });
});

describe("between two pages", () => {
  it("images that change pass none of the others over", async () => {
    glance.add(600, (index) => 1_000 + Math.floor(index / 2));
    glance.before = (page) => {
      // All that was on the page before moves to the end, its last one too.
      if (page === 1) for (const image of glance.images.slice(0, 200)) image.at = 9_000;
      return undefined;
    };
    await look();
    expect((await queue.counts()).queued).toBe(600);
  });

  it("the marker's image may be deleted", async () => {
    glance.add(500, () => 1_000);
    let deleted: string | null = null;
    glance.before = (_, query) => {
      deleted ??= query.get("marker");
      glance.images = glance.images.filter(({ id }) => id !== deleted);
      return undefined;
    };
    expect(await look()).toMatchObject({ finished: true });
    expect(glance.images).toHaveLength(499);
    expect(await queuedIds()).toEqual(expect.arrayContaining(ids(glance.images)));
  });

  it.each([500, 503, 403, 401])("a Glance that answers %i ends the run, and the next one goes on", async (status) => {
    glance.add(600, (index) => 1_000 + index);
    glance.before = (page) => (page === 2 ? new Response("no", { status }) : undefined);
    await expect(look()).rejects.toThrow(`status ${status}`);
    expect(forgotten).toEqual(status === 401 ? ["t"] : []);
    const before = (await queue.counts()).queued;
    expect(before).toBeGreaterThan(300);
    expect(await look()).toMatchObject({ changed: 600 - before, finished: true });
    expect((await queue.counts()).queued).toBe(600);
  });
});

describe("an origin that is no Glance", () => {
  it.each([
    ["a web page", () => new Response("<html>")],
    ["another list", () => Response.json({ items: [] })],
    ["a list that goes on for ever", () => Response.json({ images: [], next: "/v2/images?marker=x" })],
  ])("says %s: an error, and nothing is lost", async (_, answer) => {
    glance.add(3, () => 1_000);
    glance.before = answer;
    await expect(look()).rejects.toThrow();
    glance.before = () => undefined;
    expect(await look()).toMatchObject({ queued: 3 });
  });
});

async function emptyQueue(): Promise<void> {
  await queue.removeAll(await queue.ids(NOW));
}
