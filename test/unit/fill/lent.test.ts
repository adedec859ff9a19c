/** Under whose rights a fill asks the origin. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { LentRights, type Taken } from "../../../src/fill/object/lent.ts";
import type { Rights } from "../../../src/fill/protocol.ts";
import { ServiceTokenMemory, ServiceTokens } from "../../../src/keystone/service-tokens.ts";
import { fetchBy } from "../../../src/lib/fetch.ts";
import { createLog } from "../../../src/lib/log.ts";
import { IMAGE_ID } from "../../support/fill-states.ts";

const rights = (token: string, api: "v1" | "v2" = "v2"): Rights => ({
  target: { api, imageId: IMAGE_ID, query: `?of=${token}` },
  headers: [["x-auth-token", token]],
});
const log = createLog({ test: true });
const readers = () => new LentRights(null, log);
const tokenOf = (taken: Taken | null) => taken?.rights.headers.find(([name]) => name === "x-auth-token")?.[1] ?? null;

/** A service account whose Keystone gives a new token to each log-in. */
class Account extends ServiceTokens {
  logIns = 0;
  down = false;
  readonly #roles: string[];
  #token: string | null = null;

  constructor(...roles: string[]) {
    super(
      { url: "http://keystone.invalid", fetch: fetchBy(undefined) },
      { id: "id", secret: "secret" },
      new ServiceTokenMemory(),
      () => 0,
    );
    this.#roles = roles;
  }

  override async get() {
    if (this.down) throw new Error("Keystone is down");
    this.#token ??= `service ${++this.logIns}`;
    return { token: this.#token, identity: { userId: "u", projectId: "p", roles: this.#roles } };
  }

  override forget(token: string): void {
    if (token === this.#token) this.#token = null;
  }
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("rights that readers lend", () => {
  it("are nobody's at first", async () => {
    const lent = readers();
    expect(lent.any).toBe(false);
    expect(await lent.take(IMAGE_ID)).toBeNull();
  });

  it("are used as they were lent, the newest first", async () => {
    const lent = readers();
    lent.lend("a", rights("token a"));
    lent.lend("b", rights("token b"));
    expect(await lent.take(IMAGE_ID)).toEqual({
      rights: rights("token b"),
      from: "caller",
      reader: "b",
      seesAll: true,
    });
    lent.lend("a", rights("token a again"));
    expect(tokenOf(await lent.take(IMAGE_ID))).toBe("token a again");
  });

  it("are kept of the newest four", async () => {
    const lent = readers();
    for (const name of "abcdef") lent.lend(name, rights(name));
    const order: (string | null)[] = [];
    for (let taken = await lent.take(IMAGE_ID); taken !== null; taken = await lent.take(IMAGE_ID)) {
      order.push(taken.reader);
      lent.refused(taken, 403);
    }
    expect(order).toEqual(["f", "e", "d", "c"]);
    expect(lent.any).toBe(false);
  });

  it("are dropped when the origin has refused them, and their reader is told", async () => {
    const lent = readers();
    lent.lend("a", rights("good"));
    lent.lend("b", rights("bad"));
    const taken = await lent.take(IMAGE_ID);
    if (taken === null) throw new Error("nobody's");
    lent.refused(taken, 401);
    expect(tokenOf(await lent.take(IMAGE_ID))).toBe("good");
    expect([lent.wasRefused("a"), lent.wasRefused("b"), lent.any]).toEqual([false, true, true]);
  });

  it("that were lent anew meanwhile are not dropped with the old ones", async () => {
    const lent = readers();
    lent.lend("a", rights("old"));
    const taken = await lent.take(IMAGE_ID);
    if (taken === null) throw new Error("nobody's");
    lent.lend("a", rights("new"));
    lent.refused(taken, 401);
    expect(tokenOf(await lent.take(IMAGE_ID))).toBe("new");
  });

  it("are all forgotten at the end", async () => {
    const lent = readers();
    lent.lend("a", rights("a"));
    lent.lendForQueue(rights("queuer"));
    const taken = await lent.take(IMAGE_ID);
    if (taken !== null) lent.refused(taken, 403);
    lent.clear();
    expect([lent.any, lent.queuerLent, lent.wasRefused("a"), lent.wasRefused("queuer")]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});

describe("rights of who queued the image", () => {
  it("are kept beside those of however many readers", async () => {
    const lent = readers();
    lent.lendForQueue(rights("queuer"));
    for (const name of "abcdef") lent.lend(name, rights(name));
    expect(lent.queuerLent).toBe(true);
    for (let times = 0; times < 4; times++) {
      const taken = await lent.take(IMAGE_ID);
      if (taken !== null) lent.refused(taken, 403);
    }
    expect(tokenOf(await lent.take(IMAGE_ID))).toBe("queuer");
  });
});

describe("a service account", () => {
  it("comes before all callers, in the version of the API that they use", async () => {
    const lent = new LentRights(new Account("admin"), log);
    expect(lent.any).toBe(true);
    expect(await lent.take(IMAGE_ID)).toEqual({
      rights: { target: { api: "v2", imageId: IMAGE_ID }, headers: [["x-auth-token", "service 1"]] },
      from: "service",
      reader: null,
      seesAll: true,
    });
    lent.lend("a", rights("a", "v1"));
    expect((await lent.take(IMAGE_ID))?.rights.target.api).toBe("v1");
  });

  it("that is no admin's does not know that an image is gone", async () => {
    expect((await new LentRights(new Account("member"), log).take(IMAGE_ID))?.seesAll).toBe(false);
  });

  it("whose token was revoked logs in again, once", async () => {
    const account = new Account("admin");
    const lent = new LentRights(account, log);
    lent.lend("a", rights("caller"));
    const order: (string | null)[] = [];
    for (let times = 0; times < 3; times++) {
      const taken = await lent.take(IMAGE_ID);
      if (taken === null) break;
      order.push(tokenOf(taken));
      lent.refused(taken, 401);
    }
    expect(order).toEqual(["service 1", "service 2", "caller"]);
    expect(account.logIns).toBe(2);
    expect(lent.any).toBe(false);
  });

  it.each([403, 404])("that has no right to the image (%i) leaves it to callers at once", async (status) => {
    const account = new Account("admin");
    const lent = new LentRights(account, log);
    lent.lend("a", rights("caller"));
    const taken = await lent.take(IMAGE_ID);
    if (taken !== null) lent.refused(taken, status);
    expect(tokenOf(await lent.take(IMAGE_ID))).toBe("caller");
    expect(account.logIns).toBe(1);
  });

  it("that was refused is asked again for the next fill", async () => {
    const lent = new LentRights(new Account("admin"), log);
    const taken = await lent.take(IMAGE_ID);
    if (taken !== null) lent.refused(taken, 403);
    expect(lent.any).toBe(false);
    lent.clear();
    expect(lent.any).toBe(true);
  });

  it("whose Keystone does not answer leaves it to callers, and tells", async () => {
    const lines: string[] = [];
    vi.spyOn(console, "error").mockImplementation((line: string) => void lines.push(line));
    const account = new Account("admin");
    account.down = true;
    const lent = new LentRights(account, log);
    lent.lend("a", rights("caller"));
    expect(tokenOf(await lent.take(IMAGE_ID))).toBe("caller");
    expect(lines).toEqual([expect.stringContaining("service.no-token")]);
  });
});
