/** The origin's own answer to a fill, small enough to be told to all of its readers. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { readRelay } from "../../../src/fill/object/relay.ts";

const MAX = 64 * 1024;
const never = new AbortController().signal;

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the origin's answer", () => {
  it("is told with its status, its headers and its body", async () => {
    const headers = { "content-type": "text/html", "x-openstack-request-id": "req-1", "retry-after": "5" };
    const relay = await readRelay(
      new Response("<h1>no</h1>", { status: 503, statusText: "Service Unavailable", headers }),
      never,
    );
    expect(relay).toMatchObject({ status: 503, statusText: "Service Unavailable" });
    expect(Object.fromEntries(relay.headers)).toEqual(headers);
    expect(new TextDecoder().decode(relay.body)).toBe("<h1>no</h1>");
  });

  it("is told without what is about its own connection", async () => {
    const headers = { "content-length": "2", connection: "close", "transfer-encoding": "chunked", "keep-alive": "5" };
    const relay = await readRelay(new Response("no", { status: 503, headers }), never);
    expect(relay.headers.map(([name]) => name).filter((name) => name in headers)).toEqual([]);
  });

  it.each([0, 1, MAX - 1, MAX, MAX + 1, 3 * MAX])("of %i bytes is told up to 64 KiB", async (size) => {
    const { body } = await readRelay(new Response(new Uint8Array(size).fill(7), { status: 500 }), never);
    expect(body.byteLength).toBe(Math.min(size, MAX));
    expect(body.buffer.byteLength).toBe(body.byteLength);
  });

  it("without a body has none", async () => {
    expect((await readRelay(new Response(null, { status: 500 }), never)).body.byteLength).toBe(0);
  });

  it("that breaks off is told without a body, and never throws", async () => {
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    writer.closed.catch(() => undefined);
    const reading = readRelay(new Response(readable, { status: 500 }), never);
    await writer.write(new Uint8Array(10));
    await writer.abort(new Error("gone")).catch(() => undefined);
    expect(await reading).toMatchObject({ status: 500, body: new Uint8Array() });
  });

  it.each([
    ["is told without a body after five seconds", "deadline"],
    ["is told without a body at once when its fill is stopped", "stop"],
  ])("that begins and does not end %s", async (_, by) => {
    const set = globalThis.setTimeout;
    vi.spyOn(globalThis, "setTimeout").mockImplementation(((run: () => void, ms: number) =>
      set(run, ms === 5_000 && by === "deadline" ? 20 : ms)) as unknown as typeof setTimeout);
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    writer.closed.catch(() => undefined);
    const stopping = new AbortController();
    const began = Date.now();
    const reading = readRelay(new Response(readable, { status: 500 }), stopping.signal);
    await writer.write(new Uint8Array(10));
    if (by === "stop") stopping.abort(new Error("stopped"));
    expect(await reading).toMatchObject({ status: 500, body: new Uint8Array() });
    expect(Date.now() - began).toBeLessThan(4_000);
  });
});
