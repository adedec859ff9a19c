import { beforeAll, describe, expect, it } from "vitest";
import {
  everything,
  expectRefusal,
  FORMS,
  type Form,
  MESSAGES,
  manage,
  manageIn,
  operations,
} from "../../support/manage.ts";
import { createImage, expectCalls } from "../../support/scenario.ts";
import { queue, storeImage } from "../../support/store.ts";

/** Known beforehand, so that the tables can name them. Replaced by images' real ids. */
const IDS: Record<string, string> = { X: crypto.randomUUID() };

/** A: a private active image of demo's, that is stored. Q: one without data, that is queued. D: a deactivated one. */
beforeAll(async () => {
  const stored = await createImage({ size: 100_000 });
  const empty = await createImage({ size: 1, status: "queued" });
  const deactivated = await createImage({ size: 1_000, status: "deactivated" });
  // By no fill, whose slices would go in the middle of a test.
  await storeImage(stored.id);
  await queue.add(empty.id, Date.now());
  await queue.postpone(empty.id, "it has no data", Date.now() + 3_600_000);
  Object.assign(IDS, { A: stored.id, Q: empty.id, D: deactivated.id, U: stored.id.toUpperCase() });
});

const filled = (line: string) => line.replace(/\{(\w)\}/, (_, name: string) => IDS[name] ?? "");
const forms = Object.keys(FORMS) as Form[];

interface Row {
  readonly ask: string;
  /** Default: admin. */
  readonly as?: string | null;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly message: string;
  /** The image whose record the origin is asked for. */
  readonly asks?: string;
}

/** In all three forms, and nothing is changed by any. */
function refuses(rows: readonly Row[]): void {
  it.each(rows.map((row) => [row.ask, row.as === undefined ? "admin" : row.as, row.status, row] as const))(
    "%s by %s: %i",
    async (_, __, ___, row) => {
      const before = await everything();
      for (const form of forms) {
        const { headers = {} } = row;
        const init = { headers, ...(row.as === undefined ? {} : { token: row.as }) };
        const response = await manageIn(form, filled(row.ask), init);
        await expectRefusal(response, form, row.status, filled(row.message));
        await expectCalls(...(row.asks === undefined ? [] : [`GET /v2/images/${IDS[row.asks]}`]));
      }
      expect(await everything()).toEqual(before);
    },
  );
}

describe("first of all the token counts, whatever is asked for", () => {
  const requests = [
    ...operations("{A}").map(([line]) => line),
    "PUT /v2/cache/{X}",
    "PUT /v2/cache/nonsense",
    "DELETE /v2/cache/{X}",
    "POST /v2/cache",
    "GET /v2/cache/{A}",
    "GET /v2/cache/clean",
    "POST /v2/cache/nodes/{A}",
  ];
  refuses(
    requests.flatMap((ask) =>
      [null, "", "forged"].map((as) => ({ ask, as, status: 401, message: MESSAGES.unauthorized })),
    ),
  );
  refuses([
    { ask: "GET /v2/cache", as: null, headers: { "content-length": "2" }, status: 401, message: MESSAGES.unauthorized },
    {
      ask: "DELETE /v2/cache",
      as: "forged",
      headers: { "x-image-cache-clear-target": "both" },
      status: 401,
      message: MESSAGES.unauthorized,
    },
  ]);
});

describe("then the method, whoever asks", () => {
  const wrong: [string, string][] = [
    ...["POST", "PUT", "PATCH", "MKCOL"].map((m): [string, string] => [`${m} /v2/cache`, "GET, DELETE"]),
    ...["GET", "POST", "PATCH", "MKCOL"].map((m): [string, string] => [`${m} /v2/cache/{A}`, "DELETE, PUT"]),
    ["GET /v2/cache/{X}", "DELETE, PUT"],
    ["GET /v2/cache/nonsense", "DELETE, PUT"],
    ["GET /v2/cache/nodes", "DELETE, PUT"],
    ...["GET", "PUT", "DELETE"].flatMap((m): [string, string][] => [
      [`${m} /v2/cache/clean`, "POST"],
      [`${m} /v2/cache/prune`, "POST"],
    ]),
    ...["POST", "PUT", "DELETE"].map((m): [string, string] => [`${m} /v2/cache/fills`, "GET"]),
    ...["POST", "PUT", "DELETE"].map((m): [string, string] => [`${m} /v2/cache/nodes/{A}`, "GET"]),
  ];
  const TITLE = "405 Method Not Allowed";

  it.each(wrong.flatMap(([line, allow]) => ["admin", "demo"].map((as) => [line, as, allow] as const)))(
    "%s by %s: 405, allowed are %s",
    async (line, token, allow) => {
      const [method] = line.split(" ");
      const message = `The method ${method} is not allowed for this resource. `;
      const [html, json, text] = await Promise.all(forms.map((form) => manageIn(form, filled(line), { token })));
      for (const response of [html, json, text]) {
        expect(response?.status).toBe(405);
        expect(response?.headers.get("allow")).toBe(allow);
        expect(response?.headers.get("x-openstack-request-id")).toMatch(/^req-/);
      }
      expect(await html?.text()).toContain(`  <h1>${TITLE}</h1>\n  ${message}<br /><br />\n\n </body>`);
      expect(await json?.json()).toMatchObject({ message: `${message}<br /><br />\n`, code: TITLE });
      expect(await text?.text()).toBe(`${TITLE}\n\n${message}\n\n `);
    },
  );

  it.each([
    ["/v2/cache", "GET, DELETE"],
    ["/v2/cache/{A}", "DELETE, PUT"],
    ["/v2/cache/clean", "POST"],
    ["/v2/cache/nodes/{A}", "GET"],
  ])("HEAD %s: 405 without a body", async (path, allow) => {
    const response = await manageIn("json", `HEAD ${filled(path)}`);
    expect([response.status, await response.text()]).toEqual([405, ""]);
    expect(response.headers.get("allow")).toBe(allow);
    expect(response.headers.get("content-type")).toBe("text/html; charset=UTF-8");
    expect(response.headers.get("content-length")).toBe("0");
  });
});

