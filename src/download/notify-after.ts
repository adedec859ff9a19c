/** Who wants to know of a download is told when it has ended, since only then it is known how much was sent. */

import { callerHeaders } from "../http/headers.ts";
import { notifyDownload } from "../notify/send.ts";
import type { Call } from "./call.ts";
import type { ImageHead } from "./decide.ts";

/** Tells of a download when it has ended. @param ended never rejects */
export function notifyAfter(
  { edge, request, target, watch }: Call,
  { record }: ImageHead,
  expected: number,
  sent: () => number,
  ended: Promise<unknown>,
): void {
  watch.sends(sent, ended);
  const { notifier } = edge;
  if (notifier === null) return;
  const told = ended.then(() =>
    notifyDownload(
      {
        imageId: target.imageId,
        ownerId: record.owner,
        bytesSent: sent(),
        expected,
        // Cloudflare's word for who connected; what a client says of itself is stripped or worth nothing.
        destinationIp: request.headers.get("cf-connecting-ip"),
        token: callerHeaders(request.headers).get("x-auth-token"),
      },
      notifier,
    ),
  );
  edge.background(told);
}
