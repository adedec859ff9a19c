/** Images in a store that can't read from the middle, in front of any origin. */
import { createImage, type Image, NO_RANDOM_ACCESS, setFaults } from "./scenario.ts";

export const SIZE = 3_000_000;

export async function imageThere(faults: Readonly<Record<string, unknown>> = {}, size = SIZE): Promise<Image> {
  const image = await createImage({ size });
  await setThere(image, faults);
  return image;
}

export const setThere = (image: Image, faults: Readonly<Record<string, unknown>> = {}) =>
  setFaults(image.id, { ...NO_RANDOM_ACCESS, ...faults });
