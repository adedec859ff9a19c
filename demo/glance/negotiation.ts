/** Which version a path asks for, in all the spellings that Glance takes (glance/api/middleware/version_negotiation.py). */

/** Of `Accept: application/vnd.openstack.images-v2.7`, which stands for a version in the path. */
const VERSION_BY_TYPE = "application/vnd.openstack.images-";
const VERSIONS = /^v([12])(\.\d|\.1[0-35])?$/;

/** Whether the first segment asks for the list of versions. */
export function asksForVersions(path: string): boolean {
  return /^\/+versions(\/|$)/.test(path);
}

/**
 * The path as the routes see it, with `/v1` or `/v2` in front and single slashes, or null: it names no version.
 * @param path decoded
 */
export function negotiate(path: string, accept: string | undefined): string | null {
  const byType = accept?.startsWith(VERSION_BY_TYPE) === true;
  const [, first = "", below = ""] = /^\/*([^/]*)(.*)$/s.exec(path) ?? [];
  const major = VERSIONS.exec(byType ? (accept ?? "").slice(VERSION_BY_TYPE.length) : first)?.[1];
  if (major === undefined) return null;
  return `/v${major}${byType ? path : below}`.replace(/\/{2,}/g, "/");
}
