/**
 * The bytes of generated images: any part of any image can be computed from (seed, position) alone, so a 1 GiB image
 * costs neither memory nor disk, and a test can say what it must receive. Pure, no Node API: runs in workerd too.
 *
 * An image is a row of 64 KiB blocks. All blocks of a seed hold the same pseudo-random bytes, but for the first eight,
 * which carry the block's index: blocks that are swapped, repeated or left out show in every digest.
 */

const BLOCK_BYTES = 65_536;

/** Bytes at a block's start that hold its index, little-endian. */
const INDEX_BYTES = 8;

/** Templates kept: one per seed in use, 64 KiB each. */
const MAX_TEMPLATES = 64;

const templates = new Map<number, Uint8Array>();

/** The bytes [from, from + length) of the endless image of a seed. An image of `size` bytes is its beginning. */
export function virtualBytes(seed: number, from: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  fillVirtualBytes(bytes, seed, from);
  return bytes;
}

/** As {@link virtualBytes}, into the caller's memory. */
export function fillVirtualBytes(target: Uint8Array, seed: number, from: number): void {
  const template = templateOf(seed);
  for (let done = 0; done < target.length; ) {
    const at = from + done;
    const block = Math.floor(at / BLOCK_BYTES);
    const offset = at - block * BLOCK_BYTES;
    const length = Math.min(BLOCK_BYTES - offset, target.length - done);
    target.set(template.subarray(offset, offset + length), done);
    for (let i = offset; i < INDEX_BYTES && i < offset + length; i++) {
      target[done + i - offset] = Math.floor(block / 2 ** (8 * i)) % 256;
    }
    done += length;
  }
}

/** The seed of an image for which none was given: FNV-1a of its id, so that two images differ unless asked to agree. */
export function seedOf(imageId: string): number {
  let hash = 0x811c9dc5;
  for (const character of imageId) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}

function templateOf(seed: number): Uint8Array {
  const known = templates.get(seed);
  if (known !== undefined) return known;
  const words = new Uint32Array(BLOCK_BYTES / 4);
  // Marsaglia's xorshift32 (J. Stat. Software 8(14), 2003); the state must not be 0.
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  const template = new Uint8Array(words.buffer);
  const oldest = templates.keys().next();
  if (templates.size >= MAX_TEMPLATES && oldest.done !== true) templates.delete(oldest.value);
  templates.set(seed, template);
  return template;
}
