/** The bindings of the edge with harm in them: the real R2, D1, Fills and way to the origin, each call seen by `Harms`. */
import type { Env } from "../../../src/settings.ts";
import type { Call, Harms, Reset } from "./harm.ts";

export interface Harming {
  readonly harms: Harms;
  readonly by: Call["by"];
  readonly reset: Reset | null;
}

/** @param d1Away a D1 that is away for everybody */
export function harmedEnv(env: Env, harming: Harming, d1Away: () => boolean): Env {
  const { harms } = harming;
  return {
    ...env,
    ...harms.settings,
    BUCKET: harmedBucket(env.BUCKET, harming),
    CATALOG: harmedDatabase(env.CATALOG, harming, d1Away),
    FILL: harmedFills(env.FILL, harming),
    ORIGIN: harmedOrigin(harming),
  };
}

/** The real thing with some of its members replaced; the others are called on the real one. */
function but<T extends object>(real: T, replaced: Readonly<Record<string, unknown>>): T {
  return new Proxy(real, {
    get(target, name) {
      if (typeof name === "string" && Object.hasOwn(replaced, name)) return replaced[name];
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const same = <T>(answer: T): T => answer;

function harmedBucket(bucket: R2Bucket, { harms, by, reset }: Harming): R2Bucket {
  const around = <T>(on: Call["on"], key: string, run: () => Promise<T>, broken: (answer: T) => T = same) =>
    harms.around({ on, by, key }, reset, run, broken);
  return but(bucket, {
    get: (key: string, options: R2GetOptions) => around("r2.get", key, () => bucket.get(key, options), breakOff),
    head: (key: string) => around("r2.head", key, () => bucket.head(key)),
    put: (...put: Parameters<R2Bucket["put"]>) => around("r2.put", put[0], () => bucket.put(...put)),
    delete: (keys: string | string[]) =>
      around("r2.delete", typeof keys === "string" ? keys : (keys[0] ?? ""), () => bucket.delete(keys)),
    list: (options: R2ListOptions) => around("r2.list", options.prefix ?? "", () => bucket.list(options)),
  });
}

/** An object whose body breaks off in its middle. */
function breakOff(object: R2ObjectBody | null): R2ObjectBody | null {
  if (object === null) return null;
  const { size } = object;
  let left = Math.floor(size / 2);
  let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  const body = new ReadableStream({
    type: "bytes",
    async pull(controller) {
      reader ??= object.body.getReader();
      const { value } = left > 0 ? await reader.read() : { value: undefined };
      if (value === undefined || left <= 0) {
        controller.error(new Error("r2.get: the body broke off; injected"));
        reader.cancel().catch(() => undefined);
        return;
      }
      controller.enqueue(value.slice(0, left));
      left -= value.byteLength;
    },
    async cancel(reason) {
      await (reader ?? object.body).cancel(reason).catch(() => undefined);
    },
  });
  return but(object, { body });
}

function harmedDatabase(db: D1Database, { harms, by, reset }: Harming, d1Away: () => boolean): D1Database {
  const real = new WeakMap<D1PreparedStatement, D1PreparedStatement>();
  const around = <T>(run: () => Promise<T>): Promise<T> => {
    if (d1Away()) return Promise.reject(new Error("D1_ERROR: it is away; injected"));
    return harms.around({ on: "d1", by }, reset, run, same);
  };
  const wrap = (statement: D1PreparedStatement): D1PreparedStatement => {
    const wrapped = but(statement, {
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      first: (column: string) => around(() => (column === undefined ? statement.first() : statement.first(column))),
      all: () => around(() => statement.all()),
      run: () => around(() => statement.run()),
      raw: () => around(() => statement.raw()),
    });
    real.set(wrapped, statement);
    return wrapped;
  };
  return but(db, {
    prepare: (query: string) => wrap(db.prepare(query)),
    batch: (statements: D1PreparedStatement[]) =>
      around(() => db.batch(statements.map((statement) => real.get(statement) ?? statement))),
  });
}

function harmedFills(fills: DurableObjectNamespace, { harms, by, reset }: Harming): DurableObjectNamespace {
  return but(fills, {
    get: (...get: Parameters<DurableObjectNamespace["get"]>) => {
      const stub = fills.get(...get);
      return new Proxy(stub, {
        get: (target, name) => {
          const method: unknown = Reflect.get(target, name);
          if (typeof method !== "function") return method;
          return (...args: unknown[]) =>
            harms.around({ on: "fill", by }, reset, () => Reflect.apply(method, target, args), same);
        },
      });
    },
  });
}

function harmedOrigin({ harms, by, reset }: Harming): Fetcher {
  const fetch = (input: RequestInfo, init?: RequestInit) =>
    harms.around({ on: "origin", by }, reset, () => globalThis.fetch(input, init), same);
  return { fetch } as unknown as Fetcher;
}
