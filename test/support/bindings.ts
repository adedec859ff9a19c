/** Real bindings that misbehave in one way, and a Fill that counts what it is asked. */
import type { Env } from "../../src/config.ts";
import { FillClient } from "../../src/fill/client.ts";
import type { Turn } from "../../src/fill/protocol.ts";
import { createLog } from "../../src/observe/log.ts";
import { bindings } from "./scenario.ts";

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

/** The Fill of an image. */
export function fillStub(imageId: string): ReturnType<Env["FILL"]["get"]> {
  return bindings.FILL.get(bindings.FILL.idFromName(imageId));
}

/** The Fill of an image as a reader calls it. */
export function fillClient(imageId: string): FillClient {
  return new FillClient(bindings.FILL, imageId, createLog({ test: true }));
}

export interface CountedTurn {
  readonly reader: string;
  /** ms since the epoch. */
  readonly at: number;
  readonly answer: Turn["do"];
}

/** The real Fills, with a note of each turn that was asked for. */
export function countTurns(): { readonly fills: Env["FILL"]; readonly turns: CountedTurn[] } {
  const turns: CountedTurn[] = [];
  const fills = new Proxy(bindings.FILL, {
    get(target, name) {
      if (name !== "get") {
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      }
      return (id: DurableObjectId) => counted(target.get(id), turns);
    },
  });
  return { fills, turns };
}

function counted(stub: ReturnType<Env["FILL"]["get"]>, turns: CountedTurn[]): ReturnType<Env["FILL"]["get"]> {
  const turn: typeof stub.turn = async (...question) => {
    const at = Date.now();
    const answer = await stub.turn(...question);
    turns.push({ reader: question[1].reader, at, answer: answer.do });
    return answer;
  };
  return new Proxy(stub, {
    get(target, name) {
      if (name === "turn") return turn;
      const value: unknown = Reflect.get(target, name);
      // An RPC method must be called on its stub.
      return typeof value === "function" ? (...args: unknown[]) => Reflect.apply(value, target, args) : value;
    },
  });
}
