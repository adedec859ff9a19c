/**
 * Cloudflare's API on loopback, for wrangler by CLOUDFLARE_API_BASE_URL: notes the calls, and fails those that it is told to.
 * It plays the deployed Worker as well, so far as it answers /edge/health once it is there.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { ApiError, FakeAccount } from "./fake-account.ts";
import { answerCall } from "./fake-routes.ts";

interface Call {
  /** "PUT /workers/scripts/glance-edge": without what is before the account, and without ids. */
  readonly name: string;
  readonly body: unknown;
  readonly jurisdiction: string;
}

export interface FakeCloudflare {
  readonly account: FakeAccount;
  /** For CLOUDFLARE_API_BASE_URL. */
  readonly api: string;
  /** Where the Worker answers. */
  readonly edge: string;
  readonly calls: Call[];
  /** What a call is answered with in the place of its answer; null: nothing is wrong with it. */
  fault: (name: string) => ApiError | null;
  /** What /edge/health finds wrong. */
  unhealthy: string | null;
  /** Of who is logged in. */
  accounts: readonly { readonly id: string; readonly name: string }[];
  close(): Promise<void>;
}

const ACCOUNT = "0123456789abcdef0123456789abcdef";
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

export async function startFakeCloudflare(): Promise<FakeCloudflare> {
  const account = new FakeAccount();
  const calls: Call[] = [];
  const server = createServer((incoming, outgoing) => {
    const send = (status: number, body: unknown) => {
      outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    void answer(incoming).then(
      ([status, body]) => send(status, body),
      (error: unknown) => send(500, { success: false, errors: [{ code: 1, message: String(error) }], messages: [] }),
    );
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const edge = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fake: FakeCloudflare = {
    account,
    api: `${edge}/client/v4`,
    edge,
    calls,
    fault: () => null,
    unhealthy: null,
    accounts: [{ id: ACCOUNT, name: "Made up" }],
    close: async () => {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };

  async function answer(incoming: IncomingMessage): Promise<[number, unknown]> {
    const url = new URL(incoming.url ?? "/", edge);
    if (url.pathname === "/edge/health") return health();
    // The registry, which is asked for newer versions.
    if (!url.pathname.startsWith("/client/v4/")) return [404, {}];
    const path = url.pathname.replace("/client/v4", "").replace(/^\/accounts\/[0-9a-f]{32}(?=\/)/, "");
    const method = incoming.method ?? "";
    const body = await readBody(incoming);
    const jurisdiction = String(incoming.headers["cf-r2-jurisdiction"] ?? "");
    const name = `${method} ${path.replace(ID, "ID")}`;
    calls.push({ name, body, jurisdiction });
    try {
      const fault = fake.fault(name);
      if (fault !== null) throw fault;
      const result = whoAmI(path) ?? answerCall(account, { method, path, query: url.searchParams, jurisdiction, body });
      return [
        200,
        {
          success: true,
          errors: [],
          messages: [],
          result,
          ...(Array.isArray(result) && { result_info: pageOf(result) }),
        },
      ];
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return [
        error.status,
        { success: false, errors: [{ code: error.code, message: error.message }], messages: [], result: null },
      ];
    }
  }

  function whoAmI(path: string): unknown {
    if (path === "/user/tokens/verify") return { id: "token", status: "active" };
    if (path === "/user") return { id: "user", email: "operator@example.com" };
    if (path === "/accounts") return fake.accounts;
    if (path === "/memberships") return fake.accounts.map((one) => ({ id: one.id, account: one }));
    return undefined;
  }

  function health(): [number, unknown] {
    if (account.scripts.size === 0) return [404, { error: "nothing is deployed" }];
    const ok = fake.unhealthy === null;
    return [ok ? 200 : 503, { status: ok ? "ok" : "failing", checks: { origin: { ok, ms: 1, why: fake.unhealthy } } }];
  }

  return fake;
}

async function readBody(incoming: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const type = incoming.headers["content-type"] ?? "";
  if (type.startsWith("multipart/")) return new Response(bytes, { headers: { "content-type": type } }).formData();
  // wrangler does not always name its type.
  return bytes.length === 0 ? null : JSON.parse(bytes.toString());
}

function pageOf(list: readonly unknown[]) {
  return { page: 1, per_page: 100, count: list.length, total_count: list.length, total_pages: 1 };
}
