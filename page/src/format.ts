/** Numbers and times as the page writes them. Pure: the time is the edge's, and given. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Three digits that count: 999 B, 1.21 KiB, 40.0 MiB, 128 GiB. */
export function bytes(value: number): string {
  let unit = 0;
  let rest = value;
  // What would be written as 1,000 or more is written in the next unit.
  while (rest >= 999.5 && unit < UNITS.length - 1) {
    rest /= 1024;
    unit++;
  }
  return `${unit === 0 ? rest : digits(rest)} ${UNITS[unit]}`;
}

function digits(value: number): string {
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

export function count(value: number): string {
  return value.toLocaleString("en");
}

/** "1 image", "2 images". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Never 100 % of what is not all, nor 0 % of what is not nothing. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return "–";
  const share = (part / whole) * 100;
  if (part > 0 && share < 1) return "<1 %";
  return part < whole && share > 99 ? ">99 %" : `${Math.round(share)} %`;
}

/** A length of time, of two units at most: "45 s", "3 min", "2 h 5 min", "4 d". */
export function duration(ms: number): string {
  if (ms < 90 * SECOND) return `${Math.max(0, Math.round(ms / SECOND))} s`;
  if (ms < 90 * MINUTE) return `${Math.round(ms / MINUTE)} min`;
  if (ms < 10 * HOUR) {
    const minutes = Math.round((ms % HOUR) / MINUTE);
    return minutes === 0 || minutes === 60 ? `${Math.round(ms / HOUR)} h` : `${Math.floor(ms / HOUR)} h ${minutes} min`;
  }
  return ms < 2 * DAY ? `${Math.round(ms / HOUR)} h` : `${count(Math.round(ms / DAY))} d`;
}

/** @param at @param now ms since the epoch, by the same clock */
export function ago(at: number, now: number): string {
  return now - at < 2 * SECOND ? "just now" : `${duration(now - at)} ago`;
}

/** Date and time in the browser's zone. */
export function date(at: number): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}
