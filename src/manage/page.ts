/** Which part of a list a request asks for, in the manner of Glance's own lists (glance/api/v2/images.py). Pure. */

export interface Page {
  readonly limit: number;
  /** The last entry of the part before this one. */
  readonly marker: string | null;
}

/** Glance has 25 and 1,000 (limit_param_default, api_limit_max); an entry here is small. */
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

/** @returns what is wrong with the request, in Glance's words, or the part that it asks for; larger limits are cut, as there */
export function readPage(query: URLSearchParams): Page | { readonly wrong: string } {
  const given = query.get("limit")?.trim() ?? String(DEFAULT_LIMIT);
  if (!/^[+-]?\d+$/.test(given)) return { wrong: "limit param must be an integer" };
  const limit = Number(given);
  if (limit < 0) return { wrong: "limit param must be positive" };
  return { limit: Math.min(limit, MAX_LIMIT), marker: query.get("marker") };
}
