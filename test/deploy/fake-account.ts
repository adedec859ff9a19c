/** A Cloudflare account as its API shows it: what is in it. */
import { DatabaseSync } from "node:sqlite";

interface Version {
  readonly id: string;
  readonly tag: string | null;
  readonly metadata: Metadata;
}

interface Metadata {
  readonly bindings: readonly Record<string, unknown>[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly migrations?: { readonly new_tag?: string };
}

interface Script {
  versions: Version[];
  /** The version that gets all requests. */
  deployed: string | null;
  /** The last migration of its Durable Objects. */
  migrationTag: string | null;
  schedules: string[];
}

interface Database {
  readonly uuid: string;
  readonly name: string;
  readonly jurisdiction: string | null;
  readonly location: string | null;
  readonly sqlite: DatabaseSync;
}

export interface Request {
  readonly method: string;
  /** Behind /accounts/ID. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly jurisdiction: string;
  readonly body: unknown;
}

/** A refusal of the API's. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class FakeAccount {
  readonly buckets = new Map<string, { readonly jurisdiction: string; readonly location: string | null }>();
  readonly databases = new Map<string, Database>();
  readonly queues = new Map<
    string,
    { readonly id: string; consumers: { readonly id: string; readonly script: string }[] }
  >();
  readonly scripts = new Map<string, Script>();
  /** Host to Worker. */
  readonly domains = new Map<string, string>();
  #ids = 0;

  /** All that is in it, to be compared. */
  contents() {
    return {
      buckets: Object.fromEntries(this.buckets),
      databases: [...this.databases.values()].map(({ sqlite, ...database }) => ({
        ...database,
        migrations:
          sqlite.prepare("SELECT name FROM sqlite_master WHERE name = 'd1_migrations'").all().length === 0
            ? []
            : sqlite
                .prepare("SELECT name FROM d1_migrations ORDER BY id")
                .all()
                .map(({ name }) => name),
      })),
      queues: Object.fromEntries(this.queues),
      scripts: Object.fromEntries(this.scripts),
      domains: Object.fromEntries(this.domains),
    };
  }

  readonly workersDev = new Set<string>();

  id(): string {
    return `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, "0")}`;
  }

  bucket(jurisdiction: string, name: string) {
    const bucket = this.buckets.get(`${jurisdiction}/${name}`);
    if (bucket === undefined) throw new ApiError(404, 10006, "The specified bucket does not exist.");
    return bucket;
  }

  makeBucket({ body, jurisdiction }: Request): unknown {
    const { name, locationHint } = body as { name: string; locationHint?: string };
    const key = `${jurisdiction}/${name}`;
    if (this.buckets.has(key))
      throw new ApiError(409, 10004, "The bucket you tried to create already exists, and you own it.");
    this.buckets.set(key, { jurisdiction, location: locationHint ?? null });
    return {};
  }

  database(id: string): Database {
    const found = [...this.databases.values()].find(({ uuid, name }) => uuid === id || name === id);
    if (found === undefined) throw new ApiError(404, 7404, "The database could not be found");
    return found;
  }

  makeDatabase({ body }: Request): unknown {
    const {
      name,
      jurisdiction = null,
      primary_location_hint: location = null,
    } = body as {
      name: string;
      jurisdiction?: string;
      primary_location_hint?: string;
    };
    if (this.databases.has(name)) throw new ApiError(400, 7502, "A database with that name already exists");
    const database = { uuid: this.id(), name, jurisdiction, location, sqlite: new DatabaseSync(":memory:") };
    this.databases.set(name, database);
    return { uuid: database.uuid, name, created_in_region: "WEUR" };
  }

  query(id: string, sql: string): unknown {
    const { sqlite } = this.database(id);
    const done = { success: true, meta: { duration: 1 } };
    if (/^\s*SELECT/i.test(sql)) return [{ ...done, results: sqlite.prepare(sql).all() }];
    sqlite.exec(sql);
    return [{ ...done, results: [] }];
  }

  queueName(id: string): string {
    const found = [...this.queues].find(([, queue]) => queue.id === id)?.[0];
    if (found === undefined) throw new ApiError(404, 11000, "queue not found");
    return found;
  }

  queue(name: string) {
    const queue = this.queues.get(name);
    if (queue === undefined) throw new ApiError(404, 11000, "queue not found");
    const consumers = queue.consumers.map(({ id, script }) => ({
      consumer_id: id,
      type: "worker",
      script,
      script_name: script,
      service: script,
      environment: "production",
      settings: {},
    }));
    return {
      ...{ queue_id: queue.id, queue_name: name, producers: [], consumers },
      ...{ producers_total_count: 0, consumers_total_count: consumers.length },
      ...{ created_on: "2026-11-25T00:00:00Z", modified_on: "2026-11-25T00:00:00Z", settings: {} },
    };
  }

  makeQueue(name: string) {
    this.queues.set(name, { id: this.id(), consumers: [] });
    return this.queue(name);
  }

  script(name: string): Script {
    const script = this.scripts.get(name);
    if (script === undefined) throw new ApiError(404, 10007, "This Worker does not exist on your account.");
    return script;
  }

  /** A version that nobody gets yet. */
  addVersion(name: string, form: FormData): Version {
    const metadata = JSON.parse(String(form.get("metadata"))) as Metadata;
    const version = { id: this.id(), tag: metadata.annotations?.["workers/tag"] ?? null, metadata };
    const script = this.scripts.get(name) ?? { versions: [], deployed: null, migrationTag: null, schedules: [] };
    script.versions.push(version);
    script.migrationTag = metadata.migrations?.new_tag ?? script.migrationTag;
    this.scripts.set(name, script);
    return version;
  }
}
