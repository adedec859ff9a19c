/** What the runner says to the edge under test, below /_faults. */
import { createEdge } from "../../../src/context.ts";
import { createLog } from "../../../src/lib/log.ts";
import { memory } from "../../../src/memory.ts";
import { type Env, readSettings } from "../../../src/settings.ts";
import { clean } from "../../../src/upkeep/clean.ts";
import type { Registration, Sums, Tampering } from "../injection.ts";
import { clock } from "./clock.ts";
import { Harms } from "./harm.ts";
import { fillOf, heldOf } from "./held.ts";
import { harmsOf, known } from "./known.ts";
import { tamper } from "./tamper.ts";

const CLEAN_MS = 60_000;

/** @param path behind /_faults */
export async function control(request: Request, path: string, env: Env, ctx: ExecutionContext): Promise<Response> {
  const [, what = "", imageId = ""] = path.split("/");
  switch (`${request.method} ${what}`) {
    case "GET ping":
      return done();
    case "PUT harms":
      known.harms.set(imageId, new Harms(await request.json<Registration>()));
      return done();
    case "DELETE harms":
      harmsOf(imageId).end();
      return done();
    case "DELETE image":
      known.harms.delete(imageId);
      return done();
    case "GET held":
      return Response.json(await heldOf(env, imageId, false));
    case "GET digests":
      return Response.json(await heldOf(env, imageId, true));
    case "POST reset":
      // The call ends with the object, or does not end.
      await Promise.race([
        fillOf(env, imageId)
          .reset()
          .catch(() => undefined),
        scheduler.wait(100),
      ]);
      return done();
    case "POST tamper":
      return Response.json(await tamper(env, imageId, await request.json<Tampering>()));
    case "POST jump": {
      clock.jump(await request.json<number>());
      await Promise.all(
        [...known.harms.keys()].map((id) =>
          fillOf(env, id)
            .clockJumped()
            .catch(() => undefined),
        ),
      );
      return done();
    }
    case "PUT d1-away":
      known.d1Away = await request.json<boolean>();
      return done();
    case "POST empty": {
      const tables = ["images", "fills", "queue", "upkeep", "traffic"];
      await env.CATALOG.batch(tables.map((table) => env.CATALOG.prepare(`DELETE FROM ${table}`)));
      return done();
    }
    case "POST clean": {
      const call = { requestId: "req-clean", url: null, log: createLog({ clean: true }) };
      const edge = createEdge(env, ctx, readSettings(env), memory, call);
      return Response.json(await clean(edge, Date.now() + CLEAN_MS));
    }
    case "GET sums":
      return Response.json(await sumsOf(env));
    default:
      return new Response("no such control", { status: 404 });
  }
}

function done(): Response {
  return new Response(null, { status: 204 });
}

async function sumsOf({ BUCKET, CATALOG }: Env): Promise<Sums> {
  const { objects } = await BUCKET.list({ limit: 10 });
  const count = (table: string) =>
    CATALOG.prepare(`SELECT COUNT(*) AS rows FROM ${table}`)
      .first<number>("rows")
      .then((rows) => rows ?? 0);
  const [images, fills, queue] = await Promise.all([count("images"), count("fills"), count("queue")]);
  return { keys: objects.map(({ key }) => key), images, fills, queue };
}
