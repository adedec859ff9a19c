/** Keystone's token document: who a token speaks for, and for how long. Pure. */
import * as v from "valibot";
import { PlainObject, parseJson } from "../lib/json.ts";
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
  /** For people; null where the document does not say. */
  readonly userName: string | null;
  readonly projectName: string | null;
  /** From issue to expiry, in ms; null where the document does not say. */
  readonly lifetimeMs: number | null;
}

/** What a field says that is no text, or an empty one, counts as nothing: only the shape around it must be a token's. */
const Text = v.fallback(v.nullish(v.pipe(v.string(), v.nonEmpty())), null);
const Named = v.fallback(v.object({ name: Text }), { name: null });
const Owner = v.fallback(v.nullish(v.object({ id: Text, name: Text })), null);

/** docs.openstack.org/api-ref/identity/v3/, "Validate and show information for token". */
const Document = v.object({
  token: v.pipe(
    PlainObject,
    v.object({
      roles: v.nullish(v.array(Named), []),
      user: Owner,
      project: Owner,
      issued_at: Text,
      expires_at: Text,
    }),
  ),
});

/** Keystone's token, as it is shown after a log-in or a validation. @throws KeystoneUnavailable for any other text */
export function readToken(text: string): TokenDocument {
  const read = v.safeParse(Document, parseJson(text));
  if (!read.success) throw new KeystoneUnavailable("Keystone's answer is no token");
  const { roles, user, project, issued_at, expires_at } = read.output.token;
  const issued = readTime(issued_at ?? null);
  const expires = readTime(expires_at ?? null);
  return {
    identity: {
      userId: user?.id ?? null,
      projectId: project?.id ?? null,
      roles: (roles ?? []).map(({ name }) => name ?? null).filter((name) => name !== null),
    },
    userName: user?.name ?? null,
    projectName: project?.name ?? null,
    lifetimeMs: issued === null || expires === null ? null : expires - issued,
  };
}

/**
 * ms since the epoch. Keystone's times are UTC in microseconds, and one that comes from the expiry of an application
 * credential lacks the Z (seen on Keystone 22).
 */
function readTime(value: string | null): number | null {
  if (value === null) return null;
  const time = Date.parse(value.endsWith("Z") ? value : `${value}Z`);
  return Number.isNaN(time) ? null : time;
}
