/** One download, measured by its client. */
import { createHash } from "node:crypto";

export interface Download {
  readonly status: number;
  readonly cacheStatus: string;
  readonly firstByteMs: number;
  readonly ms: number;
  readonly bytes: number;
  /** Hex; of what came. */
  readonly sha512: string;
  /** Why it did not come to its end; null: it did. */
  readonly cut: string | null;
}

export interface Source {
  readonly url: string;
  readonly token: string;
}

/**
 * @param hash goes on with what came before
 * @param from where to begin
 */
export async function download(
  { url, token }: Source,
  imageId: string,
  { hash = createHash("sha512"), from = 0, digest = true } = {},
): Promise<Download> {
  const begun = performance.now();
  let firstByteMs = Number.NaN;
  let bytes = 0;
  let status = 0;
  let cacheStatus = "";
  let cut: string | null = null;
  try {
    const headers: Record<string, string> = { "x-auth-token": token, ...(from > 0 && { range: `bytes=${from}-` }) };
    const response = await fetch(`${url}/v2/images/${imageId}/file`, { headers });
    status = response.status;
    cacheStatus = response.headers.get("cache-status") ?? "";
    for await (const chunk of response.body ?? []) {
      if (bytes === 0) firstByteMs = performance.now() - begun;
      bytes += chunk.length;
      if (digest) hash.update(chunk);
    }
    const length = Number(response.headers.get("content-length"));
    if (bytes !== length) cut = `${bytes} of ${length} bytes`;
  } catch (error) {
    cut = error instanceof Error ? error.message : String(error);
  }
  const ms = performance.now() - begun;
  return { status, cacheStatus, firstByteMs, ms, bytes, sha512: digest ? hash.copy().digest("hex") : "", cut };
}

export function megabytesPerSecond({ bytes, ms }: Download): number {
  return bytes / 1000 / ms;
}
