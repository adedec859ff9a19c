/** The tokens of a namespace: those that are always good, and those that its Keystone gave out. */
import { createHash, randomBytes } from "node:crypto";
import { MAX_TOKENS } from "../limits.ts";

export interface Identity {
  /** Ids are names. */
  readonly userId: string;
  readonly projectId: string;
  readonly roles: readonly string[];
  readonly isAdmin: boolean;
  readonly methods: readonly string[];
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

/** Glance's policy refuses downloads to who has it. */
export const BARRED_ROLE = "barred";

interface User {
  readonly project: string;
  /** With those that Keystone's bootstrap implies. */
  readonly roles: readonly string[];
}

/** A user's password is its name. */
export const USERS: Readonly<Record<string, User>> = {
  demo: { project: "demo", roles: ["member", "reader"] },
  other: { project: "other", roles: ["member", "reader"] },
  admin: { project: "admin", roles: ["admin", "member", "reader"] },
  barred: { project: "demo", roles: ["member", "reader", BARRED_ROLE] },
};

/** Keystone's default lifetime of a token, ms. */
const LIFETIME_MS = 3_600_000;

export class Tokens {
  readonly #issued = new Map<string, Identity>();

  constructor() {
    for (const user of Object.keys(USERS)) this.#issued.set(user, identityOf(user, ["password"]));
  }

  /** @returns null for a token that is unknown, revoked or too old */
  find(token: string): Identity | null {
    const identity = this.#issued.get(token);
    if (identity === undefined) return null;
    // The static ones are for use by hand and never end.
    return Object.hasOwn(USERS, token) || identity.expiresAt.getTime() > Date.now() ? identity : null;
  }

  issue(
    user: string,
    methods: readonly string[],
    lifetimeMs = LIFETIME_MS,
  ): { readonly token: string; readonly identity: Identity } {
    const token = `gAAAAA${randomBytes(96).toString("base64url")}`;
    const identity = identityOf(user, methods, lifetimeMs);
    this.#issued.set(token, identity);
    if (this.#issued.size > MAX_TOKENS) {
      const oldest = [...this.#issued.keys()].find((known) => !Object.hasOwn(USERS, known));
      if (oldest !== undefined) this.#issued.delete(oldest);
    }
    return { token, identity };
  }

  revoke(token: string): void {
    this.#issued.delete(token);
  }

  /** Revokes the one that has this name. @returns false when there is none */
  revokeNamed(name: string): boolean {
    const token = [...this.#issued.keys()].find((known) => nameOfToken(known) === name);
    return token !== undefined && this.#issued.delete(token);
  }
}

/** What a token is called where it must not be read: one that everybody knows is its own name, else a digest's beginning. */
export function nameOfToken(token: string): string {
  if (token === "" || Object.hasOwn(USERS, token)) return token;
  return `sha256:${createHash("sha256").update(token, "latin1").digest("hex").slice(0, 16)}`;
}

function identityOf(user: string, methods: readonly string[], lifetimeMs = LIFETIME_MS): Identity {
  const { project, roles } = USERS[user] ?? { project: user, roles: [] };
  const issuedAt = new Date();
  return {
    userId: user,
    projectId: project,
    roles,
    isAdmin: roles.includes("admin"),
    methods,
    issuedAt,
    expiresAt: new Date(issuedAt.getTime() + lifetimeMs),
  };
}
