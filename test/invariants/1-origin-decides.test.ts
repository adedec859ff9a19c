/** Invariant 1: no cached byte leaves without the origin having allowed this token this download. */

import { beforeAll, describe, expect, it, vi } from "vitest";
import { bucketBut } from "../support/bindings.ts";
import { keptImage } from "../support/kept.ts";
import {
  ask,
  asks,
  asksV1,
  atOrigin,
  bindings,
  calls,
  createImage,
  download,
  expectCalls,
  type Image,
  loggedName,
  setFaults,
  settled,
} from "../support/scenario.ts";

let image: Image;
const file = () => `/v2/images/${image.id}/file`;

beforeAll(async () => {
  image = await keptImage({ size: 300_000 });
});

describe("every route refuses without a token", () => {
  const routes: [string, string][] = [
    ["GET", "/v2/images/ID/file"],
    ["HEAD", "/v2/images/ID/file"],
    ["GET", "/v1/images/ID"],
    ["HEAD", "/v1/images/ID"],
    ["DELETE", "/v2/images/ID"],
    ["DELETE", "/v1/images/ID"],
    ["PUT", "/v2/images/ID/file"],
    ["POST", "/v2/images/ID/actions/deactivate"],
    ["GET", "/v2/images/ID"],
    ["GET", "/v2/images"],
    ["POST", "/v2/images"],
  ];
  for (const token of [null, "", "no-such-token"]) {
    it.each(routes)(`%s %s with ${token === null ? "no token" : JSON.stringify(token)}`, async (method, path) => {
      const response = await ask(path.replace("ID", image.id), { method, token });
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toMatch(/^Keystone uri=/);
      expect(new TextDecoder().decode(await response.arrayBuffer())).not.toContain("\u0000");
      await expectCalls(
        ...(path.endsWith("/file") && (method === "GET" || method === "HEAD") ? asks(image.id) : []),
        ...(path.startsWith("/v1") && method === "GET" ? asksV1(image.id) : []),
        `${method} ${path.replace("ID", image.id)}`,
      );
    });
  }
});

