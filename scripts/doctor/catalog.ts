/** Image endpoints of Keystone's catalogue, and what they mean for downloads and uploads. Pure. */
import * as v from "valibot";
import { type Finding, no, unknown, yes } from "./finding.ts";
import { baseOf } from "./options.ts";

export interface Endpoint {
  readonly interface: string;
  readonly url: string;
}

const Entry = v.object({
  interface: v.string(),
  url: v.pipe(v.string(), v.url()),
  region_id: v.nullish(v.string()),
});
const Token = v.object({
  token: v.object({ catalog: v.array(v.object({ type: v.string(), endpoints: v.array(v.unknown()) })) }),
});

/** @returns null where the document has no catalogue */
export function imageEndpoints(document: unknown, region: string | null): Endpoint[] | null {
  const read = v.safeParse(Token, document);
  if (!read.success) return null;
  return read.output.token.catalog
    .filter(({ type }) => type === "image")
    .flatMap(({ endpoints }) => endpoints)
    .filter((entry) => v.is(Entry, entry))
    .filter(({ region_id }) => region === null || region_id === region)
    .map(({ interface: name, url }) => ({ interface: name, url: baseOf(url) }));
}

export function isAt(base: string, { url }: Endpoint): boolean {
  return new URL(url).host === new URL(base).host;
}

/** Where clients send their downloads, by the catalogue. */
export function downloadsLead(edge: string, endpoints: readonly Endpoint[] | null): Finding {
  const what = "the catalogue leads downloads to the edge";
  if (endpoints === null) return unknown(what, "no catalogue", "Give OS_AUTH_URL and who asks.");
  const led = endpoints.filter((endpoint) => isAt(edge, endpoint));
  if (led.length > 0) return yes(what, led.map((endpoint) => endpoint.interface).join(", "));
  return unknown(
    what,
    `it names ${say(endpoints)}`,
    "Let a relay at that address send downloads here, or name the edge to Nova ([glance] api_servers) or in the catalogue (`openstack endpoint set --url`).",
  );
}

/** Cloudflare refuses bodies above the zone's limit, so large uploads need an endpoint that is not the edge. */
export function uploadsGoRound(edge: string, endpoints: readonly Endpoint[] | null): Finding {
  const what = "uploads above 100 MB can go round the edge";
  if (endpoints === null) return unknown(what, "no catalogue", "Give OS_AUTH_URL and who asks.");
  const round = endpoints.filter((endpoint) => !isAt(edge, endpoint));
  if (round.length > 0) return yes(what, say(round));
  return no(
    what,
    endpoints.length === 0 ? "the catalogue has no image endpoint" : "each image endpoint of the catalogue is the edge",
    "Give one interface, or the relay, Glance's own address under a name that Cloudflare does not proxy: it answers 413 to larger bodies.",
  );
}

function say(endpoints: readonly Endpoint[]): string {
  return endpoints.map((endpoint) => `${endpoint.interface} ${endpoint.url}`).join(", ") || "no image endpoint";
}
