/** One value of wrangler.toml, checked: what is wrong is named for the operator who has to mend it. */

/** A setting that the operator has to mend. Its message is meant for the operator and holds no secret. */
export class SettingError extends Error {
  override readonly name = "SettingError";
  readonly setting: string;

  constructor(setting: string, problem: string) {
    super(`${setting} ${problem}`);
    this.setting = setting;
  }
}

/** The runtime hands over whatever wrangler.toml holds, whatever Env says. @returns "" for what is not set */
export function readText(name: string, value: unknown): string {
  if (value === undefined) return "";
  if (typeof value !== "string") throw new SettingError(name, "must be text, in quotes");
  return value.trim();
}

export function readUrl(name: string, value: unknown): string | null {
  const text = readText(name, value);
  if (text === "") return null;
  if (!URL.canParse(text)) throw new SettingError(name, "is not a URL");
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new SettingError(name, "must be http or https");
  if (url.username !== "" || url.password !== "") throw new SettingError(name, "must not hold credentials");
  if (url.search !== "" || url.hash !== "") throw new SettingError(name, "must not have a query or a fragment");
  return (url.origin + url.pathname).replace(/\/+$/, "");
}

export function readWhole(name: string, value: unknown, fallback: number): number {
  if (value === undefined || (typeof value === "string" && value.trim() === "")) return fallback;
  const digits = typeof value === "number" || typeof value === "string" ? String(value).trim() : "";
  const number = /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new SettingError(name, "must be a whole number, 0 or more");
  return number;
}

/** @returns null for what is not set */
export function readChoice<T extends string>(name: string, value: unknown, choices: readonly T[]): T | null {
  const text = readText(name, value);
  const choice = choices.find((one) => one === text);
  if (choice === undefined && text !== "") throw new SettingError(name, `must be one of ${choices.join(", ")}`);
  return choice ?? null;
}

/** 1 or 0. */
export function readSwitch(name: string, value: unknown): boolean {
  const number = readWhole(name, value, 0);
  if (number > 1) throw new SettingError(name, "must be 0 or 1");
  return number === 1;
}

export function readAboveZero(name: string, value: unknown, fallback: number): number {
  const number = readWhole(name, value, fallback);
  if (number === 0) throw new SettingError(name, "must be at least 1");
  return number;
}
