/** The demo origin itself: what a download takes with nothing in between. */
import { dataPath, TOKEN } from "../origin.ts";
import { processMeter } from "./cpu.ts";
import type { Server, Site } from "./server.ts";

export async function origin({ origin, originUrl }: Site): Promise<Server> {
  return {
    meters: [processMeter("origin", origin.pid)],
    at: (image) => ({ url: originUrl + dataPath(image), token: TOKEN }),
    drop: (image) => origin.removeImage(image),
  };
}
