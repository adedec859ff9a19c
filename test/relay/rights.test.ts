/** Through the relay everybody gets what Glance itself gives them, whatever the relay has kept. */
import { beforeAll, describe, expect, it } from "vitest";
import { STORES } from "../openstack/lib/glance.ts";
import { curl, type Download } from "./support/clients.ts";
import { type Image, useSite } from "./support/site.ts";

const SIZE = 300_007;
const CALLERS = ["demo", "admin", "other", "barred", "bad token", "no token"] as const;
const STATES = ["kept", "not kept", "deactivated", "kept, then deactivated", "queued", "deleted"] as const;
type State = (typeof STATES)[number];

describe.each(STORES)("with a store of %s access", (store) => {
  const site = useSite({ store });
  const images = new Map<State, Image>();

  beforeAll(async () => {
    const owner = await site.tokenOf("demo");
    for (const state of STATES) {
      const image = await site.makeImage(state === "queued" ? null : SIZE);
      images.set(state, image);
      const { id, path } = image;
      if (state.startsWith("kept") || state === "deleted") {
        for (const _ of [1, 2]) expect((await curl(site.url + path, owner)).sha512).toBe(image.sha512);
      }
      if (state.endsWith("deactivated")) await site.atGlance("POST", `/v2/images/${id}/actions/deactivate`, "admin");
      if (state === "deleted") await site.atGlance("DELETE", `/v2/images/${id}`, "demo");
    }
  });

  const tokenOf = async (caller: (typeof CALLERS)[number]) => {
    if (caller === "no token") return null;
    return caller === "bad token" ? "nonsense" : site.tokenOf(caller);
  };

  describe.each(STATES)("an image that is %s", (state) => {
    it.each(CALLERS)("is Glance's answer for %s", async (caller) => {
      const path = images.get(state)?.path ?? "";
      const token = await tokenOf(caller);
      for (const accept of ["*/*", "application/json"]) {
        const ask = (url: string) => curl(url + path, token, "--header", `Accept: ${accept}`);
        const theirs = await ask(site.glanceUrl);
        expect(told(await ask(site.url))).toEqual(told(theirs));
      }
    });
  });

  it("gives a caller whom Glance allows it the image, and no other", async () => {
    const path = images.get("kept")?.path ?? "";
    const got = await Promise.all(
      CALLERS.map(async (caller) => (await curl(site.url + path, await tokenOf(caller))).status),
    );
    expect(got).toEqual([200, 200, 404, 403, 401, 401]);
  });
});

function told({ exit, status, headers, bytes, sha512, start }: Download): unknown {
  const fields = ["content-type", "content-md5", "www-authenticate"].map((name) => headers.get(name));
  return { exit, status, fields, bytes, sha512, refusal: status < 300 ? null : start };
}
