/**
 * The edge as it is, but for a store that says yes to every put at once and keeps nothing. It shows what a first
 * download costs in the edge's own code, the shared fill included, without the local R2 simulator, which takes far
 * more CPU for a put than the download itself.
 */
import type { Env } from "../../src/config.ts";
import edge from "../../src/index.ts";

export { Fill } from "../../src/index.ts";

export default {
  fetch: (request, env, ctx) => edge.fetch(request, { ...env, BUCKET: nowhere(env.BUCKET) }, ctx),
} satisfies ExportedHandler<Env>;

function nowhere(bucket: R2Bucket): R2Bucket {
  return new Proxy(bucket, {
    get: (target, name) => {
      if (name === "put") return async () => ({ etag: "0".repeat(32) });
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
