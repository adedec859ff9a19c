/** The images that a Glance lists for who asks. */
import * as v from "valibot";
import { parseJson } from "../../src/lib/json.ts";
import { ask, NoAnswer } from "./ask.ts";

/** As much of a record as is judged. */
const Record = v.object({
  id: v.string(),
  name: v.nullish(v.string(), null),
  status: v.string(),
  size: v.nullish(v.number(), null),
  os_hash_algo: v.nullish(v.string(), null),
  os_hash_value: v.nullish(v.string(), null),
  checksum: v.nullish(v.string(), null),
  direct_url: v.nullish(v.string(), null),
  locations: v.nullish(v.array(v.object({ url: v.string() })), []),
});
export type ImageRecord = v.InferOutput<typeof Record>;

const Page = v.object({ images: v.array(Record), next: v.nullish(v.string(), null) });

/** More images than these say nothing new. */
const MAX_PAGES = 100;

/** @throws NoAnswer also when it is no list of images */
export async function listImages(glance: string, token: string): Promise<ImageRecord[]> {
  const images: ImageRecord[] = [];
  let path = "/v2/images?limit=1000";
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const { status, text } = await ask(glance + path, {
      headers: { "x-auth-token": token, accept: "application/json" },
    });
    if (status !== 200) throw new NoAnswer(`${glance}/v2/images says ${status}`);
    const page = v.safeParse(Page, parseJson(text));
    if (!page.success) throw new NoAnswer(`what ${glance}/v2/images says is no list of images`);
    images.push(...page.output.images);
    const { next } = page.output;
    if (next === null || page.output.images.length === 0) return images;
    path = next;
  }
  return images;
}

/** @returns null for one that is not there for who asks @throws NoAnswer */
export async function findImage(glance: string, token: string, id: string): Promise<ImageRecord | null> {
  const headers = { "x-auth-token": token, accept: "application/json" };
  const { status, text } = await ask(`${glance}/v2/images/${id}`, { headers });
  const record = v.safeParse(Record, parseJson(text));
  return status === 200 && record.success ? record.output : null;
}
