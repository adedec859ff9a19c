/**
 * Storms that were measured, for the comparison: `npm run bench -- --only storm`, 2026-11-25, on 2 x AMD EPYC; 128 MiB over a line of
 * 20 MB/s, and of 40 MB/s. The local simulator is fitted to what bounds three of them: 1 and 64 clients at 20 MB/s, 16 at 40; the others
 * are predicted.
 */
export interface Measured {
  readonly clients: number;
  /** Of the origin's line. */
  readonly bytesPerSecond: number;
  /** Until the last client's last byte, the median of the rounds. */
  readonly seconds: number;
}

export const MEASURED_BYTES = 128 * 2 ** 20;
export const MEASURED: readonly Measured[] = [
  { clients: 1, bytesPerSecond: 20e6, seconds: 6.8 },
  { clients: 4, bytesPerSecond: 20e6, seconds: 6.79 },
  { clients: 16, bytesPerSecond: 20e6, seconds: 6.84 },
  { clients: 64, bytesPerSecond: 20e6, seconds: 10.37 },
  { clients: 1, bytesPerSecond: 40e6, seconds: 3.42 },
  { clients: 4, bytesPerSecond: 40e6, seconds: 3.44 },
  { clients: 16, bytesPerSecond: 40e6, seconds: 3.49 },
  { clients: 64, bytesPerSecond: 40e6, seconds: 10.02 },
];
