/** Asks what a case asks, and compares the whole answer. */
import assert from "node:assert/strict";
import type { Caller, Case, Expected, Headers, Step, World } from "./case.ts";
import { type Images, makeImage } from "./images.ts";
import { type Answer, send } from "./send.ts";

/** Of the connection, or of the moment: with its reserved stores or without, from one Glance process to the next. */
const PER_ANSWER = new Set(["connection", "keep-alive", "date", "openstack-image-store-ids"]);
const READ_ONLY = new Set(["GET", "HEAD", "OPTIONS"]);
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6}|Z)/g;

/** @throws AssertionError that shows what differs */
export async function checkCase(world: World, images: Images, one: Case): Promise<void> {
  const state = one.image ?? "active";
  const reads = one.after === undefined && READ_ONLY.has(methodOf(one));
  const id = reads ? await images.inState(state) : await makeImage(world, state);
  const names = new Map([
    ["id", id],
    ["encoded", `%${id.charCodeAt(0).toString(16)}${id.slice(1)}`],
    ["url", world.url],
    ["keystone", world.keystoneUrl],
    ...(await Promise.all(
      (["demo", "other", "admin"] as const).map(async (one) => [one, await world.projectOf(one)] as const),
    )),
  ]);
  for (const step of [one, ...(one.after ?? [])]) await checkStep(world, names, step);
}

async function checkStep(world: World, names: ReadonlyMap<string, string>, step: Step): Promise<void> {
  const method = methodOf(step);
  const path = expand(step.ask.slice(method.length + 1), names);
  const headers = { ...step.headers, ...(await tokenHeader(world, step.as ?? "demo")) };
  const body = step.body === undefined ? undefined : expand(step.body, names);
  const answer = await send(world.url, method, path, headers, body);
  const expected = typeof step.answer === "function" ? step.answer(world.readsAtRandom) : step.answer;
  assert.deepEqual(shown(answer, expected, names.get("id") ?? ""), wanted(answer, expected, names), step.ask);
}

function methodOf({ ask }: Step): string {
  return ask.slice(0, ask.indexOf(" "));
}

async function tokenHeader(world: World, who: Caller): Promise<Headers> {
  if (who === "nobody") return {};
  return { "x-auth-token": who === "forger" ? "nonsense" : await world.tokenOf(who) };
}

/** The answer as the expectation speaks of it. */
function shown(answer: Answer, { body }: Expected, id: string): unknown {
  const masked = (text: string) => text.replace(TIME, "{time}").replace(UUID, (one) => (one === id ? one : "{uuid}"));
  const fields = Object.entries(answer.headers).filter(([name]) => !PER_ANSWER.has(name));
  const text = typeof body === "string" ? answer.body : masked(answer.body);
  return {
    status: `${answer.status} ${answer.reason}`,
    headers: Object.fromEntries(fields.map(([name, value]) => [name, masked(value)])),
    body: typeof body === "object" && "json" in body ? parsed(text) : text,
  };
}

function wanted(answer: Answer, expected: Expected, names: ReadonlyMap<string, string>): unknown {
  const { status, reason, headers, body } = expected;
  return {
    status: `${status} ${reason}`,
    headers: {
      "content-length": String(answer.body.length),
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, expand(value, names)])),
    },
    body: wantedBody(answer, body, names),
  };
}

function wantedBody(answer: Answer, body: Expected["body"], names: ReadonlyMap<string, string>): unknown {
  if (typeof body === "string") return expand(body, names);
  if ("json" in body) return JSON.parse(expand(JSON.stringify(body.json), names));
  const begins = expand(body.begins, names);
  return answer.body.startsWith(begins) ? answer.body : begins;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Names that are not known stay. */
function expand(text: string, names: ReadonlyMap<string, string>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => names.get(name) ?? whole);
}
