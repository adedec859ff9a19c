/** Whether two are about the same content: records of one image may differ in what they say of it, and by API version. */

import type { Subject } from "../protocol.ts";

/** How a download stands to a fill that was begun with another view of the record: v1 knows no digest but the MD5. */
export function compare(filling: Subject, asked: Subject): "same" | "weaker" | "other" {
  if (isSame(filling, asked)) return "same";
  // The fill knows less than the asker does: its gate is about the MD5 only.
  const weaker = filling.digest.algorithm === "md5" && asked.checksum === filling.digest.hex;
  return weaker && filling.size === asked.size ? "weaker" : "other";
}

/** Whether a fill gives what a download asks for. */
export function isSame(filling: Subject, asked: Subject): boolean {
  if (filling.size !== asked.size) return false;
  const { algorithm, hex } = asked.digest;
  if (filling.digest.algorithm === algorithm) return filling.digest.hex === hex;
  return algorithm === "md5" && filling.checksum === hex;
}
