/**
 * Bindings that count what Cloudflare bills: rows of D1, operations of R2, calls of Durable Objects. They change nothing of what
 * is asked or answered.
 */

export interface Operations {
  /** R2: put, list. */
  classA: number;
  /** R2: get, head. Deletes are free. */
  classB: number;
  rowsRead: number;
  rowsWritten: number;
  /** Calls of Durable Objects, and alarms. */
  objectRequests: number;
  /** Statements of D1, which are not billed. */
  queries: number;
}

export const NOTHING: Readonly<Operations> = {
  classA: 0,
  classB: 0,
  rowsRead: 0,
  rowsWritten: 0,
  objectRequests: 0,
  queries: 0,
};

/** The statement behind a counting one. */
const behind = new WeakMap<object, D1PreparedStatement>();

export function countingDatabase(database: D1Database, counts: Operations): D1Database {
  const note = <T>(result: D1Result<T>): D1Result<T> => {
    counts.queries++;
    counts.rowsRead += result.meta.rows_read;
    counts.rowsWritten += result.meta.rows_written;
    return result;
  };
  const counting = (statement: D1PreparedStatement): D1PreparedStatement => {
    const all = async <T>() => note(await statement.all<T>());
    const calls: Readonly<Record<string, unknown>> = {
      bind: (...values: unknown[]) => counting(statement.bind(...values)),
      all,
      run: all,
      // Its own answer does not say what it cost.
      first: async (column?: string) => {
        const [row] = (await all<Record<string, unknown>>()).results;
        return row === undefined ? null : column === undefined ? row : row[column];
      },
    };
    const proxy = new Proxy(statement, { get: (_, name) => known(calls, name) });
    behind.set(proxy, statement);
    return proxy;
  };
  const calls: Readonly<Record<string, unknown>> = {
    prepare: (query: string) => counting(database.prepare(query)),
    batch: async (statements: D1PreparedStatement[]) =>
      (await database.batch(statements.map((one) => behind.get(one) ?? one))).map(note),
  };
  return new Proxy(database, { get: (_, name) => known(calls, name) });
}

const CLASSES: Readonly<Record<string, "classA" | "classB" | null>> = {
  put: "classA",
  list: "classA",
  get: "classB",
  head: "classB",
  delete: null,
};

export function countingBucket(bucket: R2Bucket, counts: Operations): R2Bucket {
  return new Proxy(bucket, {
    get(target, name) {
      const billed = known(CLASSES, name);
      const call: unknown = Reflect.get(target, name);
      if (typeof call !== "function") throw new TypeError(`R2 has no ${String(name)}`);
      return (...args: unknown[]) => {
        if (billed !== null) counts[billed]++;
        return Reflect.apply(call, target, args);
      };
    },
  });
}

export function countingObjects(namespace: DurableObjectNamespace, counts: Operations): DurableObjectNamespace {
  const stub = (object: DurableObjectStub) =>
    new Proxy(object, {
      get(target, name) {
        const call: unknown = Reflect.get(target, name);
        if (typeof call !== "function") return call;
        return (...args: unknown[]) => {
          counts.objectRequests++;
          return Reflect.apply(call, target, args);
        };
      },
    });
  return new Proxy(namespace, {
    get(target, name) {
      if (name === "get") {
        return (...args: Parameters<DurableObjectNamespace["get"]>) => stub(target.get(...args));
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** @throws TypeError for what nobody has used so far: it would not be counted */
function known<T>(table: Readonly<Record<string, T>>, name: string | symbol): T {
  const value = typeof name === "string" ? table[name] : undefined;
  if (value === undefined) throw new TypeError(`${String(name)} is not counted`);
  return value;
}
