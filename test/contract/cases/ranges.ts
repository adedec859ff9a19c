/** Parts of an image: which Range is taken for what, and what is refused before a store is opened, in every kind of store. */
import { CRASH, DATA, data, json, outside, part, refusal, unsatisfiable } from "../answers.ts";
import type { Case, Expected } from "../case.ts";
import { record } from "../record.ts";
import { PROBE } from "./rights.ts";

const SIZE = DATA.length;
const FILE = "GET /v2/images/{id}/file";
const INVALID = unsatisfiable("Invalid Range header.");

/** Field, value, and the part [from, to) that Glance takes it for. */
const TAKEN: readonly (readonly [string, string, number, number])[] = [
  ["range", "bytes=3-5", 3, 6],
  ["range", "bytes=0-0", 0, 1],
  ["range", "bytes=25-25", 25, SIZE],
  ["range", "bytes=0-25", 0, SIZE],
  ["range", "bytes=0-", 0, SIZE],
  ["range", "bytes=20-", 20, SIZE],
  ["range", "bytes=20-900", 20, SIZE],
  ["range", "bytes=-4", 22, SIZE],
  ["range", "bytes=-0", 0, SIZE],
  ["range", "bytes=-100", 0, SIZE],
  ["range", "bytes = 1 - 2", 1, 3],
  ["range", "BYTES=1-2", 1, 3],
  ["range", "bytes=1-2x", 1, 3],
  ["content-range", "bytes 3-5/*", 3, 6],
  ["content-range", `bytes 3-5/${SIZE}`, 3, 6],
];

const MANY =
  "Requests with multiple ranges are not supported in Glance. You may make multiple single-range requests instead.";

const REFUSED: readonly (readonly [string, string, Expected])[] = [
  ["range", "bytes=0-1,3-4", refusal(400, MANY)],
  ["range", `bytes=${SIZE}-`, outside(SIZE)],
  ["range", `bytes=${SIZE}-${SIZE + 9}`, outside(SIZE)],
  ...["9223372036854775806", "9223372036854775807", "18446744073709551616", "99999999999999999999999999"].map(
    (start) => ["range", `bytes=${start}-`, outside(SIZE)] as const,
  ),
  // An end before the start, in digits that no double tells apart.
  ["range", "bytes=9223372036854775807-9223372036854775806", INVALID],
  ["range", "bytes=5-3", INVALID],
  ["range", "items=0-1", INVALID],
  ["range", "bytes=abc", INVALID],
  ["range", "junk", INVALID],
  ["range", "bytes=-", CRASH],
  ["content-range", "junk", unsatisfiable("Invalid Content-Range header.")],
  [
    "content-range",
    "bytes 3-30/*",
    unsatisfiable(
      "Invalid stop position in Content-Range header. The stop position MUST be in the inclusive range [0, 25].",
    ),
  ],
  ["content-range", "bytes */26", CRASH],
];

export const RANGES: readonly Case[] = [
  ...TAKEN.map(([name, value, from, to]) => ({
    name: `${name} "${value}" is a part where the store can read from the middle, and its refusal where it can't`,
    ask: FILE,
    headers: { [name]: value },
    answer: part(from, to),
  })),
  ...REFUSED.map(([name, value, answer]) => ({
    name: `${name} "${value}" is refused by Glance itself`,
    ask: FILE,
    headers: { [name]: value },
    answer,
  })),
  {
    name: "Range goes before Content-Range",
    ask: FILE,
    headers: { range: "bytes=0-1", "content-range": "bytes 3-5/*" },
    answer: part(0, 2),
  },
  {
    name: "If-Range is not looked at",
    ask: FILE,
    headers: { range: "bytes=0-1", "if-range": '"x"' },
    answer: part(0, 2),
  },
  {
    name: "an admin's part of a deactivated image is a part like any other",
    image: "deactivated",
    as: "admin",
    ask: FILE,
    headers: { range: "bytes=3-5" },
    answer: part(3, 6),
  },
  ...["bytes=0-0", "bytes=3-"].map(
    (range): Case => ({
      name: `range "${range}" of an image without data fails`,
      image: "queued",
      ask: FILE,
      headers: { range },
      answer: CRASH,
    }),
  ),
  ...["bytes=0-0", "bytes=0-", "bytes=-0", PROBE].map(
    (range): Case => ({
      name: `range "${range}" of an image of size 0 begins behind its end`,
      image: "empty",
      ask: FILE,
      headers: { range },
      answer: outside(0),
    }),
  ),
  {
    // No part of it is read from the middle.
    name: "the last bytes of an image of size 0 are none",
    image: "empty",
    ask: FILE,
    headers: { range: "bytes=-5" },
    answer: { ...data("", 0), headers: { ...data("", 0).headers, "content-range": "bytes 0--1/0" } },
  },
  {
    name: "a part of the record is no such thing",
    ask: "GET /v2/images/{id}",
    headers: { range: "bytes=0-1" },
    answer: json(200, record("active")),
  },
];
