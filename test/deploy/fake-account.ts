/** A Cloudflare account as its API shows it: what is in it, and how it answers the calls that wrangler makes. */
import { DatabaseSync } from "node:sqlite";

interface Version {
  readonly id: string;
  readonly tag: string | null;
  readonly metadata: { readonly bindings: readonly Record<string, unknown>[] };
}

interface Script {
  versions: Version[];
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

  /** @returns the result. @throws ApiError */
  answer(request: Request): unknown {
    for (const [pattern, answer] of this.#routes) {
      const match = pattern.exec(`${request.method} ${request.path}`);
      if (match !== null) return answer(request, ...match.slice(1).map(decodeURIComponent));
    }
    throw new ApiError(404, 7003, `the fake has no ${request.method} ${request.path}`);
  }

  readonly #routes: readonly (readonly [RegExp, (request: Request, ...names: string[]) => unknown])[] = [
    [/^GET \/r2\/buckets\/([^/]+)$/, ({ jurisdiction }, name = "") => ({ name, ...this.#bucket(jurisdiction, name) })],
    [/^POST \/r2\/buckets$/, (request) => this.#makeBucket(request)],
    [
      /^DELETE \/r2\/buckets\/([^/]+)$/,
      ({ jurisdiction }, name = "") => {
        this.#bucket(jurisdiction, name);
        this.buckets.delete(`${jurisdiction}/${name}`);
        return {};
      },
    ],
    [
      /^GET \/d1\/database$/,
      () => [...this.databases.values()].map(({ uuid, name, jurisdiction }) => ({ uuid, name, jurisdiction })),
    ],
    [/^POST \/d1\/database$/, (request) => this.#makeDatabase(request)],
    [
      /^GET \/d1\/database\/([^/]+)$/,
      (_, id = "") => {
        const { uuid, name, jurisdiction } = this.#database(id);
        return { uuid, name, jurisdiction, version: "production" };
      },
    ],
    [
      /^DELETE \/d1\/database\/([^/]+)$/,
      (_, id = "") => {
        this.databases.delete(this.#database(id).name);
        return null;
      },
    ],
    [/^POST \/d1\/database\/([^/]+)\/query$/, ({ body }, id = "") => this.#query(id, (body as { sql: string }).sql)],
    [
      /^GET \/queues$/,
      ({ query }) => {
        const name = query.get("name");
        return [...this.queues.keys()].filter((one) => name === null || one === name).map((one) => this.#queue(one));
      },
    ],
    [/^POST \/queues$/, ({ body }) => this.#makeQueue((body as { queue_name: string }).queue_name)],
    [/^GET \/queues\/([^/]+)$/, (_, id = "") => this.#queue(this.#queueName(id))],
    [
      /^DELETE \/queues\/([^/]+)$/,
      (_, id = "") => {
        this.queues.delete(this.#queueName(id));
        return {};
      },
    ],
    [/^GET \/queues\/([^/]+)\/consumers$/, (_, id = "") => this.#queue(this.#queueName(id)).consumers],
    [
      /^POST \/queues\/([^/]+)\/consumers$/,
      ({ body }, id = "") => {
        this.queues
          .get(this.#queueName(id))
          ?.consumers.push({ id: this.#id(), script: (body as { script_name: string }).script_name });
        return {};
      },
    ],
    [/^PUT \/queues\/([^/]+)\/consumers\/([^/]+)$/, () => ({})],
    [
      /^GET \/workers\/services\/([^/]+)$/,
      (_, name = "") => {
        this.#script(name);
        return {
          id: name,
          default_environment: { environment: "production", script: { last_deployed_from: "wrangler" } },
        };
      },
    ],
    [/^POST \/workers\/scripts\/([^/]+)\/assets-upload-session$/, () => ({ jwt: "e30.e30.e30", buckets: [] })],
    [/^PUT \/workers\/scripts\/([^/]+)$/, ({ body }, name = "") => this.#upload(name, body as FormData)],
    [
      /^DELETE \/workers\/(?:scripts|services)\/([^/]+)$/,
      (_, name = "") => {
        this.#script(name);
        this.scripts.delete(name);
        for (const [host, script] of this.domains) if (script === name) this.domains.delete(host);
        return null;
      },
    ],
    [
      /^GET \/workers\/workers\/([^/]+)$/,
      (_, name = "") => {
        this.#script(name);
        return { id: name, name, subdomain: { enabled: this.workersDev.has(name), previews_enabled: false } };
      },
    ],
    [
      /^(?:GET|POST) \/workers\/scripts\/([^/]+)\/subdomain$/,
      ({ body }, name = "") => {
        const enabled = (body as { enabled?: boolean } | null)?.enabled;
        if (enabled === true) this.workersDev.add(name);
        if (enabled === false) this.workersDev.delete(name);
        return { enabled: this.workersDev.has(name), previews_enabled: false };
      },
    ],
    // Of Workers Sites, which a delete looks for.
    [/^GET \/storage\/kv\/namespaces$/, () => []],
    [/^GET \/workers\/subdomain$/, () => ({ subdomain: "made-up" })],
    [
      /^GET \/workers\/scripts\/([^/]+)\/settings$/,
      (_, name = "") => ({ bindings: this.#script(name).versions.at(-1)?.metadata.bindings }),
    ],
    [
      /^GET \/workers\/scripts\/([^/]+)\/secrets$/,
      (_, name = "") => {
        this.#script(name);
        return [];
      },
    ],
    [
      /^GET \/workers\/scripts\/([^/]+)\/deployments$/,
      (_, name = "") => {
        const version = this.#script(name).versions.at(-1);
        const times = {
          created_on: "2026-11-25T00:00:00Z",
          author_email: "operator@example.com",
          source: "wrangler",
          strategy: "percentage",
        };
        return {
          deployments:
            version === undefined
              ? []
              : [{ id: version.id, ...times, versions: [{ version_id: version.id, percentage: 100 }] }],
        };
      },
    ],
    [
      /^GET \/workers\/scripts\/([^/]+)\/versions\/([^/]+)$/,
      (_, name = "", id = "") => {
        const version = this.#script(name).versions.find((one) => one.id === id);
        if (version === undefined) throw new ApiError(404, 10007, "This version does not exist.");
        return {
          id,
          number: 1,
          metadata: { created_on: "2026-11-25T00:00:00Z", author_email: "operator@example.com", source: "wrangler" },
          annotations: version.tag === null ? {} : { "workers/tag": version.tag },
          resources: {
            bindings: [],
            script: { etag: "e", handlers: [], last_deployed_from: "wrangler" },
            script_runtime: {},
          },
        };
      },
    ],
    [/^(?:GET|PATCH) \/workers\/scripts\/([^/]+)\/script-settings$/, () => ({})],
    [
      /^POST \/workers\/scripts\/([^/]+)\/domains\/changeset$/,
      () => ({ added: [], removed: [], updated: [], conflicting: [] }),
    ],
    [
      /^PUT \/workers\/scripts\/([^/]+)\/domains\/records$/,
      ({ body }, name = "") => {
        for (const { hostname } of (body as { origins: { hostname: string }[] }).origins)
          this.domains.set(hostname, name);
        return [];
      },
    ],
    [
      /^PUT \/workers\/scripts\/([^/]+)\/schedules$/,
      ({ body }, name = "") => {
        this.#script(name).schedules = (body as { cron: string }[]).map(({ cron }) => cron);
        return { schedules: body };
      },
    ],
  ];

  readonly workersDev = new Set<string>();

  #id(): string {
    return `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, "0")}`;
  }

  #bucket(jurisdiction: string, name: string) {
    const bucket = this.buckets.get(`${jurisdiction}/${name}`);
    if (bucket === undefined) throw new ApiError(404, 10006, "The specified bucket does not exist.");
    return bucket;
  }

  #makeBucket({ body, jurisdiction }: Request): unknown {
    const { name, locationHint } = body as { name: string; locationHint?: string };
    const key = `${jurisdiction}/${name}`;
    if (this.buckets.has(key))
      throw new ApiError(409, 10004, "The bucket you tried to create already exists, and you own it.");
    this.buckets.set(key, { jurisdiction, location: locationHint ?? null });
    return {};
  }

  #database(id: string): Database {
    const found = [...this.databases.values()].find(({ uuid, name }) => uuid === id || name === id);
    if (found === undefined) throw new ApiError(404, 7404, "The database could not be found");
    return found;
  }

  #makeDatabase({ body }: Request): unknown {
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
    const database = { uuid: this.#id(), name, jurisdiction, location, sqlite: new DatabaseSync(":memory:") };
    this.databases.set(name, database);
    return { uuid: database.uuid, name, created_in_region: "WEUR" };
  }

  #query(id: string, sql: string): unknown {
    const { sqlite } = this.#database(id);
    const done = { success: true, meta: { duration: 1 } };
    if (/^\s*SELECT/i.test(sql)) return [{ ...done, results: sqlite.prepare(sql).all() }];
    sqlite.exec(sql);
    return [{ ...done, results: [] }];
  }

  #queueName(id: string): string {
    const found = [...this.queues].find(([, queue]) => queue.id === id)?.[0];
    if (found === undefined) throw new ApiError(404, 11000, "queue not found");
    return found;
  }

  #queue(name: string) {
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

  #makeQueue(name: string) {
    this.queues.set(name, { id: this.#id(), consumers: [] });
    return this.#queue(name);
  }

  #script(name: string): Script {
    const script = this.scripts.get(name);
    if (script === undefined) throw new ApiError(404, 10007, "This Worker does not exist on your account.");
    return script;
  }

  #upload(name: string, form: FormData): unknown {
    const metadata = JSON.parse(String(form.get("metadata"))) as Version["metadata"] & {
      annotations?: Record<string, string>;
    };
    const version = { id: this.#id(), tag: metadata.annotations?.["workers/tag"] ?? null, metadata };
    const script = this.scripts.get(name) ?? { versions: [], schedules: [] };
    script.versions.push(version);
    this.scripts.set(name, script);
    return {
      id: name,
      etag: "e",
      pipeline_hash: "p",
      mutable_pipeline_id: "m",
      deployment_id: version.id,
      startup_time_ms: 5,
    };
  }
}
