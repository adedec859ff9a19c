/**
 * GET /edge/health, for people and their monitoring: each thing that the edge needs, how long it took to answer, and what is
 * wrong with it. Needs no token and is remembered for some seconds, so that it can't be used to load what is behind the edge.
 */
import type { Edge } from "../context.ts";
import { FillClient } from "../fill/client.ts";
import { askKeystone, isRefusal } from "../keystone/api.ts";
import { ServiceCredentialRefused } from "../keystone/service-tokens.ts";
import type { Endpoint } from "../lib/fetch.ts";
import type { SettingError } from "../lib/read-setting.ts";
import { Recent } from "../lib/recent.ts";
import { type Check, check, Unhealthy } from "./check.ts";
import { lookAtOrigin } from "./origin.ts";

const HEALTH_MS = 10_000;
/** An image that nobody has. */
const NOBODYS = "00000000-0000-0000-0000-000000000000";

interface Report {
  /** ms since the epoch */
  readonly at: number;
  readonly checks: Readonly<Record<string, Check>>;
}

const lately = new Recent<Report>();

/** @param recent what the isolate remembers */
export async function health(edge: Edge, recent = lately): Promise<Response> {
  const looking = recent.get(HEALTH_MS, edge.now, () => lookAtAll(edge));
  // Others wait for it, whether this client stays or not.
  edge.background(looking);
  const { at, checks } = await looking;
  return healthAnswer(new Date(at), checks, edge.requestId);
}

/** What is left to say where a setting is wrong. @param now ms since the epoch */
export function unsettled(cause: SettingError, now: number, requestId: string): Response {
  return healthAnswer(new Date(now), { settings: { ok: false, ms: 0, why: cause.message } }, requestId);
}

function healthAnswer(at: Date, checks: Report["checks"], requestId: string): Response {
  const failing = Object.keys(checks).filter((name) => checks[name]?.ok === false);
  const status = failing.length === 0 ? "ok" : "failing";
  return Response.json(
    { status, failing, checked_at: at.toISOString(), checks },
    {
      status: failing.length === 0 ? 200 : 503,
      headers: { "cache-control": "no-store", "x-openstack-request-id": requestId },
    },
  );
}

async function lookAtAll(edge: Edge): Promise<Report> {
  const { settings, objects, traffic, now } = edge;
  const looks: Record<string, readonly [look: () => Promise<string | null>, otherwise: string]> = {
    r2: [async () => nothing(await objects.head(NOBODYS)), "R2 gives an error: is the bucket there?"],
    d1: [
      async () => nothing(await traffic.hours(1, 1)),
      "D1 gives an error: is the database there, and are its migrations applied?",
    ],
    durable_object: [() => lookAtFill(edge), "no Durable Object answers"],
    origin: [() => lookAtOrigin(settings), "can't be reached"],
    keystone: [() => lookAtKeystone(settings.keystone), "can't be reached"],
    service_account: [() => lookAtService(edge), "gets no token: Keystone does not answer"],
  };
  const checks = await Promise.all(
    Object.entries(looks).map(
      async ([name, [look, otherwise]]) => [name, await check(name, look, otherwise, edge)] as const,
    ),
  );
  const settled: Check = { ok: true, ms: 0, why: null };
  return { at: now(), checks: { settings: settled, ...Object.fromEntries(checks) } };
}

async function lookAtFill({ fills, log }: Edge): Promise<null> {
  const { fill } = await new FillClient(fills, NOBODYS, log).progress();
  if (fill === "unreachable") throw new Unhealthy("no Durable Object answers");
  return null;
}

/** Without a token Keystone says no, in its own words. */
async function lookAtKeystone(keystone: Endpoint | null): Promise<string | null> {
  if (keystone === null) return "KEYSTONE_URL is not set: there is no cache management";
  const { status, text } = await askKeystone(keystone, { method: "GET", headers: { accept: "application/json" } });
  if (isRefusal(text)) return null;
  throw new Unhealthy(`what answers at KEYSTONE_URL, with status ${status}, is no Keystone`);
}

async function lookAtService({ service }: Edge): Promise<string | null> {
  if (service === null) return "there are no service credentials";
  try {
    await service.get();
    return null;
  } catch (cause) {
    if (cause instanceof ServiceCredentialRefused) {
      throw new Unhealthy("Keystone refuses the application credential: has it expired?", { cause });
    }
    throw cause;
  }
}

function nothing(_: unknown): null {
  return null;
}
