/** Whether the origin answers, as what: by its list of versions, which needs no token and nothing behind Glance. */
import { fetchOrigin } from "../glance/forward.ts";
import { callerHeaders } from "../http/headers.ts";
import type { Settings } from "../settings.ts";
import { Unhealthy } from "./check.ts";

/** Glance says 200, or 300; one behind a proxy of its own rights may say 401 or 403. */
const ANSWERS = new Set([200, 300, 401, 403]);

/** @throws Unhealthy, OriginUnreachable, BadOriginAnswer */
export async function lookAtOrigin(settings: Settings): Promise<null> {
  const headers = callerHeaders(new Headers());
  const response = await fetchOrigin(settings, "/versions", { method: "GET", headers });
  await response.body?.cancel();
  if (ANSWERS.has(response.status)) return null;
  const hint = response.status === 404 ? ": is ORIGIN_URL right?" : "";
  throw new Unhealthy(`answers with status ${response.status} where Glance lists its versions${hint}`);
}
