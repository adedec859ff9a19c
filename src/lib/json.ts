/** JSON of others, which may be anything: read here, and checked by schemas where it is used. */
import * as v from "valibot";

/** @returns undefined for what is no JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A web page, say: no schema takes it.
  }
}

/** An object, and no list: valibot's `object` alone takes both. */
export const PlainObject = v.custom<object>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
);
