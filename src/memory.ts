/**
 * What an isolate remembers between requests. All of it is a mere memory, bounded and lost without harm when the platform
 * puts the isolate away: nothing that must last is here.
 */
import { AloneDownloads } from "./download/alone.ts";
import { PolicyOrder } from "./glance/policy-order.ts";
import { Permissions } from "./glance/remembered.ts";
import { ServiceTokenMemory } from "./keystone/service-tokens.ts";
import { Seldom } from "./lib/seldom.ts";
import { Receivers } from "./notify/receivers.ts";
import { Tally } from "./store/tally.ts";
import { Usage } from "./store/usage.ts";

export interface Memory {
  readonly permissions: Permissions;
  readonly policyOrder: PolicyOrder;
  readonly usage: Usage;
  readonly tally: Tally;
  readonly alone: AloneDownloads;
  readonly serviceTokens: ServiceTokenMemory;
  readonly receivers: Receivers;
  readonly seldom: Seldom;
}

export const memory: Memory = {
  permissions: new Permissions(),
  policyOrder: new PolicyOrder(),
  usage: new Usage(),
  tally: new Tally(),
  alone: new AloneDownloads(),
  serviceTokens: new ServiceTokenMemory(),
  receivers: new Receivers(),
  seldom: new Seldom(),
};
