/** Nobody but an administrator gets anything of the page's API, and without a token nobody gets a word. */
import { beforeAll, describe, expect, it } from "vitest";
import { keepLines } from "../../support/lines.ts";
import { everything } from "../../support/manage.ts";
import { api, expectRefused, sending } from "../../support/page.ts";
import { ask, takeCalls } from "../../support/scenario.ts";
import { emptyStore, storeImage } from "../../support/store.ts";

keepLines();

const ID = "a0000000-0000-4000-8000-000000000001";
const NOWHERE = { KEYSTONE_URL: "http://127.0.0.1:9/v3" };

/** Everything below /edge/api/ but the log-in, what is not there, and what a part does not take. */
const LINES = [
  "GET state",
  "GET images",
  "GET images?sort=nothing",
  "GET traffic",
  `DELETE images/${ID}`,
  `PUT queue/${ID}`,
  `DELETE queue/${ID}`,
  `PUT pins/${ID}`,
  `DELETE pins/${ID}`,
  "POST clear",
  "POST prune",
  "GET nothing",
  "GET ",
  "PUT state",
  "OPTIONS state",
  `GET images/${ID}`,
  "PUT queue/clean",
  "DELETE queue/..%2f..",
];

beforeAll(async () => {
  await emptyStore();
  await storeImage(ID);
});

const init = (line: string) => (line === "POST clear" ? sending({ what: "all" }) : {});

describe.each(LINES)("%s", (line) => {
  it("is refused without a token, with a wrong one, and to who is no administrator", async () => {
    const before = await everything();
    await expectRefused(await api(line, { ...init(line), token: null }), 401, /Log in again/);
    await expectRefused(await api(line, { ...init(line), token: "wrong" }), 401, /Log in again/);
    // Of an image that is stored the origin need not be asked.
    if (!line.startsWith("PUT queue/a0")) {
      await expectRefused(await api(line, { ...init(line), token: "demo" }), 403, /roles .*: admin \(ADMIN_ROLES\)/);
    }
    expect(await everything()).toEqual(before);
  });

  it("is refused while Keystone does not answer, and changes nothing", async () => {
    const before = await everything();
    await expectRefused(await api(line, { ...init(line), env: NOWHERE }), 503, /Keystone .*(again|ask)/);
    expect(await everything()).toEqual(before);
  });

  it("says what is missing where the edge has no Keystone", async () => {
    await expectRefused(await api(line, { ...init(line), env: { KEYSTONE_URL: "" } }), 503, /KEYSTONE_URL is not set/);
  });
});

it("what there is not, and what a part does not take, an administrator is told", async () => {
  await expectRefused(await api("GET nothing"), 404, /nothing here/);
  await expectRefused(await api("PUT queue/clean"), 404, /nothing here/);
  const response = await api("PUT state");
  expect(response.headers.get("allow")).toBe("GET");
  await expectRefused(response, 405, /GET only/);
});

it("a token counts in its header only", async () => {
  await expectRefused(await api("GET state?token=admin", { token: null }), 401, /Log in/);
  await expectRefused(await api("GET state", { token: null, headers: { cookie: "token=admin" } }), 401, /Log in/);
  await expectRefused(
    await api("GET state", { token: null, headers: { authorization: "Bearer admin" } }),
    401,
    /Log in/,
  );
});

it("what merely looks like the page's is the origin's", async () => {
  for (const path of ["/edges", "/v2/edge", "/edgeapi/state"]) {
    const response = await ask(path, { token: null });
    expect(await response.text()).not.toContain("Log in");
  }
  expect((await takeCalls()).map(({ path }) => path)).toEqual(["/edges", "/v2/edge", "/edgeapi/state"]);
});
