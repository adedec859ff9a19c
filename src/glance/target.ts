/**
 * Which image a request is about. Only exact paths with a canonical image id count (glance/api/middleware/cache.py
 * PATTERNS, narrowed): a path that the edge and Glance might read differently is never answered from the cache.
 */
import { pathOnly } from "./base-url.ts";
import type { ApiVersion } from "./record.ts";

export interface ImageTarget {
  readonly api: ApiVersion;
  /** Lower-case UUID. */
  readonly imageId: string;
  /**
   * The download's query with its `?`, where it has one. Since 2026.1 `prefer` names the stores to read from: Glance
   * checks it, so it belongs to each question for the data as well.
   */
  readonly query?: string;
}

/** The canonical form of an image's id, as a pattern. */
export const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const DOWNLOAD_V1 = new RegExp(`^/v1/images/(${UUID})$`);
const DOWNLOAD_V2 = new RegExp(`^/v2/images/(${UUID})/file$`);

/** The image that a GET of this path and query downloads, or null. */
export function downloadTarget(pathAndQuery: string): ImageTarget | null {
  const path = pathOnly(pathAndQuery);
  const query = path === pathAndQuery ? {} : { query: pathAndQuery.slice(path.length) };
  const v2 = DOWNLOAD_V2.exec(path)?.[1];
  if (v2 !== undefined) return { api: "v2", imageId: v2, ...query };
  const v1 = DOWNLOAD_V1.exec(path)?.[1];
  return v1 === undefined ? null : { api: "v1", imageId: v1, ...query };
}

/** The origin's path of the image's record. */
export function recordPath(target: ImageTarget): string {
  return `/${target.api}/images/${target.imageId}`;
}

/** The origin's path and query of the image's data. */
export function dataPath({ api, imageId, query = "" }: ImageTarget): string {
  return (api === "v2" ? `/v2/images/${imageId}/file` : `/v1/images/${imageId}`) + query;
}
