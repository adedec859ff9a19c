/**
 * Each test file has an empty store, the Worker's code and so what it remembers afresh, and an origin of its kind, though
 * all files share a few workerds: to start one for each file would take most of the time.
 */
import { reset } from "cloudflare:test";
import { vi } from "vitest";
import { control } from "./env.ts";
import { readsAtRandom } from "./store-kind.ts";

await reset();
vi.resetModules();
await control("PUT", "/store", { randomAccess: readsAtRandom() });
