/**
 * One request to Keystone's v3 API (docs.openstack.org/api-ref/identity/v3/), and how to tell Keystone's own word from that
 * of a web server in front of it.
 */

import * as v from "valibot";
import { readText } from "../http/read-text.ts";
import type { Endpoint } from "../lib/fetch.ts";
import { PlainObject, parseJson } from "../lib/json.ts";

/** Keystone did not answer, or not as Keystone does, or not to the edge. Its message holds no secret. */
export class KeystoneUnavailable extends Error {
  override readonly name = "KeystoneUnavailable";
}

/** A validation takes Keystone some 10 to 100 ms, and clients wait for it. */
const DEADLINE_MS = 5_000;

/** A token without its catalogue is some KB, with a few hundred roles some 50. Whatever is larger is no token. */
const MAX_BYTES = 2 ** 20;

/** What came back, whole. */
export interface KeystoneAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/**
 * One request to `/auth/tokens`, within 5 s, without the catalogue, which nobody here reads.
 * @throws KeystoneUnavailable when no answer came, or not to its end, or one of more than 1 MiB
 */
export async function askKeystone(
  keystone: Endpoint,
  init: Pick<RequestInit, "method" | "headers" | "body">,
): Promise<KeystoneAnswer> {
  try {
    const response = await keystone.fetch(`${keystone.url}/auth/tokens?nocatalog`, {
      ...init,
      cache: "no-store",
      // A redirect would take tokens to wherever it points.
      redirect: "manual",
      // Ends the body's coming as well.
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const text = await readText(response, "Keystone's answer", MAX_BYTES, DEADLINE_MS);
    return { status: response.status, headers: response.headers, text };
  } catch (cause) {
    throw new KeystoneUnavailable("Keystone did not answer", { cause });
  }
}

/** Keystone answered, but with what it never says. */
export function unexpected(status: number): KeystoneUnavailable {
  return new KeystoneUnavailable(`what answered with status ${status} at KEYSTONE_URL is no working Keystone`);
}

const Refusal = v.object({ error: PlainObject });

/** Whether the text is Keystone's way to say no, and not that of a web server in front of it. */
export function isRefusal(text: string): boolean {
  return v.is(Refusal, parseJson(text));
}
