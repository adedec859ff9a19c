/** Records of images, as far as tests of pure code want them. */
import type { Traits } from "../../src/lib/selection.ts";

/** Nothing that a setting could select an image by. */
export const PLAIN: Traits = { owner: null, visibility: null, tags: [], properties: {} };
