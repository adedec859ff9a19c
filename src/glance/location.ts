/**
 * The fields of an answer that name a URL. Clients follow them, so what is the origin's must be named as the edge's, and a
 * redirect must not send them round in a circle.
 */
import { BadOriginAnswer } from "./bad-answer.ts";
import { type Naming, nameAsEdges } from "./base-url.ts";

/** Those that clients follow (Fetch standard, "redirect status"). */
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * Where one field was sent twice, the runtime gives both as one value. A URL has no blank, so what follows a comma and a
 * blank and starts as a URL does is another one.
 */
const NEXT_VALUE = /, +(?=\/|[a-z][a-z0-9+.-]*:)/i;

/**
 * Names what is the origin's as the edge's, in the headers that go to the client.
 * @throws BadOriginAnswer for a redirect that leads nowhere
 */
export function nameLocations(headers: Headers, status: number, naming: Naming): void {
  for (const name of ["location", "content-location"]) {
    const values = headers.get(name)?.split(NEXT_VALUE) ?? [];
    const [first = null, ...others] = values;
    if (first === null) continue;
    const redirects = name === "location" && REDIRECTS.has(status);
    // Of two targets nobody can say which one is meant, and one may have been smuggled in. A 201 or 200 was carried out
    // whatever it names: there the first one counts.
    if (redirects && others.some((other) => other !== first)) {
      throw new BadOriginAnswer(`the origin's ${status} names two locations`);
    }
    const named = nameAsEdges(first, naming);
    if (redirects) refuseCircle(first, named, status, naming);
    if (named !== first || others.length > 0) headers.set(name, named);
  }
}

/**
 * The origin sends elsewhere for the very same thing: to what under the edge's name is the URL that the client has asked, and
 * so in a circle, or to another port or scheme of its own host, and so past the edge. Typically http is answered with a
 * redirect to https. An origin that names just what it was asked sends everybody back, with the edge or without, and may mean
 * it (303).
 */
function refuseCircle(location: string, named: string, status: number, { origin, asked, edge }: Naming): void {
  if (!URL.canParse(location, asked)) return;
  const target = new URL(location, asked);
  if (pageOf(target.href) === pageOf(asked)) return;
  const circle = pageOf(named, asked) === pageOf(edge + asked.slice(origin.length));
  if (!circle && !isSameElsewhere(target, new URL(asked))) return;
  throw new BadOriginAnswer(
    `the origin answers ${status} and sends to ${target.href}: ORIGIN_URL must be an address at which it answers itself`,
    {
      forClient:
        `The image service behind this edge redirects ${circle ? "back to this URL" : "to another address of its own"}. ` +
        "The edge's setting ORIGIN_URL must be an address at which the image service answers itself.",
    },
  );
}

/** The same path and query at the same host, by whatever scheme and port. */
function isSameElsewhere(target: URL, asked: URL): boolean {
  const web = target.protocol === "http:" || target.protocol === "https:";
  const same = target.pathname === asked.pathname && target.search === asked.search;
  return web && same && target.hostname === asked.hostname;
}

/** A URL in its normal form, without the fragment. */
function pageOf(url: string, base?: string): string {
  const parsed = new URL(url, base);
  parsed.hash = "";
  return parsed.href;
}
