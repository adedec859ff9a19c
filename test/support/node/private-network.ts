/**
 * A Worker that stands for a private network, as Workers VPC, a tunnel or a service binding is one: whatever host is asked for,
 * one server on loopback answers.
 */

export interface PrivateNetwork {
  /** The server's base URL, without a path. */
  readonly server: string;
  /** Bindings of the edge that lead into it. */
  readonly bindings: readonly ("ORIGIN" | "KEYSTONE")[];
}

const NAME = "private-network";

/** Miniflare's options for the edge itself; none without the network. */
export function privateBindings(network: PrivateNetwork | undefined) {
  if (network === undefined) return {};
  return { serviceBindings: Object.fromEntries(network.bindings.map((name) => [name, NAME])) };
}

/** Miniflare's options for the Worker; none without the network. */
export function privateWorkers(network: PrivateNetwork | undefined) {
  if (network === undefined) return [];
  const contents = `
    export default {
      fetch(request) {
        const { pathname, search } = new URL(request.url);
        return fetch(new Request(${JSON.stringify(network.server)} + pathname + search, request), { redirect: "manual" });
      },
    };`;
  const modules = [{ type: "ESModule" as const, path: "index.js", contents }];
  return [{ name: NAME, modules, compatibilityDate: "2026-11-01" }];
}
