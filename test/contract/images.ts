/** Images in each state, made as clients make them. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { DATA, LARGE_DATA } from "./answers.ts";
import type { State, User, World } from "./case.ts";
import { type Answer, send } from "./send.ts";

const JSON_TYPE = { "content-type": "application/json" };

/** The images that cases only read, one in each state. */
export class Images {
  readonly #world: World;
  readonly #made = new Map<State, Promise<string>>();

  constructor(world: World) {
    this.#world = world;
  }

  /** @returns its id */
  inState(state: State): Promise<string> {
    const made = this.#made.get(state) ?? makeImage(this.#world, state);
    this.#made.set(state, made);
    return made;
  }
}

/** Whose an image in this state is. */
export function ownerOf(state: State): User {
  return state === "public" ? "admin" : "demo";
}

/** @param whenActive what is done while everybody who may have it can, before its state is another. @returns its id */
export async function makeImage(
  world: Pick<World, "url" | "tokenOf" | "projectOf">,
  state: State,
  whenActive: (id: string) => Promise<void> = async () => undefined,
): Promise<string> {
  const id = randomUUID();
  if (state === "unknown") return id;
  const owner = ownerOf(state);
  const url = `/v2/images/${id}`;
  const json = (as: User, method: string, path: string, value: unknown) =>
    ask(world, as, method, path, JSON_TYPE, JSON.stringify(value));
  await json(owner, "POST", "/v2/images", {
    id,
    name: id,
    disk_format: "raw",
    container_format: "bare",
    os_distro: "x",
    visibility: visibilityOf(state),
    protected: state === "protected",
  });
  if (state === "queued") return id;
  const data = state === "large" ? LARGE_DATA : state === "empty" ? "" : DATA;
  await ask(world, owner, "PUT", `${url}/file`, { "content-type": "application/octet-stream" }, data);
  await whenActive(id);
  if (state === "deactivated") await ask(world, "admin", "POST", `${url}/actions/deactivate`);
  if (state === "deleted") await ask(world, owner, "DELETE", url);
  if (state !== "offered" && state !== "accepted" && state !== "rejected") return id;
  const member = await world.projectOf("other");
  await json(owner, "POST", `${url}/members`, { member });
  if (state !== "offered") await json("other", "PUT", `${url}/members/${member}`, { status: state });
  return id;
}

export function visibilityOf(state: State): string {
  if (state === "offered" || state === "accepted" || state === "rejected") return "shared";
  return state === "shared" || state === "community" || state === "public" ? state : "private";
}

async function ask(
  world: Pick<World, "url" | "tokenOf">,
  as: User,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): Promise<Answer> {
  const token = { "x-auth-token": await world.tokenOf(as) };
  const answer = await send(world.url, method, path, { ...headers, ...token }, body);
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.body}`);
  return answer;
}
