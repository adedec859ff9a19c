/** With whom an image is shared. */
import { DATA, data, json, NOTHING, noImage, refusal } from "../answers.ts";
import type { Case } from "../case.ts";

const IMAGE = "/v2/images/{id}";
const JSON_TYPE = { "content-type": "application/json" };
const SHARED_ONLY = "Not allowed to list members for image {id}: Only shared images have members.";

const member = (status: string) => ({
  member_id: "{other}",
  image_id: "{id}",
  status,
  created_at: "{time}",
  updated_at: "{time}",
  schema: "/v2/schemas/member",
});

export const MEMBERS: readonly Case[] = [
  {
    name: "a shared image is offered, accepted and taken back",
    image: "shared",
    ask: `POST ${IMAGE}/members`,
    headers: JSON_TYPE,
    body: '{"member":"{other}"}',
    answer: json(200, member("pending")),
    after: [
      { as: "other", ask: `GET ${IMAGE}/file`, answer: data(DATA) },
      {
        as: "other",
        ask: `PUT ${IMAGE}/members/{other}`,
        headers: JSON_TYPE,
        body: '{"status":"accepted"}',
        answer: json(200, member("accepted")),
      },
      {
        ask: `GET ${IMAGE}/members`,
        answer: json(200, { members: [member("accepted")], schema: "/v2/schemas/members" }),
      },
      {
        ask: `DELETE ${IMAGE}/members/{other}`,
        answer: { ...NOTHING, headers: { "content-length": "0", "x-openstack-request-id": "req-{uuid}" } },
      },
      { as: "other", ask: `GET ${IMAGE}/file`, answer: noImage() },
    ],
  },
  { name: "a private image has no members", ask: `GET ${IMAGE}/members`, answer: refusal(403, SHARED_ONLY) },
];
