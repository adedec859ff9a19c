/**
 * What the answers of Glances of all times say about a caller's right. One that old can't be run here: its words are played.
 */
import { afterEach, describe, expect, it, vi } from "vitest";
import packageJson from "../../../package.json";
import { askRight, REFUSED_RANGE } from "../../../src/glance/ask-right.ts";
import { USER_AGENT } from "../../../src/http/user-agent.ts";
import { fetchBy } from "../../../src/lib/fetch.ts";

const ID = "71c675ab-d94f-49cd-a114-e12490b328d9";
const ORIGIN = "https://glance.test";
const AT = { origin: ORIGIN, publicUrl: null, originFetch: fetchBy(undefined) };
const V2 = { api: "v2", imageId: ID } as const;

const START = "Invalid start position in Range header. Start position MUST be in the inclusive range [0, 25].";
const SAID = `The Range requested is not available.<br /><br />\n${START}\n\n`;
const AS_JSON = JSON.stringify({ message: SAID, code: "416 Request Range Not Satisfiable", title: "x" });
const AS_HTML = `<html>\n <head>\n  <title>416</title>\n </head>\n <body>\n  <h1>416</h1>\n  ${SAID}\n </body>\n</html>`;
const AS_TEXT = `416 Request Range Not Satisfiable\n\n${SAID.replaceAll("<br />", "\n")}`;
const NOT_RANDOMLY = "Getting images randomly from this store is not supported. Offset: 0, length: 1";
const NGINX = "<html><head><title>416 Requested Range Not Satisfiable</title></head><body>nginx</body></html>";

interface Seen {
  readonly url: string;
  readonly headers: Headers;
}

/** Answers in order; what was asked is returned. */
function answering(...answers: readonly Response[]): Seen[] {
  const seen: Seen[] = [];
  const left = [...answers];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    seen.push({ url: request.url, headers: request.headers });
    const answer = left.shift();
    if (answer === undefined) throw new Error("nothing more was to be asked");
    return answer;
  });
  return seen;
}

const yes = async () => true;
const no = async () => false;
const strange = vi.fn();
const client = () => new Headers({ "x-auth-token": "t" });

afterEach(() => {
  vi.restoreAllMocks();
  strange.mockClear();
});

describe("a Glance that asks its policy first", () => {
  it.each([
    ["its own 416 as JSON", new Response(AS_JSON, { status: 416 }), true],
    ["its own 416 as HTML, whatever was accepted", new Response(AS_HTML, { status: 416 }), true],
    ["its own 416 as text", new Response(AS_TEXT, { status: 416 }), true],
    ["its own 416 of an image of 0 bytes", new Response(AS_JSON.replace("[0, 25]", "[0, -1]"), { status: 416 }), true],
    ["Glance's words with 400", new Response(AS_JSON, { status: 400 }), false],
    ["Glance's words with 403", new Response(AS_JSON, { status: 403 }), false],
    ["the store's 400", new Response(NOT_RANDOMLY, { status: 400 }), false],
    ["200", new Response("all of it"), true],
    ["206", new Response("some of it", { status: 206 }), true],
    ["204, of an image without data", new Response(null, { status: 204 }), false],
    ["401", new Response("", { status: 401 }), false],
    ["403", new Response("", { status: 403 }), false],
    ["404", new Response("", { status: 404 }), false],
    ["a redirect", new Response("", { status: 302 }), false],
    ["500", new Response("", { status: 500 }), false],
    ["503", new Response("", { status: 503 }), false],
  ] as const)("%s", async (_, answer, right) => {
    const seen = answering(answer);
    expect(await askRight(V2, client(), AT, yes, strange)).toBe(right);
    expect(seen.map(({ headers }) => headers.get("range"))).toEqual([REFUSED_RANGE]);
    expect(strange).not.toHaveBeenCalled();
  });

  it.each([
    ["has another 416 of Glance", () => new Response("Invalid Range header.", { status: 416 })],
    ["has a proxy's 416 before it", () => new Response(NGINX, { status: 416 })],
    ["has an empty 416", () => new Response(null, { status: 416 })],
    ["has a 416 that says it behind 8 KiB", () => new Response("x".repeat(8192) + START, { status: 416 })],
  ])("is asked for the first byte where it %s, which says nothing of a right", async (_, refusal) => {
    for (const [answer, right] of [
      [new Response("x", { status: 206, headers: { "content-length": "1" } }), true],
      [new Response(NOT_RANDOMLY, { status: 400 }), true],
      [new Response("403 Forbidden", { status: 403 }), false],
      [new Response(NGINX, { status: 416 }), false],
    ] as const) {
      strange.mockClear();
      const seen = answering(refusal(), answer);
      expect(await askRight(V2, client(), AT, yes, strange)).toBe(right);
      expect(seen.map(({ headers }) => headers.get("range"))).toEqual([REFUSED_RANGE, "bytes=0-0"]);
      expect(strange).toHaveBeenCalledTimes(1);
      vi.restoreAllMocks();
    }
  });

  it("is not read on and on when its 416 has no end", async () => {
    let pulled = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(1024));
      },
      cancel() {
        cancelled = true;
      },
    });
    answering(new Response(endless, { status: 416 }), new Response("", { status: 403 }));
    expect(await askRight(V2, client(), AT, yes, strange)).toBe(false);
    expect([pulled < 16, cancelled]).toEqual([true, true]);
  });
});

