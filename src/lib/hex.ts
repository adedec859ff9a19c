/** Lower-case hex, the form in which Glance states digests and R2 its etags. */
export function toHex(hash: ArrayBuffer): string {
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
