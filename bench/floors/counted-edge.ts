/**
 * The edge as it is, with bindings that count what Cloudflare bills. `GET /_counts` tells the counts so far, `POST /_cron?EXPRESSION`
 * runs a cron.
 */
import edge, { Fill as EdgeFill } from "../../src/index.ts";
import type { Env } from "../../src/settings.ts";
import { countingBucket, countingDatabase, countingObjects, NOTHING } from "./counting.ts";

/** The Worker and its Durable Objects are one isolate here. */
const counts = { ...NOTHING, workerRequests: 0, objectActiveMs: 0 };

/** Two signs of work that lie no further apart are one piece of work, ms: what lies between is waiting for the origin. */
const SAME_WORK_MS = 5_000;

function counted(env: Env): Env {
  return {
    ...env,
    BUCKET: countingBucket(env.BUCKET, counts),
    CATALOG: countingDatabase(env.CATALOG, counts),
    FILL: countingObjects(env.FILL, counts),
  };
}

/** When an object worked, told by what it asks of its store; while it does nothing it is not billed. */
class Activity {
  #last = Number.NEGATIVE_INFINITY;

  sign(): void {
    const now = Date.now();
    if (now - this.#last <= SAME_WORK_MS) counts.objectActiveMs += now - this.#last;
    this.#last = now;
  }

  /** The bucket with a sign at the beginning and at the end of each call. */
  of(bucket: R2Bucket): R2Bucket {
    return new Proxy(bucket, {
      get: (target, name) => {
        const call: unknown = Reflect.get(target, name);
        return typeof call !== "function"
          ? call
          : async (...args: unknown[]) => {
              this.sign();
              try {
                return await Reflect.apply(call, target, args);
              } finally {
                this.sign();
              }
            };
      },
    });
  }
}

export class Fill extends EdgeFill {
  constructor(ctx: DurableObjectState, env: Env) {
    const activity = new Activity();
    const inside = counted(env);
    super(ctx, { ...inside, BUCKET: activity.of(inside.BUCKET) });
  }

  override async alarm(): Promise<void> {
    counts.objectRequests++;
    await super.alarm();
  }
}

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/_counts") return Response.json(counts);
    counts.workerRequests++;
    if (pathname !== "/_cron") return edge.fetch(request, counted(env), ctx);
    const cron = decodeURIComponent(search.slice(1));
    await edge.scheduled({ cron, scheduledTime: Date.now(), noRetry: () => undefined }, counted(env), ctx);
    return new Response(null, { status: 204 });
  },
} satisfies ExportedHandler<Env>;
