/** One real Keystone, and a real Glance with each kind of store, for all tests of the relay. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { freePorts } from "../../../scripts/ports.ts";
import { STORES, startGlance } from "../../openstack/lib/glance.ts";
import { startKeystone } from "../../openstack/lib/keystone.ts";
import { Processes } from "../../openstack/lib/processes.ts";

export interface Cloud {
  readonly keystoneUrl: string;
  /** Port of the Glance with this kind of store. */
  readonly glance: { readonly random: number; readonly sequential: number };
  /** Directory of this Glance's images. */
  readonly images: { readonly random: string; readonly sequential: string };
  /** Where a relay has to answer: the catalogue names it as the image endpoint. */
  readonly relayPort: number;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const state = mkdtempSync(join(tmpdir(), "glance-edge-relay-"));
  const processes = new Processes(state);
  const end = async () => {
    await processes.endAll();
    rmSync(state, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    const [keystonePort = 0, random = 0, sequential = 0, relayPort = 0] = await freePorts(4);
    const keystoneUrl = `http://127.0.0.1:${keystonePort}/v3`;
    const glance = { random, sequential };
    const starting = STORES.map((store) => {
      const own = join(state, store);
      mkdirSync(own);
      return startGlance(processes, own, glance[store], keystoneUrl, store);
    });
    await Promise.all([startKeystone(processes, state, keystonePort, `http://127.0.0.1:${relayPort}`), ...starting]);
    const images = { random: join(state, "random/images"), sequential: join(state, "sequential/images") };
    project.provide("cloud", { keystoneUrl, glance, images, relayPort });
    return end;
  } catch (cause) {
    console.error(processes.tails());
    await end();
    throw cause;
  }
}

declare module "vitest" {
  interface ProvidedContext {
    cloud: Cloud;
  }
}