describe("then, for a list, whether a body came", () => {
  refuses(
    ["admin", "demo"].flatMap((as) => [
      { ask: "GET /v2/cache", as, headers: { "content-length": "2" }, status: 400, message: MESSAGES.bodyNotExpected },
      {
        ask: "GET /v2/cache",
        as,
        headers: { "transfer-encoding": "chunked" },
        status: 400,
        message: MESSAGES.bodyNotExpected,
      },
    ]),
  );

  it.each<Record<string, string>>([{ "content-length": "0" }, { "content-type": "application/json" }, {}])(
    "%o is none",
    async (headers) => {
      const response = await manage("GET /v2/cache", { headers });
      expect(response.status).toBe(200);
      await response.text();
    },
  );
});

describe("then whether the image is there for this caller, before the policy", () => {
  const unknown = (id: string) => MESSAGES.notFound(id);
  refuses([
    ...["admin", "demo"].flatMap((as) => [
      { ask: "PUT /v2/cache/{X}", as, status: 404, message: unknown("{X}"), asks: "X" },
      { ask: "DELETE /v2/cache/{X}", as, status: 404, message: unknown("{X}"), asks: "X" },
      { ask: "PUT /v2/cache/nonsense", as, status: 404, message: unknown("nonsense") },
      { ask: "DELETE /v2/cache/nonsense", as, status: 404, message: unknown("nonsense") },
      // Glance compares ids as text.
      { ask: "PUT /v2/cache/{U}", as, status: 404, message: unknown("{U}") },
      { ask: "DELETE /v2/cache/{U}", as, status: 404, message: unknown("{U}") },
      { ask: "PUT /v2/cache/%3Cb%3Ea%26%22", as, status: 404, message: unknown('<b>a&"') },
      { ask: "PUT /v2/cache/nodes", as, status: 404, message: unknown("nodes") },
    ]),
    // Somebody else's private image, stored as it may be, is none to queue.
    { ask: "PUT /v2/cache/{A}", as: "other", status: 404, message: unknown("{A}"), asks: "A" },
    { ask: "PUT /v2/cache/{Q}", as: "other", status: 404, message: unknown("{Q}"), asks: "Q" },
    { ask: "DELETE /v2/cache/{D}", as: "other", status: 404, message: unknown("{D}"), asks: "D" },
    // For which nodes hold it the policy comes first.
    { ask: "GET /v2/cache/nodes/{X}", status: 404, message: unknown("{X}"), asks: "X" },
    { ask: "GET /v2/cache/nodes/nonsense", status: 404, message: unknown("nonsense") },
  ]);
});

describe("then the policy, before the image's status and what the request says", () => {
  const by = ["demo", "other"];
  refuses([
    ...by.flatMap((as) =>
      operations("{A}")
        .filter(([line]) => as === "demo" || !line.startsWith("PUT /v2/cache/"))
        .map(([ask, policy]) => {
          // What is stored is known without the origin.
          const one = /\/(cache|nodes)\/\{A\}$/.test(ask) && !ask.startsWith("DELETE");
          return { ask, as, status: 403, message: MESSAGES.forbidden(policy), ...(one ? { asks: "A" } : {}) };
        }),
    ),
    { ask: "PUT /v2/cache/{Q}", as: "demo", status: 403, message: MESSAGES.forbidden("cache_image"), asks: "Q" },
    { ask: "PUT /v2/cache/{D}", as: "demo", status: 403, message: MESSAGES.forbidden("cache_image"), asks: "D" },
    { ask: "DELETE /v2/cache/{D}", as: "demo", status: 403, message: MESSAGES.forbidden("cache_delete"), asks: "D" },
    // In the queue, and so known, though the caller does not see it.
    { ask: "DELETE /v2/cache/{Q}", as: "other", status: 403, message: MESSAGES.forbidden("cache_delete") },
    {
      ask: "GET /v2/cache/nodes/{X}",
      as: "demo",
      status: 403,
      message: MESSAGES.forbidden("list_cached_nodes"),
      asks: "X",
    },
    {
      ask: "GET /v2/cache/nodes/nonsense",
      as: "demo",
      status: 403,
      message: MESSAGES.forbidden("list_cached_nodes"),
    },
    ...["both", "cache", "queue", ""].map((target) => ({
      ask: "DELETE /v2/cache",
      as: "demo",
      headers: { "x-image-cache-clear-target": target },
      status: 403,
      message: MESSAGES.forbidden("cache_delete"),
    })),
    ...["PUT /v2/queued_images/{X}", "DELETE /v2/cached_images/nonsense"].map((ask) => ({
      ask,
      as: "demo",
      status: 403,
      message: MESSAGES.forbidden("manage_image_cache"),
    })),
  ]);
});

describe("last of all what the request says", () => {
  refuses([
    { ask: "PUT /v2/cache/{Q}", status: 400, message: MESSAGES.notActive, asks: "Q" },
    { ask: "PUT /v2/cache/{D}", status: 400, message: MESSAGES.notActive, asks: "D" },
    ...["both", "all", "cache,queue", "caches", "cache;queue", "'cache'"].map((target) => ({
      ask: "DELETE /v2/cache",
      headers: { "x-image-cache-clear-target": target },
      status: 400,
      message: MESSAGES.badTarget,
    })),
  ]);
});
