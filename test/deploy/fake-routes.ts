/** Which call of the API does what to the account: those that wrangler makes for a deploy and a trial. */
import { ApiError, type FakeAccount, type Request } from "./fake-account.ts";

type Answer = (account: FakeAccount, request: Request, ...names: string[]) => unknown;

/** @returns the result. @throws ApiError */
export function answerCall(account: FakeAccount, request: Request): unknown {
  for (const [pattern, answer] of ROUTES) {
    const match = pattern.exec(`${request.method} ${request.path}`);
    if (match !== null) return answer(account, request, ...match.slice(1).map(decodeURIComponent));
  }
  throw new ApiError(404, 7003, `the fake has no ${request.method} ${request.path}`);
}

const ROUTES: readonly (readonly [RegExp, Answer])[] = [
  [
    /^GET \/r2\/buckets\/([^/]+)$/,
    (account, { jurisdiction }, name = "") => ({ name, ...account.bucket(jurisdiction, name) }),
  ],
  [/^POST \/r2\/buckets$/, (account, request) => account.makeBucket(request)],
  [
    /^DELETE \/r2\/buckets\/([^/]+)$/,
    (account, { jurisdiction }, name = "") => {
      account.bucket(jurisdiction, name);
      account.buckets.delete(`${jurisdiction}/${name}`);
      return {};
    },
  ],
  [
    /^GET \/d1\/database$/,
    (account) => [...account.databases.values()].map(({ uuid, name, jurisdiction }) => ({ uuid, name, jurisdiction })),
  ],
  [/^POST \/d1\/database$/, (account, request) => account.makeDatabase(request)],
  [
    /^GET \/d1\/database\/([^/]+)$/,
    (account, _, id = "") => {
      const { uuid, name, jurisdiction } = account.database(id);
      return { uuid, name, jurisdiction, version: "production" };
    },
  ],
  [
    /^DELETE \/d1\/database\/([^/]+)$/,
    (account, _, id = "") => {
      account.databases.delete(account.database(id).name);
      return null;
    },
  ],
  [
    /^POST \/d1\/database\/([^/]+)\/query$/,
    (account, { body }, id = "") => account.query(id, (body as { sql: string }).sql),
  ],
  [
    /^GET \/queues$/,
    (account, { query }) => {
      const name = query.get("name");
      return [...account.queues.keys()].filter((one) => name === null || one === name).map((one) => account.queue(one));
    },
  ],
  [/^POST \/queues$/, (account, { body }) => account.makeQueue((body as { queue_name: string }).queue_name)],
  [/^GET \/queues\/([^/]+)$/, (account, _, id = "") => account.queue(account.queueName(id))],
  [
    /^DELETE \/queues\/([^/]+)$/,
    (account, _, id = "") => {
      account.queues.delete(account.queueName(id));
      return {};
    },
  ],
  [/^GET \/queues\/([^/]+)\/consumers$/, (account, _, id = "") => account.queue(account.queueName(id)).consumers],
  [
    /^POST \/queues\/([^/]+)\/consumers$/,
    (account, { body }, id = "") => {
      account.queues
        .get(account.queueName(id))
        ?.consumers.push({ id: account.id(), script: (body as { script_name: string }).script_name });
      return {};
    },
  ],
  [/^PUT \/queues\/([^/]+)\/consumers\/([^/]+)$/, () => ({})],
  [
    /^GET \/workers\/services\/([^/]+)$/,
    (account, _, name = "") => {
      const script = { last_deployed_from: "wrangler", migration_tag: account.script(name).migrationTag ?? undefined };
      return { id: name, default_environment: { environment: "production", script } };
    },
  ],
  [/^POST \/workers\/scripts\/([^/]+)\/assets-upload-session$/, () => ({ jwt: "e30.e30.e30", buckets: [] })],
  // How wrangler uploads a new Worker, or one whose Durable Objects change.
  [
    /^PUT \/workers\/scripts\/([^/]+)$/,
    (account, { body }, name = "") => {
      const { id } = account.addVersion(name, body as FormData);
      account.script(name).deployed = id;
      return {
        id: name,
        etag: "e",
        pipeline_hash: "p",
        mutable_pipeline_id: "m",
        deployment_id: id,
        startup_time_ms: 5,
      };
    },
  ],
  // And any other.
  [
    /^POST \/workers\/scripts\/([^/]+)\/versions$/,
    (account, { body }, name = "") => {
      const { id } = account.addVersion(name, body as FormData);
      return { id, startup_time_ms: 5, metadata: { has_preview: false }, resources: { script: { etag: "e" } } };
    },
  ],
  [
    /^POST \/workers\/scripts\/([^/]+)\/deployments$/,
    (account, { body }, name = "") => {
      const [version] = (body as { versions: { version_id: string }[] }).versions;
      account.script(name).deployed = version?.version_id ?? null;
      return { id: version?.version_id };
    },
  ],
  [
    /^DELETE \/workers\/(?:scripts|services)\/([^/]+)$/,
    (account, _, name = "") => {
      account.script(name);
      account.scripts.delete(name);
      for (const [host, script] of account.domains) if (script === name) account.domains.delete(host);
      return null;
    },
  ],
  [
    /^GET \/workers\/workers\/([^/]+)$/,
    (account, _, name = "") => {
      account.script(name);
      return { id: name, name, subdomain: { enabled: account.workersDev.has(name), previews_enabled: false } };
    },
  ],
  [
    /^(?:GET|POST) \/workers\/scripts\/([^/]+)\/subdomain$/,
    (account, { body }, name = "") => {
      const enabled = (body as { enabled?: boolean } | null)?.enabled;
      if (enabled === true) account.workersDev.add(name);
      if (enabled === false) account.workersDev.delete(name);
      return { enabled: account.workersDev.has(name), previews_enabled: false };
    },
  ],
  // Of Workers Sites, which a delete looks for.
  [/^GET \/storage\/kv\/namespaces$/, () => []],
  [/^GET \/workers\/subdomain$/, () => ({ subdomain: "made-up" })],
  [
    /^GET \/workers\/scripts\/([^/]+)\/settings$/,
    (account, _, name = "") => ({ bindings: account.script(name).versions.at(-1)?.metadata.bindings }),
  ],
  [
    /^GET \/workers\/scripts\/([^/]+)\/secrets$/,
    (account, _, name = "") => {
      account.script(name);
      return [];
    },
  ],
  [
    /^GET \/workers\/scripts\/([^/]+)\/deployments$/,
    (account, _, name = "") => {
      const { versions, deployed } = account.script(name);
      const version = versions.find(({ id }) => id === deployed);
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
    (account, _, name = "", id = "") => {
      const version = account.script(name).versions.find((one) => one.id === id);
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
    (account, { body }, name = "") => {
      for (const { hostname } of (body as { origins: { hostname: string }[] }).origins)
        account.domains.set(hostname, name);
      return [];
    },
  ],
  [
    /^PUT \/workers\/scripts\/([^/]+)\/schedules$/,
    (account, { body }, name = "") => {
      account.script(name).schedules = (body as { cron: string }[]).map(({ cron }) => cron);
      return { schedules: body };
    },
  ],
];
