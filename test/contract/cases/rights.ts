/** Which image is there for whom: its record, its data, and the edge's question for the right to it. */
import {
  CRASH,
  DATA,
  data,
  json,
  LARGE_DATA,
  NO_DATA,
  NO_DEACTIVATED,
  noImage,
  noMethod,
  notAuthorized,
  outside,
  UNAUTHORIZED_HEAD,
  unauthorized,
} from "../answers.ts";
import type { Caller, Case, Expected, State } from "../case.ts";
import { record } from "../record.ts";

/** A range that no image has: Glance refuses it to who may download, and opens no store. */
export const PROBE = "bytes=9223372036854775806-";

interface Row {
  readonly image: State;
  readonly who: Caller;
  readonly record: Expected;
  readonly data: Expected;
  readonly right: Expected;
}

const OF: Readonly<Record<State, string>> = {
  active: "a private image",
  large: "an image of many pieces",
  queued: "an image without data",
  empty: "an image of size 0",
  deactivated: "a deactivated image",
  deleted: "a deleted image",
  protected: "a protected image",
  shared: "an image shared with others",
  offered: "an image that is offered to it",
  accepted: "an image that it has accepted",
  rejected: "an image that it has rejected",
  community: "a community image",
  public: "a public image",
  unknown: "an unknown image",
};

const WHO: Readonly<Record<Caller, string>> = {
  demo: "the owner",
  other: "another project",
  admin: "an admin",
  barred: "who may see it and by the policy not download it",
  forger: "a bad token",
  nobody: "no token",
};

/** @param size of the image */
function may(image: State, who: Caller, bytes = DATA): Row {
  return { image, who, record: json(200, record(image)), data: data(bytes), right: outside(bytes.length) };
}

function hidden(image: State, who: Caller): Row {
  return { image, who, record: noImage(), data: noImage(), right: noImage() };
}

function refused(image: State, who: Caller): Row {
  return { image, who, record: unauthorized(), data: unauthorized(), right: unauthorized() };
}

const BARRED = notAuthorized("download_image");

const ROWS: readonly Row[] = [
  may("active", "demo"),
  may("active", "admin"),
  hidden("active", "other"),
  { ...may("active", "barred"), data: BARRED, right: BARRED },
  refused("active", "forger"),
  refused("active", "nobody"),
  may("large", "demo", LARGE_DATA),
  { ...may("queued", "demo"), data: NO_DATA, right: CRASH },
  { ...may("queued", "admin"), data: NO_DATA, right: CRASH },
  hidden("queued", "other"),
  may("empty", "demo", ""),
  may("empty", "admin", ""),
  hidden("empty", "other"),
  { ...may("deactivated", "demo"), data: NO_DEACTIVATED, right: NO_DEACTIVATED },
  { ...may("deactivated", "admin"), record: json(200, record("deactivated", { stores: "local" })) },
  { ...may("deactivated", "barred"), data: NO_DEACTIVATED, right: NO_DEACTIVATED },
  hidden("deactivated", "other"),
  ...(["demo", "admin", "other"] as const).map((who) => hidden("deleted", who)),
  ...(["demo", "admin"] as const).map((who) => hidden("unknown", who)),
  refused("unknown", "nobody"),
  hidden("shared", "other"),
  may("offered", "other"),
  may("accepted", "other"),
  // What it has rejected is in no list of its own, and is there for it all the same.
  may("rejected", "other"),
  may("community", "other"),
  may("public", "other"),
  refused("public", "nobody"),
];

export const RIGHTS: readonly Case[] = ROWS.flatMap((row) => {
  const { image, who: as } = row;
  const whose = `${WHO[as]}, of ${OF[image]}`;
  const head = row.record.status === 401 ? UNAUTHORIZED_HEAD : noMethod("HEAD", "GET, PUT");
  return [
    { name: `the record, to ${whose}`, image, as, ask: "GET /v2/images/{id}", answer: row.record },
    { name: `the data, to ${whose}`, image, as, ask: "GET /v2/images/{id}/file", answer: row.data },
    {
      name: `the question for the right, by ${whose}`,
      image,
      as,
      ask: "GET /v2/images/{id}/file",
      headers: { range: PROBE },
      answer: row.right,
    },
    { name: `HEAD of the data, by ${whose}`, image, as, ask: "HEAD /v2/images/{id}/file", answer: head },
  ];
});
