/** The images that `npm start` has to show: a small one, and one of several slices. */
import { generateImage } from "./control/generate.ts";
import type { Namespace } from "./namespace.ts";

export const SMALL_IMAGE = { id: "5eed0000-0000-4000-8000-000000000001", name: "demo-small", size: 2 ** 20 + 17 };
export const LARGE_IMAGE = {
  id: "5eed0000-0000-4000-8000-000000000002",
  name: "demo-large",
  size: 40 * 2 ** 20 + 4321,
};

export async function seedImages(namespace: Namespace): Promise<void> {
  const never = new AbortController().signal;
  for (const { id, name, size } of [SMALL_IMAGE, LARGE_IMAGE]) {
    const image = await generateImage(id, { name, size, owner: "admin", visibility: "public" }, never);
    namespace.addImage(image);
  }
}
