/**
 * A demo origin of a test's own, with its Keystone: what the test does to it no other one sees. For what asks the origin
 * under the edge's own account, whose requests carry no test's mark (./scenario.ts).
 */
import { createExecutionContext } from "cloudflare:test";
import { createEdge, type Edge } from "../../src/context.ts";
import { AloneDownloads } from "../../src/download/alone.ts";
import { PolicyOrder } from "../../src/glance/policy-order.ts";
import { Permissions } from "../../src/glance/remembered.ts";
import { ServiceTokenMemory } from "../../src/keystone/service-tokens.ts";
import { createLog } from "../../src/lib/log.ts";
import { Seldom } from "../../src/lib/seldom.ts";
import { Receivers } from "../../src/notify/receivers.ts";
import { type Env, readSettings, type Settings } from "../../src/settings.ts";
import { Tally } from "../../src/store/tally.ts";
import { Usage } from "../../src/store/usage.ts";
import { bindings, CONTROL_URL } from "./env.ts";
import { storeImage } from "./store.ts";

export interface OwnOrigin {
  readonly url: string;
  /** Makes an image at the origin and stores something under its id at the edge. @param at when. @returns its id */
  cached(options?: Readonly<Record<string, unknown>>, at?: number): Promise<string>;
  /** A request under an admin's token. @returns the answer's status */
  send(method: string, path: string, body?: unknown): Promise<number>;
  /** Something done by its control. @param path behind /_demo. @returns the answer's status */
  control(method: string, path: string, body?: unknown): Promise<number>;
  /** How often an image's record was asked for. */
  asked(imageId: string): Promise<number>;
  /** How often a list of images was asked for. */
  listed(): Promise<number>;
  /** Ends all tokens that its Keystone gave out and that the origin has seen. */
  revokeSeen(): Promise<void>;
}

export function ownOrigin(): OwnOrigin {
  return originAt(`/t/${crypto.randomUUID()}`);
}

/** The one that all tests share, and that the Fills of this workerd know. */
export function sharedOrigin(): OwnOrigin {
  return originAt("");
}

function originAt(prefix: string): OwnOrigin {
  const url = bindings.ORIGIN_URL + prefix;
  const controlUrl = `${CONTROL_URL}${prefix}/_demo`;
  const ask = async (whole: string, method: string, body: unknown) => {
    const response = await fetch(whole, {
      method,
      headers: { "x-auth-token": "admin" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    await response.body?.cancel();
    return response.status;
  };
  const requests = async (): Promise<{ method: string; path: string; token: string | null }[]> =>
    (await fetch(`${controlUrl}/requests`)).json();
  const control = (method: string, path: string, body?: unknown) => ask(controlUrl + path, method, body);
  return {
    url,
    control,
    send: (method, path, body) => ask(url + path, method, body),
    async cached(options = {}, at = 0) {
      const imageId = crypto.randomUUID();
      const status = await control("PUT", `/images/${imageId}`, { size: 10, ...options });
      if (status !== 201) throw new Error(`the demo origin refused an image: ${status}`);
      await storeImage(imageId, { at });
      return imageId;
    },
    async asked(imageId) {
      return (await requests()).filter(({ path }) => path === `/v2/images/${imageId}`).length;
    },
    async listed() {
      return (await requests()).filter(({ path }) => /^\/v2\/images(\?|$)/.test(path)).length;
    },
    async revokeSeen() {
      const names = new Set(
        (await requests()).map(({ token }) => token ?? "").filter((name) => name.startsWith("sha256:")),
      );
      for (const name of names) await control("DELETE", `/tokens/${name}`);
    },
  };
}

/** The edge in front of an origin, with an application credential of the user, and memories of its own. */
export function edgeBefore(
  origin: OwnOrigin,
  user: "admin" | "demo" | null = "admin",
  { env = {}, settings = {} }: { readonly env?: Partial<Env>; readonly settings?: Partial<Settings> } = {},
): Edge {
  const credential =
    user === null
      ? {}
      : { OS_APPLICATION_CREDENTIAL_ID: `${user}-credential`, OS_APPLICATION_CREDENTIAL_SECRET: `${user}-secret` };
  const all = { ...bindings, ORIGIN_URL: origin.url, KEYSTONE_URL: origin.url, ...credential, ...env };
  const memory = {
    permissions: new Permissions(),
    policyOrder: new PolicyOrder(),
    usage: new Usage(),
    tally: new Tally(),
    alone: new AloneDownloads(),
    seldom: new Seldom(),
    serviceTokens: new ServiceTokenMemory(),
    receivers: new Receivers(),
  };
  const call = { requestId: "req-test", url: "https://edge.test", log: createLog({ test: true }) };
  return createEdge(all, createExecutionContext(), { ...readSettings(all), ...settings }, memory, call);
}
