/**
 * What a request may have changed, by its method and path. Glance takes one image in many spellings: any number of slashes,
 * percent-encoded letters, `/v2.7/` for `/v2/`, and no version at all where Accept names it (version_negotiation.py); what
 * stands in front of it may take more. So a path is read as widely as can be: to forget too much costs a question, to forget
 * too little gives somebody what is not theirs any more.
 */
import { UUID } from "./target.ts";

export interface Change {
  /** Ids of the images, in lower case, whose rights or data may be others now. "any": that can't be told. */
  readonly images: readonly string[] | "any";
  /** The image that is gone, or null. */
  readonly deleted: string | null;
}

/** RFC 9110 section 9.2.1. */
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

const UUIDS = new RegExp(UUID, "g");

/** Glance decodes a path once, and so may each of the proxies in front of it. */
const MAX_DECODINGS = 4;

const NOTHING: Change = { images: [], deleted: null };

/**
 * What changed if the origin said yes.
 * @param path undecoded, without a query
 */
export function changeOf(method: string, path: string): Change {
  if (SAFE_METHODS.has(method)) return NOTHING;
  const segments = decoded(path)
    ?.split(/[/\\]/)
    .filter((segment) => segment !== "");
  if (segments === undefined) return { images: "any", deleted: null };
  const [collection, id, ...below] = segments.slice(segments.findIndex((segment) => /^images$/i.test(segment)));
  if (!/^images$/i.test(collection ?? "")) {
    // Metadata definitions are about no image; what else there is (tasks, stores) may be about any.
    const metadefs = segments.indexOf("metadefs");
    const isPlain = !segments.some((segment) => segment === "." || segment === "..");
    // Behind a version or none. Further on it may be a name, and with `..` left in the path nobody knows where that leads.
    return (metadefs === 0 || metadefs === 1) && isPlain ? NOTHING : { images: "any", deleted: null };
  }
  // A new image, whose right nobody can have asked for yet.
  if (id === undefined) return method === "POST" ? NOTHING : { images: "any", deleted: null };
  const [imageId] = idsIn(id);
  const deleted = method === "DELETE" && below.length === 0 ? (imageId ?? null) : null;
  return { images: imageId === id.toLowerCase() ? idsIn(segments.join("/")) : "any", deleted };
}

/** Without any percent-encoding, or null: it has one that can't be taken off. */
function decoded(path: string): string | null {
  let text = path;
  for (let round = 0; round < MAX_DECODINGS && /%[0-9a-f]{2}/i.test(text); round++) {
    try {
      text = decodeURIComponent(text);
    } catch {
      return null; // Not UTF-8, or a bare `%`.
    }
  }
  return /%[0-9a-f]{2}/i.test(text) ? null : text;
}

/** In lower case: some databases behind Glance compare ids so. */
function idsIn(text: string): string[] {
  return [...new Set(text.toLowerCase().match(UUIDS))];
}
