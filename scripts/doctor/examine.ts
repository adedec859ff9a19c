/** All that the doctor looks at, in order: Glance and its images, and what an edge makes of them if there is one. */
import { NoAnswer } from "./ask.ts";
import { downloadsLead, isAt, uploadsGoRound } from "./catalog.ts";
import { download } from "./download.ts";
import { givesRanges, isKept, isWell, mayDownload, type Subject } from "./edge.ts";
import { type Finding, no, unknown } from "./finding.ts";
import { answersAsGlance } from "./glance.ts";
import { findImage, type ImageRecord, listImages } from "./images.ts";
import { digestOf, digestsThere, imagesFit, smallest } from "./inventory.ts";
import { logIn, type Session } from "./keystone.ts";
import { hitsAreFaster, linesDiffer, type Measured } from "./line.ts";
import { novaAsks, novaDownloads } from "./nova-conf.ts";
import type { Options } from "./options.ts";

const LISTED = "who asks may list images";
const EDGE = "the edge answers";

/** @param novaConf text of nova.conf; null: none is given */
export async function examine(options: Options, novaConf: string | null): Promise<Finding[]> {
  const { edge, cap, imageMax, originMbit, siteMbit } = options;
  const session = await logIn(options.account);
  const findings = [session.finding];
  const glance = options.glance ?? glanceOf(session, edge);
  if (glance === null) findings.push(unknown("Glance answers", "its own address is not known", "Give --glance URL."));
  else
    findings.push(
      await answersAsGlance("Glance answers", glance, "Is that Glance's address, and reachable from here?"),
    );

  const through = glance ?? edge;
  const images = await list(through, session.token, findings);
  if (images !== null) findings.push(digestsThere(images), imagesFit(images, cap, imageMax));
  findings.push(novaDownloads(novaConf, images), linesDiffer(originMbit, siteMbit));
  if (edge === null) return findings;

  const answers = await answersAsGlance(EDGE, edge, "Is it deployed, and does its route lead there?");
  findings.push(answers);
  if (answers.verdict === "NO") return findings;
  findings.push(await isWell(edge), downloadsLead(edge, session.endpoints), uploadsGoRound(edge, session.endpoints));
  const asks = novaAsks(novaConf, edge);
  if (asks !== null) findings.push(asks);
  const subject = await choose(options.image, images, through, session.token);
  if (subject === null) {
    findings.push(
      unknown(
        "a download is right",
        "no active image with a digest to try",
        "Give --image ID, and who may download it.",
      ),
    );
    return findings;
  }
  findings.push(await mayDownload(edge, subject));
  const [kept, hit] = await isKept(edge, subject);
  findings.push(kept, await givesRanges(edge, subject));
  if (hit !== null) findings.push(hitsAreFaster(hit, await measure(glance, subject)));
  return findings;
}

/** The catalogue's own Glance: an endpoint that is not the edge, the public one first. */
function glanceOf({ endpoints }: Session, edge: string | null): string | null {
  const others = (endpoints ?? []).filter((endpoint) => edge === null || !isAt(edge, endpoint));
  return (others.find((endpoint) => endpoint.interface === "public") ?? others[0])?.url ?? null;
}

/** @returns null, with a finding, when they can't be listed */
async function list(base: string | null, token: string | null, findings: Finding[]): Promise<ImageRecord[] | null> {
  if (base === null || token === null) return null;
  try {
    return await listImages(base, token);
  } catch (cause) {
    if (!(cause instanceof NoAnswer)) throw cause;
    findings.push(
      no(LISTED, cause.message, "Give a user who may list images; one with the role admin or reader sees most."),
    );
    return null;
  }
}

async function choose(
  wanted: string | null,
  images: readonly ImageRecord[] | null,
  base: string | null,
  token: string | null,
): Promise<Subject | null> {
  if (base === null || token === null) return null;
  const image = wanted === null ? smallest(images ?? []) : await findImage(base, token, wanted);
  const digest = image === null ? null : digestOf(image);
  return image === null || digest === null ? null : { image, digest, token };
}

/** Glance's own speed; null where it can't be had. */
async function measure(glance: string | null, { image, digest, token }: Subject): Promise<Measured | null> {
  if (glance === null) return null;
  try {
    const got = await download(`${glance}/v2/images/${image.id}/file`, token, digest);
    return got.status === 200 ? got : null;
  } catch (cause) {
    if (cause instanceof NoAnswer) return null;
    throw cause;
  }
}
