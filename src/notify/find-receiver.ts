/** Whose download it was, by Keystone's word, asked once for a token and remembered for some minutes. */

import type { Identity } from "../keystone/identity.ts";
import type { ServiceTokens } from "../keystone/service-tokens.ts";
import { validateToken } from "../keystone/validate-token.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Endpoint } from "../lib/fetch.ts";
import type { Log } from "../lib/log.ts";
import { type Receivers, receiverKey } from "./receivers.ts";

/** Well within the 30 s that a Worker has left when its client is gone. It takes some 10 to 100 ms. */
const KEYSTONE_MS = 10_000;

/** What finding works with. */
export interface FinderTools {
  /** Null: receivers are unknown then. */
  readonly keystone: Endpoint | null;
  /** The edge's own account, where Keystone does not let a token validate itself. */
  readonly service: ServiceTokens | null;
  readonly receivers: Receivers;
  readonly log: Log;
  readonly now: () => number;
}

/** @returns null when that can't be known, which costs who wants to know no more than two ids. Never rejects. */
export async function findReceiver(
  download: { readonly imageId: string; readonly token: string | null },
  { keystone, service, receivers, log, now }: FinderTools,
): Promise<Identity | null> {
  const { imageId, token } = download;
  if (keystone === null || token === null) return null;
  try {
    const key = await receiverKey(keystone.url, token);
    const known = receivers.recall(key, now());
    if (known !== null) return known;
    const answer = await withDeadline("Keystone", KEYSTONE_MS, validateToken(keystone, token, service));
    if (answer.kind === "invalid") return null;
    receivers.remember(key, answer.identity, now());
    return answer.identity;
  } catch (cause) {
    log.error("notification.receiver-unknown", cause, { image_id: imageId });
    return null;
  }
}
