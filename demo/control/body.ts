/** Reads the control API's JSON bodies strictly: a misspelt fault must not make a test that tests nothing. */
import { HttpError } from "../http/webob-error.ts";
import { MAX_DELAY_MS } from "../limits.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** @throws HttpError 400 */
export function readFields(value: unknown, name = "the body"): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(name, "an object");
  return value as Fields;
}

/** @throws HttpError 400 for a field that is none of these */
export function onlyFields(body: Fields, names: readonly string[]): void {
  for (const name of Object.keys(body)) {
    if (!names.includes(name)) throw new HttpError(400, `${name} is no field of this request: ${names.join(", ")}`);
  }
}

/** `{name: value}` when the body has the field, else `{}`: absent stays absent. */
export function optional<const N extends string, T>(
  body: Fields,
  name: N,
  read: (value: unknown, name: string) => T,
): { readonly [K in N]?: T } {
  const value = body[name];
  // One computed key: TypeScript widens it to string, so the type is told here.
  return value === undefined ? {} : ({ [name]: read(value, name) } as { readonly [K in N]?: T });
}

export function readWhole(value: unknown, name: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least || value > most) {
    throw wrong(name, `a whole number from ${least} to ${most}`);
  }
  return value;
}

export function readDelay(value: unknown, name: string): number {
  return readWhole(value, name, 0, MAX_DELAY_MS);
}

export function readStatus(value: unknown, name: string): number {
  const status = readWhole(value, name);
  if (status < 200 || status > 599) throw wrong(name, "an HTTP status from 200 to 599");
  return status;
}

export function readBoolean(value: unknown, name: string): boolean {
  if (typeof value !== "boolean") throw wrong(name, "true or false");
  return value;
}

export function readText(value: unknown, name: string): string {
  if (typeof value !== "string") throw wrong(name, "a string");
  return value;
}

export function readTexts(value: unknown, name: string): string[] {
  if (!Array.isArray(value)) throw wrong(name, "a list of strings");
  return value.map((one) => readText(one, name));
}

export function readHeaders(value: unknown, name: string): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [header, text] of Object.entries(readFields(value, name))) headers[header] = readText(text, header);
  return headers;
}

export function readOneOf<const T extends string>(value: unknown, name: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw wrong(name, `one of ${allowed.join(", ")}`);
  return found;
}

function wrong(name: string, expected: string): HttpError {
  return new HttpError(400, `${name} must be ${expected}`);
}
