/**
 * The edge with faults in it: src/index.ts as it is, each request and each Fill with harmed bindings of its image's. The clock
 * comes first: it must be patched before anybody reads it.
 */
import "./clock.ts";
import edge from "../../../src/index.ts";
import type { Env } from "../../../src/settings.ts";
import { harmedEnv } from "./bindings.ts";
import { control } from "./control.ts";
import { harmsOf, known, withOriginOf } from "./known.ts";
import { slowed } from "./slowed.ts";

export { Fill } from "./fill.ts";

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/** A request of the runner's, so that nothing of it reaches the edge. */
const CRAWL = "x-faults-crawl";

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/_faults/")) return control(request, pathname.slice("/_faults".length), env, ctx);
    const imageId = UUID.exec(pathname)?.[0] ?? "";
    const harming = { harms: harmsOf(imageId), by: "worker", reset: null } as const;
    const harmed = harmedEnv(withOriginOf(env, imageId), harming, () => known.d1Away);
    const crawl = request.headers.get(CRAWL);
    const response = await edge.fetch(request, harmed, ctx);
    return crawl === null ? response : slowed(response, Number(crawl), ctx);
  },
} satisfies ExportedHandler<Env>;