// From Pike to Wallaby the policy is asked behind the check of the range.
describe("a Glance that asks its policy behind the range, or that may", () => {
  const refused = () => new Response(AS_JSON, { status: 416 });
  it.each([
    ["gives the first byte", new Response("x", { status: 206, headers: { "content-length": "1" } }), true],
    ["can't read from the middle", new Response(NOT_RANDOMLY, { status: 400 }), true],
    ["says another bad request", new Response("Bad Request", { status: 400 }), false],
    ["refuses by its policy", new Response("403 Forbidden", { status: 403 }), false],
    ["has an image of 0 bytes", new Response(AS_JSON, { status: 416 }), false],
    ["fails", new Response("", { status: 500 }), false],
  ] as const)("is asked for the first byte as well, and %s", async (_, answer, right) => {
    const seen = answering(refused(), answer);
    expect(await askRight(V2, client(), AT, no, strange)).toBe(right);
    expect(seen.map(({ headers }) => headers.get("range"))).toEqual([REFUSED_RANGE, "bytes=0-0"]);
  });

  it.each([
    ["refuses the first question", new Response("", { status: 404 }), false],
    ["ignores Range, as before Pike", new Response("all of it"), true],
  ] as const)("is asked once when it %s", async (_, answer, right) => {
    const seen = answering(answer);
    expect(await askRight(V2, client(), AT, no, strange)).toBe(right);
    expect(seen).toHaveLength(1);
  });
});

describe("API v1, which ignores Range,", () => {
  it.each([
    ["begins to send the image", new Response("all of it"), true],
    ["refuses", new Response("", { status: 403 }), false],
    ["is no Glance", new Response(AS_JSON, { status: 416 }), false],
  ] as const)("%s", async (_, answer, right) => {
    const seen = answering(answer);
    const never = () => Promise.reject(new Error("the version of v2 is no matter of v1"));
    expect(await askRight({ api: "v1", imageId: ID }, client(), AT, never, strange)).toBe(right);
    expect(seen.map(({ headers }) => headers.get("range"))).toEqual(["bytes=0-0"]);
  });
});

it("no refusal waits for the versions of the origin", async () => {
  answering(new Response("", { status: 404 }));
  expect(await askRight(V2, client(), AT, () => new Promise(() => undefined), strange)).toBe(false);
});

it("the question is the caller's own, with the download's query, under the edge's own name", async () => {
  const seen = answering(new Response(AS_JSON, { status: 416 }), new Response("x", { status: 206 }));
  const headers = new Headers({
    "x-auth-token": "t",
    "x-service-token": "s",
    "user-agent": "curl/8",
    "accept-language": "de",
    range: "bytes=5-9",
    "if-none-match": '"e"',
  });
  await askRight({ ...V2, query: "?prefer=ceph,file" }, headers, AT, no, strange);
  expect(seen).toHaveLength(2);
  for (const { url, headers: sent } of seen) {
    expect(url).toBe(`${ORIGIN}/v2/images/${ID}/file?prefer=ceph,file`);
    expect([sent.get("x-auth-token"), sent.get("x-service-token")]).toEqual(["t", "s"]);
    expect([sent.get("user-agent"), sent.get("accept")]).toEqual([USER_AGENT, "application/json"]);
    expect([sent.has("accept-language"), sent.has("if-none-match")]).toEqual([false, false]);
  }
  expect(REFUSED_RANGE).toBe("bytes=9223372036854775806-");
});

it("the edge's own name has the version of package.json", () => {
  expect(USER_AGENT).toBe(`glance-edge/${packageJson.version}`);
});
