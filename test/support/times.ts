/** The measures of a fill, so small that a test can wait for each of them: in the place of src/fill/object/times.ts. */

export const REOPEN_MS = [100, 200, 400] as const;
export const FAILED_MS = 700;
export const RANGES_AFTER_MISMATCH_MS = 3_000;
export const COMMIT_AFTER_MS = 100;
export const COMMIT_LATEST_MS = 500;
export const PUT_AGAIN_MS = [200, 400, 800] as const;
export const SLICES_LINGER_MS = 1_000;
export const TOMBSTONE_MS = 1_000;
export const HEARTBEAT_MS = 250;
export const SLICE_AGAIN_MS = [50, 100, 200];
export const PUT_MS = 2_000;
export const BUFFER_MS = 5_000;
export const ROOM_AGAIN_MS = 300;
export const RANGE_AHEAD_BYTES = 4 * 2 ** 20;
