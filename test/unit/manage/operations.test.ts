import { describe, expect, it } from "vitest";
import { matchOperation } from "../../../src/manage/operations.ts";

const ID = "5eed0000-0000-4000-8000-000000000001";
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "NONSENSE"];

/** What a line such as `GET /v2/cache` is: an operation and its policy, an Allow field, or null. */
function match(line: string): unknown {
  const [method = "", path = ""] = line.split(" ");
  const found = matchOperation(method, path);
  if (found === null) return null;
  return found.kind === "operation" ? [found.operation, found.policy] : found.allow;
}

describe("an operation, and the policy that a refusal of it names", () => {
  it.each<[string, object, string]>([
    ["GET /v2/cache", { do: "list" }, "cache_list"],
    ["GET /v2/cache/fills", { do: "list-fills" }, "cache_list"],
    ["DELETE /v2/cache", { do: "clear" }, "cache_delete"],
    [`PUT /v2/cache/${ID}`, { do: "queue", imageId: ID }, "cache_image"],
    [`DELETE /v2/cache/${ID}`, { do: "delete", imageId: ID }, "cache_delete"],
    ["POST /v2/cache/clean", { do: "clean" }, "cache_clean"],
    ["POST /v2/cache/prune", { do: "prune" }, "cache_prune"],
    [`GET /v2/cache/nodes/${ID}`, { do: "nodes", imageId: ID }, "list_cached_nodes"],
  ])("%s", (line, operation, policy) => {
    expect(match(line)).toEqual([operation, policy]);
  });

  it.each<[string, string, object]>([
    ["GET /v2/cached_images", "legacy-cached", { do: "list" }],
    ["DELETE /v2/cached_images", "legacy-cached", { do: "delete-all" }],
    [`DELETE /v2/cached_images/${ID}`, "legacy-cached", { do: "delete", imageId: ID }],
    ["GET /v2/queued_images", "legacy-queued", { do: "list" }],
    ["DELETE /v2/queued_images", "legacy-queued", { do: "delete-all" }],
    [`PUT /v2/queued_images/${ID}`, "legacy-queued", { do: "add", imageId: ID }],
    [`DELETE /v2/queued_images/${ID}`, "legacy-queued", { do: "delete", imageId: ID }],
  ])("in the legacy form: %s", (line, operation, verb) => {
    expect(match(line)).toEqual([{ do: operation, verb }, "manage_image_cache"]);
  });
});

/** Every other method than these, each with its path. */
const others = (path: string, ...known: string[]) =>
  METHODS.filter((method) => !known.includes(method)).map((method) => `${method} ${path}`);

describe("a method that Glance does not have there is refused with those that it has, in its order", () => {
  it.each([
    ...others("/v2/cache", "GET", "DELETE").map((line) => [line, "GET, DELETE"]),
    ...others(`/v2/cache/${ID}`, "PUT", "DELETE").map((line) => [line, "DELETE, PUT"]),
    ...others("/v2/cache/nonsense", "PUT", "DELETE").map((line) => [line, "DELETE, PUT"]),
    ...others("/v2/cache/nodes", "PUT", "DELETE").map((line) => [line, "DELETE, PUT"]),
    ...others("/v2/cache/clean", "POST").map((line) => [line, "POST"]),
    ...others("/v2/cache/prune", "POST").map((line) => [line, "POST"]),
    ...others("/v2/cache/fills", "GET").map((line) => [line, "GET"]),
    ...others(`/v2/cache/nodes/${ID}`, "GET").map((line) => [line, "GET"]),
  ])("%s", (line, allow) => {
    expect(match(line)).toBe(allow);
  });

  it.each(
    ["cached_images", "queued_images"].flatMap((kind) => [
      ...others(`/v2/${kind}`, "GET", "DELETE"),
      ...others(`/v2/${kind}/${ID}`, "PUT", "DELETE"),
    ]),
  )("but not in the legacy form, which leaves it to the API behind: %s", (line) => {
    expect(match(line)).toBeNull();
  });

  it("nor can the list of cached images be added to", () => {
    expect(match(`PUT /v2/cached_images/${ID}`)).toBeNull();
  });
});

