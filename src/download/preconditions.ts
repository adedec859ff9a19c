/**
 * Conditional requests (RFC 9110 section 13): pure evaluation against the one validator that an image has, its digest
 * as a strong ETag. Images carry no modification date, so date conditions do not apply.
 */

export type PreconditionAnswer = "proceed" | "not-modified" | "failed";

/** Evaluates If-Match and If-None-Match in the order of RFC 9110 section 13.2.2. */
export function evaluatePreconditions(headers: Headers, etag: string): PreconditionAnswer {
  const ifMatch = headers.get("if-match");
  // If-Match compares strongly (section 13.1.1): a weak tag never matches.
  if (ifMatch !== null && !lists(ifMatch, etag, "strong")) return "failed";
  const ifNoneMatch = headers.get("if-none-match");
  if (ifNoneMatch !== null && lists(ifNoneMatch, etag, "weak")) return "not-modified";
  return "proceed";
}

/**
 * Whether an If-Range condition lets the Range apply (section 13.1.5). A date or a weak tag never does, since the
 * edge sends neither.
 */
export function rangeApplies(headers: Headers, etag: string): boolean {
  const ifRange = headers.get("if-range");
  return ifRange === null || ifRange.trim() === etag;
}

function lists(field: string, etag: string, comparison: "strong" | "weak"): boolean {
  if (field.trim() === "*") return true;
  const tags = field.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return tags.some((tag) => tag === etag || (comparison === "weak" && tag === `W/${etag}`));
}