describe("a stored image", () => {
  it("is not there for another project, and the refusal is the origin's own", async () => {
    const mine = await download(image.id, { token: "other", headers: { accept: "application/json" } });
    const theirs = await atOrigin(file(), { token: "other", headers: { accept: "application/json" } });
    expect(mine.status).toBe(404);
    expect(await mine.text()).toBe(await theirs.text());
    expect(mine.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=record-refused");
    await expectCalls(...asks(image.id), `GET ${file()}`);
  });

  it("is refused to a caller who sees the record but may not download", async () => {
    const seen = await keptImage({ size: 300_000 });
    await setFaults(seen.id, { status: 403 });
    const response = await download(seen.id);
    expect(response.status).toBe(403);
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=right-refused");
    await response.arrayBuffer();
    await expectCalls(...asks(seen.id), `GET /v2/images/${seen.id}/file`);
  });

  it("is not served when the record can't be had, whatever the right says", async () => {
    const seen = await keptImage({ size: 300_000 });
    await setFaults(seen.id, { recordStatus: 403 });
    const response = await download(seen.id);
    expect(response.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=record-refused");
    await response.arrayBuffer();
    await expectCalls(...asks(seen.id), `GET /v2/images/${seen.id}/file`);
  });

  it.each([
    ["just below 1 MiB", 2 ** 20 - 5_000, "hit"],
    ["just above 1 MiB, which is read no further", 2 ** 20 - 200, "fwd=bypass; detail=record-refused"],
  ])("with a record of %s", async (_, note, status) => {
    const big = await keptImage({ size: 300_000, overrides: { note: "x".repeat(note) } });
    const response = await download(big.id);
    expect(response.headers.get("cache-status")).toBe(`glance-edge; ${status}`);
    expect((await response.arrayBuffer()).byteLength).toBe(300_000);
    await expectCalls(...asks(big.id), ...(status === "hit" ? [] : [`GET /v2/images/${big.id}/file`]));
  });

  it("is never served once it is deactivated, to admins neither", async () => {
    const gone = await keptImage({ size: 300_000 });
    await atOrigin(`/v2/images/${gone.id}/actions/deactivate`, { method: "POST", token: "admin" });
    const member = await download(gone.id);
    expect(member.status).toBe(403);
    expect(member.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=deactivated");
    await member.arrayBuffer();
    const admin = await download(gone.id, { token: "admin" });
    expect(admin.status).toBe(200);
    expect(admin.headers.get("cache-status")).toBe("glance-edge; fwd=bypass; detail=deactivated");
    await admin.arrayBuffer();
    const calls = [...asks(gone.id), `GET /v2/images/${gone.id}/file`];
    await expectCalls(...calls, ...calls);
  });

  it("is asked for with the caller's own identity and nothing that only a proxy or auth_token may say", async () => {
    const response = await download(image.id, {
      headers: {
        "x-service-token": "service",
        "x-roles": "admin",
        "x-user-id": "root",
        "x-project-id": "admin",
        "x-tenant-id": "admin",
        "x-identity-status": "Confirmed",
        "x-forwarded-for": "10.0.0.1",
        forwarded: "for=10.0.0.1",
        "cf-connecting-ip": "10.0.0.1",
        "x-original-url": "/v2/images",
      },
    });
    expect(response.headers.get("cache-status")).toBe("glance-edge; hit");
    await response.arrayBuffer();
    for (const call of await expectCalls(...asks(image.id))) {
      expect(call.headers["x-service-token"]).toBe(await loggedName("service"));
      expect(call.token).toBe("demo");
      const claims = Object.keys(call.headers).filter((name) =>
        /^(x-roles|x-user-id|x-project-id|x-tenant-id|x-identity-status|x-forwarded-for|forwarded|cf-connecting-ip|x-original-url)$/.test(
          name,
        ),
      );
      expect(claims).toEqual([]);
    }
  });
});

describe("what R2 holds is opened beside the questions", () => {
  /** A bucket whose bodies can be told from one another: how many were opened, and how many were let go of unread. */
  function watched(before: () => Promise<void> = async () => undefined) {
    const seen = { opened: 0, cancelled: 0, read: 0 };
    const get = async (key: string, options: R2GetOptions) => {
      await before();
      const object = await bindings.BUCKET.get(key, options);
      if (object === null) return null;
      seen.opened++;
      const reader = object.body.getReader({ mode: "byob" });
      const body = new ReadableStream({
        type: "bytes",
        async pull(controller) {
          const { value, done } = await reader.read(new Uint8Array(65_536));
          if (value !== undefined && value.byteLength > 0) {
            seen.read += value.byteLength;
            controller.enqueue(value);
          }
          if (!done) return;
          controller.close();
          controller.byobRequest?.respond(0);
        },
        async cancel() {
          seen.cancelled++;
          await reader.cancel();
        },
      });
      return new Proxy(object, {
        get: (target, name) => (name === "body" ? body : Reflect.get(target, name, target)),
      });
    };
    return { seen, env: { BUCKET: bucketBut({ get }) } };
  }

  it("before the origin has answered them, and asked while it is being opened", async () => {
    const slow = await keptImage({ size: 300_000 });
    await setFaults(slow.id, { delayMs: 1_000 });
    // Waits for the questions to be on their way: were they asked behind it, this would never end.
    const { env } = watched(() =>
      expect
        .poll(async () => (await calls()).filter(({ status }) => status === 0).length, { timeout: 4_000 })
        .toBeGreaterThan(0),
    );
    const response = await download(slow.id, { env });
    expect(response.headers.get("cache-status")).toBe("glance-edge; hit");
    await response.arrayBuffer();
    await expectCalls(...asks(slow.id));
  });

  it.each<[string, Parameters<typeof download>[1], Record<string, unknown>, number]>([
    ["another project asks", { token: "other" }, {}, 404],
    ["there is no token", { token: null }, {}, 401],
    ["the data is refused", {}, { status: 403 }, 403],
    ["the question for the right fails", {}, { status: 503 }, 503],
    ["the record is refused", {}, { recordStatus: 500 }, 200],
    ["the caller has it already", { headers: { "if-none-match": "*" } }, {}, 304],
    ["a condition fails", { headers: { "if-match": '"x"' } }, {}, 412],
    ["the range is refused", { headers: { range: "bytes=5-3" } }, {}, 416],
  ])("and let go of unread when %s", async (_, init, faults, status) => {
    const cached = await keptImage({ size: 300_000 });
    await setFaults(cached.id, faults);
    const { seen, env } = watched();
    const response = await download(cached.id, { ...init, env });
    expect(response.status).toBe(status);
    await response.arrayBuffer();
    await settled();
    // What a stream reads ahead of anybody never leaves the edge.
    expect(seen).toMatchObject({ opened: 1, cancelled: 1 });
    await expectCalls(
      ...asks(cached.id),
      `*GET /v2/images/${cached.id}/file`,
      `*GET /v2/images/${cached.id}/file bytes=5-3`,
    );
  });

  it("and is what the client gets when the answer is yes", async () => {
    const cached = await keptImage({ size: 300_000 });
    const { seen, env } = watched();
    expect((await (await download(cached.id, { env })).arrayBuffer()).byteLength).toBe(300_000);
    expect(seen).toEqual({ opened: 1, cancelled: 0, read: 300_000 });
    await expectCalls(...asks(cached.id));
  });
});

it("a 5xx to the question for the right is no yes: the answer is the origin's own", async () => {
  const flaky = await createImage({ size: 300_000 });
  await setFaults(flaky.id, { status: 503 });
  const response = await download(flaky.id);
  expect(response.status).toBe(503);
  await response.arrayBuffer();
  await expectCalls(...asks(flaky.id), `GET /v2/images/${flaky.id}/file`);
});

it("no line of the log holds a token, whatever fails", async () => {
  const lines: string[] = [];
  const spies = (["log", "error", "warn", "info"] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation((...args: unknown[]) => void lines.push(args.join(" "))),
  );
  const token = "admin";
  const secret = "gAAAAAB-secret-service-token";
  const headers = { "x-service-token": secret, authorization: `Bearer ${secret}`, cookie: secret };
  const wrong = await createImage({ size: 300_000 });
  await setFaults(wrong.id, { corruptAt: 5 });
  await download(wrong.id, { token, headers })
    .then((response) => response.arrayBuffer())
    .catch(() => undefined);
  await download(wrong.id, { token, headers, env: { ORIGIN_URL: "http://127.0.0.1:9" } });
  await download(wrong.id, { token, headers, env: { ORIGIN_URL: "nonsense" } });
  await download(wrong.id, {
    token,
    headers,
    env: { BUCKET: bucketBut({ get: () => Promise.reject(new Error("down")) }) },
  })
    .then((response) => response.arrayBuffer())
    .catch(() => undefined);
  await settled();
  for (const spy of spies) spy.mockRestore();
  expect(lines.length).toBeGreaterThanOrEqual(3);
  for (const line of lines) {
    expect(line).not.toContain(secret);
    expect(() => JSON.parse(line)).not.toThrow();
  }
  const file = `GET /v2/images/${wrong.id}/file`;
  await expectCalls(...asks(wrong.id), ...asks(wrong.id), file, file);
});
