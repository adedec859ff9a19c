/** Keystone's token document: who a token speaks for, and for how long. Pure. */

import { field, isObject, parseJson } from "../json.ts";
import { KeystoneUnavailable } from "./api.ts";

/** Who a token speaks for. */
export interface Identity {
  readonly userId: string | null;
  /** null for a token of no project: of a domain, of the whole system, or unscoped. */
  readonly projectId: string | null;
  /** Names; none for an unscoped token. */
  readonly roles: readonly string[];
}

/** The role that Glance takes for one who sees all images (`context_is_admin` in glance/policies/base.py). */
const SEES_ALL = "admin";

/** Whether a 404 of Glance means to this one that the image is not there. */
export function seesAllImages({ roles }: Identity): boolean {
  return roles.some((role) => role.toLowerCase() === SEES_ALL);
}

export interface TokenDocument {
  readonly identity: Identity;
  /** From issue to expiry, in ms; null where the document does not say. */
  readonly lifetimeMs: number | null;
}

/** Keystone's token, as it is shown after a log-in or a validation. @throws KeystoneUnavailable for any other text */
export function readToken(text: string): TokenDocument {
  const token = field(parseJson(text), "token");
  const roles = field(token, "roles") ?? [];
  if (!isObject(token) || !Array.isArray(roles)) throw new KeystoneUnavailable("Keystone's answer is no token");
  const issued = readTime(field(token, "issued_at"));
  const expires = readTime(field(token, "expires_at"));
  return {
    identity: {
      userId: readText(field(field(token, "user"), "id")),
      projectId: readText(field(field(token, "project"), "id")),
      roles: roles.map((role: unknown) => readText(field(role, "name"))).filter((name) => name !== null),
    },
    lifetimeMs: issued === null || expires === null ? null : expires - issued,
  };
}

/**
 * ms since the epoch. Keystone's times are UTC in microseconds, and one that comes from the expiry of an application
 * credential lacks the Z (seen on Keystone 22).
 */
function readTime(value: unknown): number | null {
  if (typeof value !== "string") return null;
  const time = Date.parse(value.endsWith("Z") ? value : `${value}Z`);
  return Number.isNaN(time) ? null : time;
}

function readText(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
