/**
 * Asks the origin, with the edge's own account, whether stored images are still there and active: those that were deleted
 * or deactivated without passing this edge would take room for nothing. Rights need no such look: each download asks.
 */
import type { Edge } from "../context.ts";
import { FillClient } from "../fill/client.ts";
import { askRecord, isGlance, type RecordAnswer } from "../glance/ask-record.ts";
import { OriginUnreachable } from "../glance/forward.ts";
import { seesAllImages } from "../keystone/identity.ts";
import type { ServiceToken } from "../keystone/service-tokens.ts";
import { isSelected } from "../lib/selection.ts";
import type { Described } from "../store/catalog.ts";

/** Images in one run, and at the same time: a look costs the origin some 10 ms. */
const IMAGES = 400;
const AT_ONCE = 4;

export interface Reconciled {
  readonly asked: number;
  readonly evicted: number;
  /** Not there for the edge's account, which does not see everything: kept. */
  readonly hidden: number;
  /** The origin did not say. */
  readonly unanswered: number;
}

interface Finding extends Described {
  readonly is: "there" | "gone" | "hidden" | "unanswered";
}

const UNSAID = { name: null, owner: null, pinned: null };

/**
 * @param deadline ms since the epoch
 * @returns null without service credentials
 * @throws KeystoneUnavailable, ServiceCredentialRefused, OriginUnreachable, whatever D1 throws, Error when a 404 comes from
 * something that is not Glance
 */
export async function reconcile(edge: Edge, deadline: number): Promise<Reconciled | null> {
  const { service, catalog, queue, fills, log, now } = edge;
  if (service === null) return null;
  const counts = { there: 0, gone: 0, hidden: 0, unanswered: 0 };
  const due = await catalog.leastReconciled(IMAGES);
  let sure = false;
  for (let at = 0; at < due.length && now() < deadline; at += AT_ONCE) {
    const batch = due.slice(at, at + AT_ONCE);
    const token = await service.get();
    const findings = await Promise.all(batch.map((imageId) => look(edge, imageId, token)));
    if (findings.some(({ is }) => is === "gone") && !sure) {
      sure = await isGlance(new Headers({ "x-auth-token": token.token }), edge.settings);
      if (!sure) throw new Error("images seem to be gone, but what says so at ORIGIN_URL is not Glance");
    }
    for (const [index, { is }] of findings.entries()) {
      counts[is]++;
      const imageId = batch[index];
      if (is !== "gone" || imageId === undefined) continue;
      await queue.remove(imageId);
      log.info("image.evicted", { image_id: imageId, why: "the origin has it no more, or not as an active image" });
      await new FillClient(fills, imageId, log).remove("always");
    }
    // Also of those that were not answered: they must not keep the others from their turn.
    const said = batch.map((imageId, index) => ({ imageId, ...(findings[index] ?? UNSAID) }));
    await catalog.reconciled(said, now());
  }
  const asked = counts.there + counts.gone + counts.hidden + counts.unanswered;
  return { asked, evicted: counts.gone, hidden: counts.hidden, unanswered: counts.unanswered };
}

async function look(edge: Edge, imageId: string, { token, identity }: ServiceToken): Promise<Finding> {
  let answer: RecordAnswer;
  try {
    const headers = new Headers({ "x-auth-token": token });
    answer = await askRecord({ api: "v2", imageId }, headers, edge.settings);
  } catch (cause) {
    if (cause instanceof OriginUnreachable) throw cause;
    edge.log.error("reconcile.unreadable", cause, { image_id: imageId });
    return { is: "unanswered", ...UNSAID };
  }
  switch (answer.kind) {
    case "found": {
      const { status, name, owner, traits } = answer.record;
      const pinned = isSelected(traits, edge.settings.pinImages);
      return { is: status === "active" ? "there" : "gone", name, owner, pinned };
    }
    case "not-found":
      return { is: seesAllImages(identity) ? "gone" : "hidden", ...UNSAID };
    case "refused":
      if (answer.status === 401) edge.service?.forget(token);
      return { is: "unanswered", ...UNSAID };
  }
}
