/** Real bindings that misbehave in one way, and Fills that count what they are asked. */
import { runInDurableObject } from "cloudflare:test";
import { FillClient } from "../../src/fill/client.ts";
import type { Fill } from "../../src/fill/object/fill.ts";
import type { Answer, Ask } from "../../src/fill/protocol.ts";
import { createLog } from "../../src/lib/log.ts";
import type { Env } from "../../src/settings.ts";
import { bindings } from "./env.ts";

/** The real bucket with some of its methods replaced. */
export function bucketBut(replaced: Partial<Record<keyof R2Bucket, unknown>>): R2Bucket {
  return new Proxy(bindings.BUCKET, {
    get(target, name) {
      if (name in replaced) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The number of the slice in an R2 key. */
export function sliceOf(key: string): number {
  return Number(key.slice(key.lastIndexOf("/") + 1));
}

/** wrangler.toml names the class; the binding's own type does not. */
const fills = bindings.FILL as DurableObjectNamespace<Fill>;

/** The Fill of an image. */
export function fillStub(imageId: string): DurableObjectStub<Fill> {
  return fills.get(fills.idFromName(imageId));
}

/** Resets an image's Fill as the platform does it: nobody is asked before. */
export async function resetFill(imageId: string): Promise<void> {
  const resetting = runInDurableObject(fillStub(imageId), (_, ctx) => {
    ctx.abort("reset by the test");
  });
  // The call ends with the object, or does not end.
  await Promise.race([resetting.catch(() => undefined), scheduler.wait(200)]);
}

/** The Fill of an image as a reader calls it. */
export function fillClient(imageId: string): FillClient {
  return new FillClient(fills, imageId, createLog({ test: true }));
}

/** The real Fills, with a note of whose were reached for. @param answers whether they do */
export function reachedFills(answers: () => boolean = () => true): {
  readonly fills: Env["FILL"];
  readonly reached: string[];
} {
  const reached: string[] = [];
  const noting = new Proxy(fills, {
    get(target, name) {
      if (name === "idFromName") {
        return (imageId: string) => {
          reached.push(imageId);
          return target.idFromName(imageId);
        };
      }
      if (name === "get" && !answers()) {
        return () => new Proxy({}, { get: () => () => Promise.reject(new Error("no route to it")) });
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { fills: noting, reached };
}

interface CountedAsk {
  readonly ask: Ask;
  /** ms since the epoch. */
  readonly at: number;
  readonly answer: Answer["do"];
}

export interface CountedFills {
  readonly fills: Env["FILL"];
  readonly asks: CountedAsk[];
}

/** The real Fills, with a note of each question of a reader. @param before runs before each question, and may wait */
export function countAsks(before: (ask: Ask) => Promise<void> = async () => undefined): CountedFills {
  const asks: CountedAsk[] = [];
  const counting = new Proxy(fills, {
    get(target, name) {
      if (name === "get") return (id: DurableObjectId) => counted(target.get(id), asks, before);
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { fills: counting, asks };
}

function counted(
  stub: DurableObjectStub<Fill>,
  asks: CountedAsk[],
  before: (ask: Ask) => Promise<void>,
): DurableObjectStub<Fill> {
  const follow = async (ask: Ask, waitMs: number): Promise<Answer> => {
    const at = Date.now();
    await before(ask);
    // What a stub gives is typed as a thing that can be disposed of as well, which an answer need not be.
    const answer = (await stub.follow(ask, waitMs)) as Answer;
    asks.push({ ask, at, answer: answer.do });
    return answer;
  };
  return new Proxy(stub, {
    get(target, name) {
      if (name === "follow") return follow;
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      // An RPC method must be called on its stub.
      return (...args: unknown[]) => Reflect.apply(value, target, args);
    },
  });
}
