/** What the edge counts: every figure with its labels, in this one place. Table `traffic`, the metrics and the page use them. */

interface CounterInfo {
  /** Its name in the metrics, behind `glance_edge_`. */
  readonly metric: string;
  /** What its labels tell apart. */
  readonly by: string;
  readonly labels: readonly string[];
  readonly help: string;
}

export const COUNTERS = {
  downloads: {
    metric: "downloads_total",
    by: "outcome",
    labels: ["hit", "miss", "collapsed", "alone", "forwarded", "not-modified", "refused", "failed"],
    help: "Downloads (GET of image data), by where their bytes came from or why there were none",
  },
  bytes: {
    metric: "image_bytes_total",
    by: "source",
    labels: ["cache", "origin"],
    help: "Image data: sent to clients from what is stored, and taken from the origin",
  },
  cuts: {
    metric: "cut_downloads_total",
    by: "source",
    labels: ["cache", "origin"],
    help: "Downloads that the edge had to break off, by where their bytes came from",
  },
  fills: {
    metric: "fills_total",
    by: "result",
    labels: ["kept", "mismatch", "no-room", "failed", "stopped"],
    help: "Attempts to store an image, by how they ended",
  },
  mismatches: {
    metric: "digest_mismatches_total",
    by: "found_by",
    labels: ["fill", "download", "scrub"],
    help: "Image data that did not match its digest, by who found it",
  },
  refusals: {
    metric: "refused_downloads_total",
    by: "status",
    labels: ["400", "401", "403", "404", "410", "412", "416", "429", "500", "502", "503", "504", "other"],
    help: "Downloads that were answered with an error, the origin's own ones included, by status",
  },
  origin_errors: {
    metric: "origin_errors_total",
    by: "kind",
    labels: ["unreachable", "bad-answer", "server-error", "broken-off"],
    help: "Failures of the origin",
  },
} as const satisfies Record<string, CounterInfo>;

/** Times, counted in ms; the metrics have them in seconds. */
export const HISTOGRAMS = {
  origin_answer_ms: {
    metric: "origin_answer_seconds",
    help: "Time until the origin had answered a download's questions about record and right",
  },
  origin_first_byte_ms: {
    metric: "origin_first_byte_seconds",
    help: "Time from a request for image data to the origin's first byte of it",
  },
  store_first_byte_ms: {
    metric: "store_first_byte_seconds",
    help: "Time until R2 gave a kept image for a download",
  },
} as const;

export type Counter = keyof typeof COUNTERS;
export type Histogram = keyof typeof HISTOGRAMS;
export type LabelOf<F extends Counter> = (typeof COUNTERS)[F]["labels"][number];

/** Upper bounds of a histogram's buckets, ms: R2 and a near Glance take some 10, a far one some 100, a busy Ceph seconds. */
export const BUCKETS_MS = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000] as const;

/** Labels of a histogram in `traffic` beside the bounds, each of which counts what is in that bucket alone. */
export const ABOVE = "+Inf";
export const SUM = "sum";

/** The bucket that a time falls into. */
export function bucketOf(ms: number): string {
  const bound = BUCKETS_MS.find((upper) => ms <= upper);
  return bound === undefined ? ABOVE : String(bound);
}

/** The label of an answer's status. */
export function statusLabel(status: number): LabelOf<"refusals"> {
  return COUNTERS.refusals.labels.find((label) => label === String(status)) ?? "other";
}
