/** What the page and its API say to each other. Bundled into the page as well. Times in ms since the epoch, sizes in bytes. */
import * as v from "valibot";

const Count = v.pipe(v.number(), v.minValue(0));
const Time = v.number();
const Named = { image_id: v.string(), name: v.nullable(v.string()) };

export const ApiError = v.object({ error: v.object({ status: v.number(), message: v.string() }) });

export const Fill = v.object({
  ...Named,
  size: Count,
  /** Null: its Fill does not answer. */
  stored: v.nullable(Count),
  /** Downloads that follow it. */
  readers: Count,
  started_at: Time,
  /** `storing`: all of it has come, and R2 takes it as one object. */
  state: v.picklist(["filling", "storing", "unknown"]),
});

const Queued = v.object({
  image_id: v.string(),
  queued_at: Time,
  /** Attempts that failed. */
  attempts: Count,
  /** 0: at once. */
  not_before: Time,
  last_error: v.nullable(v.string()),
  /** Null while it waits for its turn. */
  started_at: v.nullable(Time),
});

/** What is null could not be known: `unknown` says why. */
export const State = v.object({
  /** The edge's clock: whoever shows a time compares it with this one. */
  now: Time,
  version: v.string(),
  /** Bytes that kept images and running fills have taken, and may take. */
  room: v.object({ used: v.nullable(Count), cap: Count }),
  images: v.nullable(v.object({ count: Count, bytes: Count })),
  /** The oldest 100. */
  fills: v.nullable(v.array(Fill)),
  /** The oldest 100 of `count`. */
  queue: v.nullable(v.object({ count: Count, failing: Count, rows: v.array(Queued) })),
  unknown: v.nullable(v.string()),
});

export const Images = v.object({
  total: Count,
  rows: v.array(
    v.object({
      ...Named,
      size: Count,
      hits: Count,
      last_accessed: Time,
      verified_at: Time,
      committed_at: Time,
      /** By PIN_IMAGES, or by an operator. */
      pinned: v.nullable(v.picklist(["setting", "hand"])),
    }),
  ),
});

const Whole = (min: number, max: number) =>
  v.pipe(v.string(), v.regex(/^\d{1,9}$/), v.transform(Number), v.minValue(min), v.maxValue(max));

export const ImagesQuery = v.object({
  sort: v.optional(
    v.picklist(["name", "size", "hits", "last_accessed", "verified_at", "committed_at"]),
    "last_accessed",
  ),
  order: v.optional(v.picklist(["asc", "desc"]), "desc"),
  filter: v.optional(v.pipe(v.string(), v.maxLength(255)), ""),
  limit: v.optional(Whole(1, 500), "100"),
  offset: v.optional(Whole(0, 1e9), "0"),
});

const Counts = v.record(v.string(), Count);

/** Hours in which nothing was counted are left out. Keys are the labels of src/store/figures.ts. */
export const Traffic = v.object({
  hours: v.array(v.object({ hour: Time, downloads: Counts, bytes: Counts, fills: Counts })),
});

/** The last day, or the last 30. */
export const TrafficQuery = v.object({ hours: v.optional(v.picklist(["24", "720"]), "24") });

export const LoginBody = v.object({
  id: v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(255)),
  secret: v.pipe(v.string(), v.minLength(1), v.maxLength(1_000)),
});

export const Login = v.object({
  token: v.string(),
  expires_at: Time,
  user: v.nullable(v.string()),
  project: v.nullable(v.string()),
});

export const ClearBody = v.object({ what: v.picklist(["cache", "queue", "all"]) });

export const Pruned = v.object({ files: Count, bytes: Count });
