/** /v2/images/{id}/members: with whom a shared image is shared (glance/api/v2/image_members.py). */
import { type Exchange, readJson, reply, replyJson } from "../http/exchange.ts";
import { HttpError } from "../http/webob-error.ts";
import type { Identity } from "../keystone/tokens.ts";
import { MAX_MEMBERS } from "../limits.ts";
import { findImage, mayChange } from "./access.ts";
import { type Image, isoSeconds, MEMBER_STATUSES, type Member } from "./image.ts";

/** As Glance's database has it (glance/db/sqlalchemy/models.py, ImageMember). */
const MAX_MEMBER_LENGTH = 255;

export function listMembers(exchange: Exchange, identity: Identity, id: string): void {
  const image = sharedImage(
    exchange,
    identity,
    id,
    `Not allowed to list members for image ${id}: Only shared images have members.`,
  );
  const members = [...image.members.values()].filter(
    (member) => mayChange(identity, image) || member.memberId === identity.projectId,
  );
  replyJson(exchange, 200, {
    members: members.map((member) => viewOf(image, member)),
    schema: "/v2/schemas/members",
  });
}

export async function addMember(exchange: Exchange, identity: Identity, id: string): Promise<void> {
  const memberId = await readText(exchange, "member", "Member to be added not specified");
  const refusal = `Not allowed to create members for image ${id}.`;
  const image = sharedImage(exchange, identity, id, refusal);
  if (!mayChange(identity, image)) throw new HttpError(403, refusal);
  if (image.members.has(memberId)) throw new HttpError(409, `Member ${memberId} is duplicated for image ${id}`);
  if (memberId.length > MAX_MEMBER_LENGTH) throw new HttpError(400, `Member ID ${memberId.slice(0, 20)}… is too long`);
  if (image.members.size >= MAX_MEMBERS) {
    throw new HttpError(413, `The maximum number of image members has been exceeded. Maximum: ${MAX_MEMBERS}`);
  }
  const now = new Date();
  const member: Member = { memberId, status: "pending", createdAt: now, updatedAt: now };
  image.members.set(memberId, member);
  replyJson(exchange, 200, viewOf(image, member));
}

export function showMember(exchange: Exchange, identity: Identity, id: string, memberId: string): void {
  const image = sharedImage(exchange, identity, id, `You are not authorized to lookup the members of the image ${id}.`);
  replyJson(exchange, 200, viewOf(image, findMember(image, memberId)));
}

export async function updateMember(
  exchange: Exchange,
  identity: Identity,
  id: string,
  memberId: string,
): Promise<void> {
  const text = await readText(exchange, "status", "Status not specified");
  const refusal = `Not allowed to update members for image ${id}.`;
  const image = sharedImage(exchange, identity, id, refusal);
  const member = findMember(image, memberId);
  // The member accepts or rejects; its owner may not do so for it.
  if (!identity.isAdmin && identity.projectId !== memberId) throw new HttpError(403, refusal);
  const status = MEMBER_STATUSES.find((one) => one === text);
  if (status === undefined) throw new HttpError(400, `Incorrect request: ${text} is no status of a member`);
  member.status = status;
  member.updatedAt = new Date();
  replyJson(exchange, 200, viewOf(image, member));
}

export function removeMember(exchange: Exchange, identity: Identity, id: string, memberId: string): void {
  const refusal = `Not allowed to delete members for image ${id}.`;
  const image = sharedImage(exchange, identity, id, refusal);
  if (!mayChange(identity, image)) throw new HttpError(403, refusal);
  findMember(image, memberId);
  image.members.delete(memberId);
  // Other than the API's other answers without a body it has no type.
  reply(exchange, 204, {}, "");
}

/** @param refusal of an image that is not shared. @throws HttpError 404, 403 */
function sharedImage(exchange: Exchange, identity: Identity, id: string, refusal: string): Image {
  const image = findImage(exchange, identity, id, `Image ${id} not found.`);
  if (image.fields.visibility !== "shared") throw new HttpError(403, refusal);
  return image;
}

function findMember(image: Image, memberId: string): Member {
  const member = image.members.get(memberId);
  if (member === undefined) {
    throw new HttpError(404, `${memberId} not found in the member list of the image ${image.id}.`);
  }
  return member;
}

function viewOf(image: Image, member: Member): unknown {
  return {
    member_id: member.memberId,
    image_id: image.id,
    status: member.status,
    created_at: isoSeconds(member.createdAt),
    updated_at: isoSeconds(member.updatedAt),
    schema: "/v2/schemas/member",
  };
}

async function readText(exchange: Exchange, name: string, missing: string): Promise<string> {
  const value = ((await readJson(exchange)) as Readonly<Record<string, unknown>>)[name];
  if (typeof value !== "string" || value === "") throw new HttpError(400, missing);
  return value;
}
