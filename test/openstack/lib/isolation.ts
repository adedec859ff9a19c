/**
 * Who gets which image's data: all callers there are, of images in each state. What a Glance gives each of them is what its edge,
 * or a relay before that, must give them, whether the image is kept there or not, whole and in a part.
 */
import type { State, World } from "../../contract/case.ts";
import { issueToken, revokeToken } from "./keystone.ts";

/**
 * `reader` and `barred` are of the owner's project: the one has the reader's role alone, and the policy `download_image` refuses
 * the other's. `other` is of another one, and where an image is offered, its member.
 */
export const CALLERS = [
  "demo",
  "reader",
  "barred",
  "other",
  "admin",
  "bad token",
  "no token",
  "revoked token",
  "token revoked after use",
] as const;
export type Caller = (typeof CALLERS)[number];

const OWNERS: readonly Caller[] = ["demo", "reader", "admin"];
const EVERYBODY: readonly Caller[] = [...OWNERS, "other"];

/** Who gets the data, by the image's state. */
export const DATA_TO = {
  active: OWNERS,
  shared: OWNERS,
  offered: EVERYBODY,
  accepted: EVERYBODY,
  rejected: EVERYBODY,
  community: EVERYBODY,
  public: EVERYBODY,
  deactivated: ["admin"],
  deleted: [],
  queued: [],
} as const satisfies Partial<Record<State, readonly Caller[]>>;
export type ImageState = keyof typeof DATA_TO;
const STATES = Object.keys(DATA_TO) as readonly ImageState[];

export const OF: Readonly<Record<ImageState, string>> = {
  active: "a private image",
  shared: "a shared image without members",
  offered: "a shared image with a pending member",
  accepted: "a shared image with a member",
  rejected: "a shared image whose member rejected it",
  community: "a community image",
  public: "a public image",
  deactivated: "a deactivated image",
  deleted: "a deleted image",
  queued: "an image without data",
};

/** How an image may be when it is asked for; a queued one has nothing to keep. */
export const CELLS = STATES.flatMap((state) =>
  [false, true].filter((kept) => !(kept && state === "queued")).map((kept) => ({ state, kept })),
);

/** Bytes `from` to `to`, the latter exclusive: of the images that test/contract makes, which have 26. */
export const PART = { from: 3, to: 6, header: "Range: bytes=3-5" } as const;

/** Tokens of {@link CALLERS}; null: none is sent. */
export class Tokens {
  readonly #world: Pick<World, "url" | "keystoneUrl" | "tokenOf">;
  readonly #revoked = new Map<Caller, Promise<string>>();

  constructor(world: Pick<World, "url" | "keystoneUrl" | "tokenOf">) {
    this.#world = world;
  }

  async of(caller: Caller): Promise<string | null> {
    switch (caller) {
      case "no token":
        return null;
      case "bad token":
        return "nonsense";
      case "reader":
      case "revoked token":
      case "token revoked after use": {
        const token = this.#revoked.get(caller) ?? this.#make(caller);
        this.#revoked.set(caller, token);
        return token;
      }
      default:
        return this.#world.tokenOf(caller);
    }
  }

  async #make(caller: Caller): Promise<string> {
    const { url, keystoneUrl } = this.#world;
    const token = await issueToken(keystoneUrl, caller === "reader" ? "reader" : "demo");
    if (caller === "reader") return token;
    if (caller === "token revoked after use") {
      const response = await fetch(`${url}/v2/images?limit=1`, { headers: { "x-auth-token": token } });
      await response.body?.cancel();
      if (!response.ok) throw new Error(`a new token is refused: ${response.status}`);
    }
    await revokeToken(keystoneUrl, token);
    return token;
  }
}