describe("a word where an id stands", () => {
  it.each(["clean", "prune"])("%s is no id: it wins over one", (word) => {
    expect(match(`PUT /v2/cache/${word}`)).toBe("POST");
    expect(match(`DELETE /v2/cache/${word}`)).toBe("POST");
  });

  it("fills is none either", () => {
    expect(match("PUT /v2/cache/fills")).toBe("GET");
    expect(match("DELETE /v2/cache/fills")).toBe("GET");
  });

  it.each(["nodes", "nonsense", "CLEAN", ID.toUpperCase()])("%s is one, that no image has", (word) => {
    expect(match(`PUT /v2/cache/${word}`)).toEqual([{ do: "queue", imageId: word }, "cache_image"]);
    expect(match(`DELETE /v2/cache/${word}`)).toEqual([{ do: "delete", imageId: word }, "cache_delete"]);
  });

  it.each([
    ["%3Cb%3Ea%26%22", '<b>a&"'],
    ["a%20b+c", "a b+c"],
    ["%E2%82%AC", "€"],
    ["a%2520b", "a%20b"],
    // No UTF-8: it stays what it was, and names no image.
    ["%ff", "%ff"],
    ["100%", "100%"],
  ])("is decoded once: %s", (written, imageId) => {
    expect(match(`PUT /v2/cache/${written}`)).toEqual([{ do: "queue", imageId }, "cache_image"]);
    expect(match(`GET /v2/cache/nodes/${written}`)).toEqual([{ do: "nodes", imageId }, "list_cached_nodes"]);
    expect(match(`PUT /v2/queued_images/${written}`)).toMatchObject([{ verb: { imageId } }, "manage_image_cache"]);
  });

  it("is decoded before it is compared with the words that are no ids", () => {
    expect(match("POST /v2/cache/%63lean")).toEqual([{ do: "clean" }, "cache_clean"]);
  });
});

describe("what is no matter of the cache's management goes on to the origin", () => {
  it.each([
    // With a slash at the end, or one too many, or one that is hidden.
    "/v2/cache/",
    `/v2/cache/${ID}/`,
    "/v2/cache/clean/",
    "/v2/cache/nodes/",
    `/v2/cache/nodes/${ID}/`,
    "/v2/cached_images/",
    `/v2/cached_images/${ID}/`,
    "/v2/queued_images/",
    `/v2/queued_images/${ID}/`,
    "/v2//cache",
    `/v2/cache//${ID}`,
    "//v2/cache",
    "/v2/cache/a%2Fb",
    `/v2/cache/nodes%2F${ID}`,
    `/v2/cache/nodes/a%2Fb`,
    "/v2/queued_images/a%2fb",
    // Below what has nothing below it.
    `/v2/cache/${ID}/more`,
    `/v2/cache/clean/${ID}`,
    `/v2/cache/fills/${ID}`,
    `/v2/cache/nodes/${ID}/more`,
    `/v2/cached_images/${ID}/more`,
    // Other APIs and other names.
    "/",
    "/v2",
    "/v2/",
    "/cache",
    "/v1/cache",
    "/v3/cache",
    "/v2.16/cache",
    "/V2/cache",
    "/v2/Cache",
    "/v2/caches",
    "/v2/cached_image",
    "/v2/images",
    `/v2/images/${ID}/cache`,
    "v2/cache",
  ])("%s", (path) => {
    for (const method of METHODS) expect(matchOperation(method, path), method).toBeNull();
  });

  it.each(["/v2/cache", `/v2/cache/${ID}`, "/v2/cache/clean", `/v2/cache/nodes/${ID}`, "/v2/cached_images"])(
    "OPTIONS %s, which Glance answers the same everywhere",
    (path) => {
      expect(matchOperation("OPTIONS", path)).toBeNull();
    },
  );
});
