/**
 * Which of webob's three forms of an error a client gets: HTML or JSON, whichever it likes better, HTML where it likes both
 * the same, and plain text where it takes neither (webob/exc.py and webob/acceptparse.py). Measured on Glance 25.1.
 */

export type Form = "html" | "json" | "text";

const TOKEN = "[!#$%&'*+.^_`|~\\w-]+";
const QUOTED = '"(?:[^"\\\\]|\\\\.)*"';
const PARAMETER = `\\s*;\\s*(?!q=)${TOKEN}=(?:${TOKEN}|${QUOTED})`;
const WEIGHT = `\\s*;\\s*q=(0(?:\\.\\d{0,3})?|1(?:\\.0{0,3})?)(?:\\s*;\\s*${TOKEN}(?:=(?:${TOKEN}|${QUOTED}))?)*`;
/** One element of the field (RFC 9110 section 12.5.1): type, subtype, parameters, weight. */
const RANGE = new RegExp(`^(${TOKEN})/(${TOKEN})((?:${PARAMETER})*)(?:${WEIGHT})?$`, "i");

interface Range {
  readonly type: string;
  /** How much the client likes it, 0 to 1. */
  readonly weight: number;
}

/** @param accept the Accept field, or null for none */
export function acceptable(accept: string | null): Form {
  if (accept === null || accept.trim() === "") return "text";
  const ranges = readRanges(accept);
  // A field that can't be read counts as one that accepts everything.
  if (ranges === null) return "html";
  const html = weightOf(ranges, "text", "html");
  const json = weightOf(ranges, "application", "json");
  if (html === 0 && json === 0) return "text";
  return html >= json ? "html" : "json";
}

/** @returns null when the field is none of RFC 9110's */
function readRanges(accept: string): Range[] | null {
  const ranges: Range[] = [];
  // A comma within a quoted string would split it too: such a parameter means nothing here anyway.
  for (const element of accept.split(",")) {
    const text = element.trim();
    if (text === "") continue;
    const match = RANGE.exec(text);
    if (match === null) return null;
    const [, type = "", subtype = "", parameters = "", weight = "1"] = match;
    // One with parameters asks for something more special than what is offered here.
    if (parameters === "") ranges.push({ type: `${type}/${subtype}`.toLowerCase(), weight: Number(weight) });
  }
  return ranges;
}

/** The more exactly a range names a type, the more its weight counts. */
function weightOf(ranges: readonly Range[], type: string, subtype: string): number {
  for (const name of [`${type}/${subtype}`, `${type}/*`, "*/*"]) {
    const weights = ranges.filter((range) => range.type === name).map((range) => range.weight);
    if (weights.length > 0) return Math.max(...weights);
  }
  return 0;
}
