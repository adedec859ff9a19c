/** The bindings and settings of wrangler.toml, as the tests inside workerd get them. */
import { env } from "cloudflare:workers";
import type { Env } from "../../src/settings.ts";

export const bindings = env as unknown as Env & { readonly ORIGIN_URL: string };

/** The control of this workerd's demo origin, without /_demo. */
export const { CONTROL_URL } = env as unknown as { readonly CONTROL_URL: string };

/** Something done by the origin's control. @throws Error when it refuses. @param path behind /_demo */
export async function control(method: string, path: string, body?: unknown): Promise<Response> {
  const response = await fetch(`${CONTROL_URL}/_demo${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`the demo origin refused: ${response.status} ${await response.text()}`);
  return response;
}
