/**
 * Each test file has an empty store, and the Worker's code and so what it remembers afresh, though all files share a few
 * workerds: to start one for each file would take most of the time.
 */
import { reset } from "cloudflare:test";
import { vi } from "vitest";

await reset();
vi.resetModules();
