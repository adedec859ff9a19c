/** Through the relay everybody gets what Glance itself gives them, whatever the relay has kept. */
import { beforeAll, describe, expect, inject, it } from "vitest";
import { DATA } from "../contract/answers.ts";
import { makeImage, ownerOf } from "../contract/images.ts";
import { STORES } from "../openstack/lib/glance.ts";
import { CALLERS, CELLS, DATA_TO, OF, PART, Tokens } from "../openstack/lib/isolation.ts";
import { curl, type Download } from "./support/clients.ts";
import { useSite } from "./support/site.ts";

/** Glance's refusal of a part where its store can't read from the middle: there the relay and the edge can do more. */
const NO_RANDOM_ACCESS = "Getting images randomly from this store is not supported.";

describe.each(STORES)("with a store of %s access", (store) => {
  const site = useSite({ store });
  let world: Parameters<typeof makeImage>[0] & { readonly keystoneUrl: string };
  let tokens: Tokens;

  beforeAll(() => {
    const { keystoneUrl } = inject("cloud");
    const { glanceUrl: url } = site;
    world = { url, keystoneUrl, tokenOf: (user) => site.tokenOf(user), projectOf: (user) => site.projectOf(user) };
    tokens = new Tokens(world);
  });

  const keep = async (path: string, owner: string | null) => {
    for (const _ of [1, 2]) expect((await curl(site.url + path, owner)).start).toBe(DATA);
  };

  describe.each(CELLS.map((cell) => [`${OF[cell.state]}, ${cell.kept ? "kept" : "not kept"},`, cell] as const))(
    "%s",
    (_, { state, kept }) => {
      const make = async () => {
        const whenActive = async (id: string) => {
          if (kept) await keep(`/v2/images/${id}/file`, await site.tokenOf(ownerOf(state)));
        };
        return `/v2/images/${await makeImage(world, state, whenActive)}/file`;
      };
      // One image for all where it is kept; else each has its own, since whoever gets it has it kept.
      let shared: Promise<string> | null = null;
      const image = () => {
        if (!kept) return make();
        shared ??= make();
        return shared;
      };

      it.concurrent.each(CALLERS)("is for %s what Glance says, whole and in a part", async (caller) => {
        const token = await tokens.of(caller);
        let path = await image();
        for (const header of ["Accept: application/json", PART.header]) {
          const theirs = await curl(site.glanceUrl + path, token, "--header", header);
          const mine = await curl(site.url + path, token, "--header", header);
          const more = theirs.status === 400 && theirs.start.includes(NO_RANDOM_ACCESS) && mine.status === 206;
          if (more) expect(mine.start).toBe(DATA.slice(PART.from, PART.to));
          else expect(told(mine)).toEqual(told(theirs));
          const given = mine.status === 200 || mine.status === 206;
          const owed = (DATA_TO[state] as readonly string[]).includes(caller);
          // How long a Glance remembers a token that it has seen is its own matter.
          if (caller !== "token revoked after use" && theirs.status !== 400) expect(given).toBe(owed);
          if (given && !kept) path = await image();
        }
      });
    },
  );
});

function told({ exit, status, headers, bytes, sha512, start }: Download): unknown {
  const fields = ["content-type", "content-md5", "content-range", "www-authenticate"].map((name) => headers.get(name));
  return { exit, status, fields, bytes, sha512, refusal: status < 300 ? null : start };
}
