/**
 * Glance's versions document (glance/api/versions.py): the links in it are built from the Host header and so name the origin,
 * or else from Glance's setting `public_endpoint`; clients follow them, so they must name the edge. And a Glance without a
 * cache of its own leaves out the versions that stand for its cache API, which clients look for before they use that of the
 * edge.
 */
import { parseJson } from "../lib/json.ts";
import { type Naming, nameAsEdges } from "./base-url.ts";

/**
 * Decoded paths that Glance answers with the versions document (version_negotiation.py looks at the first segment behind any
 * number of slashes). Others are answered with it too, with status 300.
 */
const VERSION_PATHS = /^\/+(versions(\/.*)?)?$/;

/** The document is about 4 KB; anything much larger is something else and passes untouched. */
export const MAX_DOCUMENT_BYTES = 256 * 1024;

/** Whether a path is one that Glance answers with the versions document, so that it is to come unencoded. */
export function isVersionsPath(path: string): boolean {
  try {
    return VERSION_PATHS.test(decodeURIComponent(path));
  } catch {
    return false; // Not UTF-8: Glance fails over it.
  }
}

/** Whether an answer may hold a versions document: what a proxy sends piece by piece has no length. */
export function mayBeVersions(path: string, response: Response): boolean {
  return (
    (isVersionsPath(path) || response.status === 300) && isJson(response) && !response.headers.has("content-encoding")
  );
}

/**
 * Whether an answer is a versions document, for all that is known, that has come compressed: a proxy does that for the client,
 * and Glance answers every path that it does not know with the document (`/v1/images` since Rocky, `/v3`, `/anything`).
 */
export function isEncodedVersions(response: Response): boolean {
  return response.status === 300 && isJson(response) && response.headers.has("content-encoding");
}

/** JSON, and no longer than a versions document is. */
function isJson({ headers }: Response): boolean {
  const bytes = Number(headers.get("content-length") ?? 1);
  return bytes > 0 && bytes <= MAX_DOCUMENT_BYTES && (headers.get("content-type") ?? "").includes("application/json");
}

/**
 * What Glance lists only with its cache on: the cache API, the same with its right statuses (release notes of Yoga,
 * 24.1 and 24.2), and with `clean` and `prune`.
 */
export const CACHE_VERSIONS = ["v2.14", "v2.16", "v2.18"];

/**
 * The document with the edge's base URL in its links.
 * @param cacheApi the edge has the cache API, so the document lists its versions
 * @returns null for a text that is no such document
 */
export function rewriteVersions(text: string, naming: Naming, cacheApi: boolean): string | null {
  const document = parseJson(text);
  if (!isVersions(document)) return null;
  for (const version of document.versions) {
    for (const link of version.links ?? []) {
      if (typeof link.href !== "string") continue;
      link.href = link.rel === "self" ? selfLink(link.href, naming) : nameAsEdges(link.href, naming);
    }
  }
  if (cacheApi) document.versions = withCacheVersions(document.versions);
  try {
    return JSON.stringify(document);
  } catch {
    return null; // Nested deeper than can be written, though not than can be read.
  }
}

/**
 * Where a version is reached through the edge: its own path below the edge's base. Whatever stands before it is how the origin
 * is reached: `public_endpoint` may be any URL.
 */
function selfLink(href: string, naming: Naming): string {
  const { asked, edge } = naming;
  const version = URL.canParse(href, asked) ? /\/v\d+(\.\d+)?\/?$/.exec(new URL(href, asked).pathname)?.[0] : undefined;
  return version === undefined ? nameAsEdges(href, naming) : edge + version;
}

/** All of Glance's v2 versions are one endpoint with one set of links, so a new entry has those of another one. */
function withCacheVersions(versions: readonly Version[]): Version[] {
  const listed = new Set(versions.map((version) => version.id));
  const missing = CACHE_VERSIONS.filter((id) => !listed.has(id));
  const others = versions.filter(isV2);
  const links = others.find((version) => version.links !== undefined)?.links;
  if (missing.length === 0 || others.length === 0) return [...versions];
  const added = missing.map((id) => ({ id, status: "SUPPORTED", ...(links === undefined ? {} : { links }) }));
  const v2 = [...others, ...added].sort((one, other) => minorOf(other) - minorOf(one));
  // Experimental and deprecated ones stay what they are.
  const stable = v2.filter((version) => version.status === "CURRENT" || version.status === "SUPPORTED");
  for (const version of stable) version.status = version === stable[0] ? "CURRENT" : "SUPPORTED";
  return [...v2, ...versions.filter((version) => !isV2(version))];
}

function isV2(version: Version): boolean {
  return typeof version.id === "string" && /^v2(\.\d+)?$/.test(version.id);
}

/** Of "v2.14": 14. A number of its own, since 2.9 comes before 2.14. */
function minorOf(version: Version): number {
  return Number(String(version.id).split(".")[1] ?? 0);
}

interface Version {
  id?: unknown;
  status?: unknown;
  links?: { rel?: unknown; href?: unknown }[];
}

interface Versions {
  versions: Version[];
}

function isVersions(value: unknown): value is Versions {
  if (typeof value !== "object" || value === null || !("versions" in value) || !Array.isArray(value.versions)) {
    return false;
  }
  return value.versions.every((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) return false;
    const links = "links" in entry ? entry.links : [];
    return Array.isArray(links) && links.every((link: unknown) => typeof link === "object" && link !== null);
  });
}
