/**
 * The client of a pull from the first byte on: every chunk goes through a digest gate, so that the client's own bytes are
 * proven, and with them what the pull stored.
 */
import type { Subject } from "../fill/protocol.ts";
import type { PullClient } from "../fill/puller.ts";
import { ImageBodyError } from "../origin/image-body.ts";
import type { ClientBody } from "./client-body.ts";
import { DigestGate, DigestMismatch } from "./digest-gate.ts";

/** @returns a client whose `finish` ends the body, or throws DigestMismatch */
export function gatedClient(subject: Subject, client: ClientBody): PullClient {
  const gate = new DigestGate(subject.digest, subject.size, client);
  let attached = true;
  return {
    deliver: (chunk) => (attached ? gate.write(chunk) : gate.absorb(chunk)),
    detach: () => {
      attached = false;
    },
    finish: async () => {
      if (!attached) return gate.check();
      await gate.finish();
      await client.end();
    },
  };
}

/** Whether a failure says that the origin's data is not what its record says, rather than that it did not arrive. */
export function isWrongImage(cause: unknown): boolean {
  return cause instanceof DigestMismatch || (cause instanceof ImageBodyError && cause.problem.reason === "long");
}
