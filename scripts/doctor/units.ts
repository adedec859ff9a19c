/** Amounts as people write them. Pure. */

const UNITS: Readonly<Record<string, number>> = { "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** `107374182400`, `100GiB`, `100 GiB`. @returns null for what is no amount */
export function readBytes(text: string): number | null {
  const [, digits, unit = ""] = /^(\d+) ?([KMGT]iB)?$/.exec(text) ?? [];
  const factor = UNITS[unit];
  return digits === undefined || factor === undefined ? null : Number(digits) * factor;
}

export function sayBytes(bytes: number): string {
  const [unit, factor] = Object.entries(UNITS).findLast(([, one]) => bytes >= one) ?? ["", 1];
  if (factor === 1) return `${bytes} bytes`;
  return `${Number((bytes / factor).toPrecision(3))} ${unit}`;
}

export function count(number: number, one: string): string {
  return `${number} ${one}${number === 1 ? "" : "s"}`;
}
