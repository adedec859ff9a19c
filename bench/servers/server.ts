/** What the cases of a run know of whoever serves images in it: the edge, a floor or a peer. */
import type { Processes } from "../../test/openstack/lib/processes.ts";
import type { Bench } from "../bench.ts";
import type { Image } from "../origin.ts";

export interface Meter {
  /** Of the process, or of the program whose processes they are. */
  readonly name: string;
  /** CPU seconds (user and system) used so far. */
  cpuSeconds(): number;
}

interface Target {
  readonly url: string;
  readonly token: string;
}

export interface Server {
  readonly meters: readonly Meter[];
  /** What it keeps on disk is in there. */
  readonly directory?: string;
  /** Where clients find an image. */
  at(image: Image): Target;
  /** What is timed in place of clients, where nobody reads. */
  work?(image: Image): Promise<void>;
  /** What comes are as many bytes, and others. */
  readonly otherBytes?: boolean;
  /** How it says in Cache-Status that an image was kept, or was not. Not there: it does not say. */
  readonly says?: { readonly kept: RegExp; readonly fresh: RegExp };
  /** Has the image kept, and waits until nothing is at work any more. Not there: it keeps nothing. */
  keep?(image: Image): Promise<void>;
  /** What has to be there before a first download. */
  prepare?(image: Image): Promise<void>;
  /** Has the image forgotten, here and at the origin, and waits until nothing is at work any more. */
  drop(image: Image): Promise<void>;
}

/** What a way to the origin is made with. */
export interface Way extends Bench {
  /** A directory for what this case keeps. */
  readonly directory: string;
  readonly processes: Processes;
  /** Downloads once, and compares the SHA-512. @throws WrongBytes */
  readonly verify: (server: Server, image: Image, clients?: number) => Promise<void>;
  /** Has something ended with the case. */
  readonly atEnd: (end: () => void | Promise<void>) => void;
}

/** What a server is started with. */
export interface Site extends Way {
  /** Where servers find the origin. */
  readonly originUrl: string;
}
