/**
 * Glance's versions document (glance/api/versions.py): the links in it are built from the Host header and so name the
 * origin; clients follow them, so they must name the edge.
 */
import { rewriteToEdge } from "./base-url.ts";

/** Paths that Glance answers with the versions document, and so do unversioned ones with 300 (versionnegotiation). */
const VERSION_PATHS = new Set(["/", "/versions", "/versions/"]);

/** The document is about 4 KB; anything much larger is something else and passes untouched. */
const MAX_DOCUMENT_BYTES = 256 * 1024;

/** Whether an answer may hold a versions document. */
export function mayBeVersions(path: string, response: Response): boolean {
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  return (
    (VERSION_PATHS.has(path) || response.status === 300) &&
    !response.headers.has("content-encoding") &&
    length > 0 &&
    length <= MAX_DOCUMENT_BYTES &&
    (response.headers.get("content-type") ?? "").includes("application/json")
  );
}

/** The document with the edge's base URL in its links; text that is no such document comes back unchanged. */
export function rewriteVersions(text: string, origin: string, edge: string): string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return text; // Not JSON after all: the client gets what the origin said.
  }
  if (!isVersions(document)) return text;
  for (const version of document.versions) {
    for (const link of version.links ?? []) {
      if (typeof link.href === "string") link.href = rewriteToEdge(link.href, origin, edge);
    }
  }
  return JSON.stringify(document);
}

interface Versions {
  versions: { links?: { href?: unknown }[] }[];
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
