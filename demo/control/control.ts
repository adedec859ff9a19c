/**
 * The control API below /_demo: how tests make images, make things go wrong, and see what the origin was asked. It is for
 * tests and the demo only; a Glance has nothing like it. It asks for no token and is in no log, so it has a port of its own
 * on loopback, to which no edge forwards.
 *
 *     PUT    /_demo/images/{id}          makes (or replaces) an image; answers its v2 record
 *     PUT    /_demo/images/{id}/faults   what goes wrong with it from now on; {} clears
 *     PUT    /_demo/keystone             what is wrong or different with the Keystone from now on; {} clears
 *     PUT    /_demo/link                 {rate?, down?}: the line that all downloads share; {} is a fast line that is up
 *     PUT    /_demo/store             {randomAccess}: whether the store of all images can read from the middle from now on
 *     GET    /_demo/requests             the log; DELETE empties it
 *     DELETE /_demo/tokens/{name}        revokes the token that the log calls so
 *     POST   /_demo/notifications        a receiver of notifications; GET shows what came, DELETE empties it
 *     PUT    /_demo/notifications        {status?, times?, delayMs?}: how it answers from now on; {} takes all
 *     DELETE /_demo                      drops the namespace and cuts its connections
 */
import { recordOf } from "../glance/image.ts";
import { type Exchange, readJson, replyEmpty, replyJson } from "../http/exchange.ts";
import { HttpError, methodNotAllowed, notFound } from "../http/webob-error.ts";
import { onlyFields, readBoolean, readFields, readWhole } from "./body.ts";
import { readFaults, readKeystoneFaults } from "./faults.ts";
import { generateImage } from "./generate.ts";
import { notifications } from "./notifications.ts";

/** @param drop forgets the namespace */
export async function control(exchange: Exchange, drop: () => Promise<void>): Promise<void> {
  const { path } = exchange;
  if (path === "/_demo") {
    expectMethod(exchange, "DELETE");
    exchange.namespace.cut();
    await drop();
    return replyEmpty(exchange, 204);
  }
  if (path === "/_demo/requests") return requests(exchange);
  if (path === "/_demo/notifications") return notifications(exchange);
  const token = /^\/_demo\/tokens\/([^/]+)$/.exec(path)?.[1];
  if (token !== undefined) return revoke(exchange, token);
  expectMethod(exchange, "PUT");
  if (path === "/_demo/link") return setLink(exchange);
  if (path === "/_demo/store") return setStore(exchange);
  if (path === "/_demo/keystone") return putKeystoneFaults(exchange);
  const [, id, faults] = /^\/_demo\/images\/([^/]+)(\/faults)?$/.exec(path) ?? [];
  if (id === undefined) throw notFound();
  return faults === undefined ? putImage(exchange, id) : putFaults(exchange, id);
}

function requests(exchange: Exchange): void {
  const { prefix, shared } = exchange.namespace;
  if (exchange.method === "GET") {
    replyJson(exchange, 200, shared.log.of(prefix));
    return;
  }
  expectMethod(exchange, "DELETE", "GET, DELETE");
  shared.log.forget(prefix);
  replyEmpty(exchange, 204);
}

function revoke(exchange: Exchange, name: string): void {
  expectMethod(exchange, "DELETE");
  if (!exchange.namespace.tokens.revokeNamed(name)) throw new HttpError(404, `no token ${name} in this namespace`);
  replyEmpty(exchange, 204);
}

async function setLink(exchange: Exchange): Promise<void> {
  const body = readFields(await readJson(exchange));
  onlyFields(body, ["rate", "down"]);
  const rate = body.rate === undefined ? null : readWhole(body.rate, "rate", 1);
  const down = body.down === undefined ? false : readBoolean(body.down, "down");
  const { namespace } = exchange;
  namespace.link.rate = rate;
  namespace.down = down;
  if (down) namespace.cut();
  replyEmpty(exchange, 204);
}

async function setStore(exchange: Exchange): Promise<void> {
  const body = readFields(await readJson(exchange));
  onlyFields(body, ["randomAccess"]);
  exchange.namespace.shared.randomAccess = readBoolean(body.randomAccess, "randomAccess");
  replyEmpty(exchange, 204);
}

async function putImage(exchange: Exchange, id: string): Promise<void> {
  const image = await generateImage(id, readFields(await readJson(exchange)), exchange.gone);
  const before = exchange.namespace.images.get(id);
  if (before !== undefined) await exchange.namespace.removeImage(before);
  exchange.namespace.addImage(image);
  replyJson(exchange, 201, recordOf(image));
}

async function putFaults(exchange: Exchange, id: string): Promise<void> {
  const image = exchange.namespace.images.get(id);
  if (image === undefined) throw new HttpError(404, `no image ${id} in this namespace`);
  image.faults = readFaults(readFields(await readJson(exchange)));
  image.cuts = 0;
  replyJson(exchange, 200, image.faults);
}

async function putKeystoneFaults(exchange: Exchange): Promise<void> {
  const faults = readKeystoneFaults(readFields(await readJson(exchange)));
  exchange.namespace.keystoneFaults = faults;
  replyJson(exchange, 200, faults);
}

function expectMethod(exchange: Exchange, method: string, allow = method): void {
  if (exchange.method !== method) throw methodNotAllowed(exchange.method, allow);
}
