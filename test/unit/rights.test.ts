import { beforeEach, describe, expect, it } from "vitest";
import type { Errand } from "../../src/fill/protocol.ts";
import { Rights, type Taken } from "../../src/fill/rights.ts";
import { ServiceTokenMemory, ServiceTokens } from "../../src/keystone/service-tokens.ts";
import type { Log } from "../../src/observe/log.ts";

/** Nobody answers here: a token that is not remembered can't be had. */
const NOWHERE = "http://127.0.0.1:9/v3";
const CREDENTIAL = { id: "edge", secret: "secret" };
const ACCOUNT = JSON.stringify([NOWHERE, CREDENTIAL.id]);
const IMAGE = "image";

let memory = new ServiceTokenMemory();
let errors: string[] = [];
const log: Log = { info: () => undefined, error: (event) => void errors.push(event) };

beforeEach(() => {
  memory = new ServiceTokenMemory();
  errors = [];
});

const remember = (token: string, roles: readonly string[] = ["admin"]) =>
  memory.keep(ACCOUNT, { token, identity: { userId: "edge", projectId: "p", roles } }, Number.POSITIVE_INFINITY);
const withAccount = () => new Rights(new ServiceTokens(NOWHERE, CREDENTIAL, memory, Date.now), log);
const withoutAccount = () => new Rights(null, log);
const errand = (token: string, api: "v1" | "v2" = "v2"): Errand => ({
  target: { api, imageId: IMAGE },
  headers: [["x-auth-token", token]],
});
const tokenOf = (taken: Taken | null) => taken?.errand.headers.find(([name]) => name === "x-auth-token")?.[1] ?? null;

describe("without an account of the edge's own", () => {
  it("there are nobody's rights before a caller lends some", async () => {
    const rights = withoutAccount();
    expect(rights.lent).toBe(false);
    expect(await rights.take(IMAGE)).toBeNull();
  });

  it("the last caller's count, who has seen the image", async () => {
    const rights = withoutAccount();
    rights.lend(errand("first"), "puller");
    rights.lend(errand("last", "v1"), "puller");
    expect(rights.lent).toBe(true);
    expect(await rights.take(IMAGE)).toEqual({ errand: errand("last", "v1"), from: "caller", seesAll: true });
  });

  it("a caller's are gone once they were refused, and once they are cleared", async () => {
    const rights = withoutAccount();
    rights.lend(errand("ended"), "puller");
    const taken = await rights.take(IMAGE);
    if (taken === null) throw new Error("nothing was lent");
    rights.refused(taken, 401);
    expect(rights.lent).toBe(false);
    expect(await rights.take(IMAGE)).toBeNull();
    rights.lend(errand("fresh"), "puller");
    expect(tokenOf(await rights.take(IMAGE))).toBe("fresh");
    rights.clear();
    expect(await rights.take(IMAGE)).toBeNull();
  });
});

describe("who pulls and who has queued the image", () => {
  it("are kept apart: the puller's rights come first, and what is refused of one leaves the other", async () => {
    const rights = withoutAccount();
    rights.lend(errand("queuer"), "queuer");
    rights.lend(errand("puller"), "puller");
    const puller = await rights.take(IMAGE);
    expect(tokenOf(puller)).toBe("puller");
    if (puller === null) throw new Error("nothing was lent");
    rights.refused(puller, 401);
    expect(rights.lent).toBe(true);
    const queuer = await rights.take(IMAGE);
    expect(tokenOf(queuer)).toBe("queuer");
    if (queuer === null) throw new Error("nothing was lent");
    rights.refused(queuer, 403);
    expect(rights.lent).toBe(false);
    expect(await rights.take(IMAGE)).toBeNull();
  });

  it.each(["puller", "queuer"] as const)("a newer %s keeps its rights when an older one's are refused", async (as) => {
    const rights = withoutAccount();
    rights.lend(errand("older"), as);
    const older = await rights.take(IMAGE);
    if (older === null) throw new Error("nothing was lent");
    rights.lend(errand("newer"), as);
    rights.refused(older, 401);
    expect(tokenOf(await rights.take(IMAGE))).toBe("newer");
  });

  it.each(["puller", "queuer"] as const)("a %s's are gone once all are cleared", async (as) => {
    const rights = withoutAccount();
    rights.lend(errand("caller"), as);
    rights.clear();
    expect(rights.lent).toBe(false);
    expect(await rights.take(IMAGE)).toBeNull();
  });
});

describe("with an account of the edge's own", () => {
  it("that one's count, with its token and nothing else of a caller's", async () => {
    remember("service");
    const rights = withAccount();
    rights.lend({ ...errand("caller"), headers: [...errand("caller").headers, ["cookie", "x"]] }, "puller");
    expect(await rights.take(IMAGE)).toEqual({ errand: errand("service"), from: "service", seesAll: true });
  });

  it("speaks the API that the caller spoke, which may be all that the origin has", async () => {
    remember("service");
    const rights = withAccount();
    rights.lend(errand("caller", "v1"), "puller");
    expect((await rights.take(IMAGE))?.errand.target).toEqual({ api: "v1", imageId: IMAGE });
  });

  it.each([
    [["admin"], true],
    [["Admin", "member"], true],
    [["member", "reader"], false],
    [[], false],
  ])("with the roles %j sees all images: %s", async (roles, seesAll) => {
    remember("service", roles);
    expect((await withAccount().take(IMAGE))?.seesAll).toBe(seesAll);
  });

  it.each([403, 404])(
    "that is refused with %i gives way to a caller, and stands in where there is none",
    async (status) => {
      remember("service");
      const rights = withAccount();
      const taken = await rights.take(IMAGE);
      if (taken === null) throw new Error("no rights");
      rights.refused(taken, status);
      expect(tokenOf(await rights.take(IMAGE))).toBe("service");
      rights.lend(errand("caller"), "puller");
      expect(tokenOf(await rights.take(IMAGE))).toBe("caller");
    },
  );

  it("whose token was revoked asks for another one", async () => {
    remember("revoked");
    const rights = withAccount();
    const taken = await rights.take(IMAGE);
    if (taken === null) throw new Error("no rights");
    rights.refused(taken, 401);
    expect(memory.recall(ACCOUNT, 0)).toBeNull();
    remember("renewed");
    expect(tokenOf(await rights.take(IMAGE))).toBe("renewed");
  });

  it("is asked first again when the caller that stood in was refused too, and after a new start", async () => {
    remember("service");
    const rights = withAccount();
    rights.lend(errand("caller"), "puller");
    const service = await rights.take(IMAGE);
    if (service === null) throw new Error("no rights");
    rights.refused(service, 403);
    const caller = await rights.take(IMAGE);
    if (caller === null) throw new Error("no rights");
    rights.refused(caller, 403);
    expect(tokenOf(await rights.take(IMAGE))).toBe("service");
    rights.clear();
    rights.lend(errand("caller"), "puller");
    expect(tokenOf(await rights.take(IMAGE))).toBe("service");
  });

  it("that gets no token gives way to a caller, and says so in the log", async () => {
    const rights = withAccount();
    expect(await rights.take(IMAGE)).toBeNull();
    rights.lend(errand("caller"), "puller");
    expect(tokenOf(await rights.take(IMAGE))).toBe("caller");
    expect(errors).toEqual(["service.no-token", "service.no-token"]);
  });
});
