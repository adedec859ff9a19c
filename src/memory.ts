/**
 * What an isolate remembers between requests. All of it is a mere memory, bounded and lost without harm when the platform
 * puts the isolate away: nothing that must last is here.
 */
import { AloneDownloads } from "./download/alone.ts";
import { Usage } from "./download/usage.ts";
import { ServiceTokenMemory } from "./keystone/service-tokens.ts";
import { Receivers } from "./notify/receivers.ts";
import { Seldom } from "./observe/seldom.ts";
import { Permissions } from "./origin/permissions.ts";
import { PolicyOrder } from "./origin/policy-order.ts";

export interface Memory {
  readonly permissions: Permissions;
  readonly policyOrder: PolicyOrder;
  readonly usage: Usage;
  readonly alone: AloneDownloads;
  readonly serviceTokens: ServiceTokenMemory;
  readonly receivers: Receivers;
  readonly seldom: Seldom;
}

export const memory: Memory = {
  permissions: new Permissions(),
  policyOrder: new PolicyOrder(),
  usage: new Usage(),
  alone: new AloneDownloads(),
  serviceTokens: new ServiceTokenMemory(),
  receivers: new Receivers(),
  seldom: new Seldom(),
};
