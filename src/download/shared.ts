/**
 * A download of a whole image that is not committed: the loop of one reader of a fill. It reads what is stored, pulls
 * when nobody does, waits when somebody does, and takes the bytes from the origin by itself when the fill can't help.
 */
import type { FillClient } from "../fill/client.ts";
import type { Ask, Errand, Subject, Turn } from "../fill/protocol.ts";
import { Pull, type PullClient, type PullEnd } from "../fill/puller.ts";
import type { Log } from "../observe/log.ts";
import { ImageBody, type ImageSource, READ_BYTES } from "../origin/image-body.ts";
import { sliceAt, sliceCount, sliceStart } from "../store/slice-plan.ts";
import type { SliceStore } from "../store/slices.ts";
import { ClientBody } from "./client-body.ts";
import { FillSlices, Unfinishable } from "./fill-slices.ts";
import { gatedClient, isWrongImage } from "./gated-client.ts";

/** How long one question may wait at the Fill. */
const TURN_MS = 10_000;

/** How long a pull whose client left may take to end its slice. */
const ABANDON_MS = 5_000;

type PullTurn = Extract<Turn, { do: "pull" }>;

export interface SharedJob {
  readonly subject: Subject;
  readonly source: ImageSource;
  readonly errand: Errand;
  readonly fill: FillClient;
  readonly slices: SliceStore;
  readonly signal: AbortSignal;
  readonly log: Log;
}

export class SharedDownload {
  readonly client: ClientBody;
  readonly #job: SharedJob;
  readonly #reader = crypto.randomUUID();
  readonly #slices: FillSlices;
  #lastIsStored = false;
  /** Pulls of this download that run beside its reading. */
  readonly #beside: Promise<unknown>[] = [];
  #pullFailure: Error | null = null;
  /** The pull that the client got its first bytes from, and how many, once it reads from the store instead. */
  #detached: { readonly pull: Pull; readonly position: number } | null = null;

  constructor(job: SharedJob) {
    this.#job = job;
    this.client = new ClientBody(job.subject.size, 0);
    this.#slices = new FillSlices(job, this.client);
  }

  /** The first turn, without waiting: tells how the download begins. */
  firstTurn(): Promise<Turn> {
    return this.#job.fill.turn(this.#job.subject, this.#ask(), 0, this.#job.errand);
  }

  /** Gives back a turn to pull that can't be used, because the origin refused. */
  async decline(turn: PullTurn): Promise<void> {
    const { fill, log } = this.#job;
    await fill
      .lease(turn)
      .release(false)
      .catch((cause: unknown) => log.error("fill.unavailable", cause));
  }

  /**
   * Sends the image. Never throws: what can't be sent is cut and logged.
   * @param opened the origin's data from its first byte, when the first turn needed it
   */
  async run(first: Turn, opened: ImageBody | null): Promise<void> {
    const onAbort = () => void this.#job.fill.left(this.#reader);
    this.#job.signal.addEventListener("abort", onAbort, { once: true });
    try {
      await this.#loop(first, opened);
    } catch (cause) {
      opened?.cancel();
      const { signal, log, subject } = this.#job;
      if (!signal.aborted) log.error("download.cut", cause, { image_id: subject.imageId, sent: this.client.position });
      await this.client.cut(cause instanceof Error ? cause : new Error("the download failed"));
    } finally {
      this.#job.signal.removeEventListener("abort", onAbort);
      await Promise.allSettled(this.#beside);
      await this.#job.fill.left(this.#reader);
    }
  }

  async #loop(first: Turn, opened: ImageBody | null): Promise<void> {
    let turn = first;
    for (;;) {
      switch (turn.do) {
        case "read":
          this.#slices.join(turn);
          if (!(await this.#readStored(turn.stored))) return this.#alone(null);
          break;
        case "pull":
          this.#slices.join(turn);
          // Only a client without a byte can have its whole image digested on the way.
          if (turn.slice > 0 || this.client.position > 0) await this.#pullBeside(turn);
          else if ((await this.#pullForClient(turn, opened)) === "done") return;
          opened = null;
          break;
        case "finish":
          this.#requireOwnBytes();
          if (!(await this.#slices.send(sliceCount(this.#slices.plan())))) {
            throw new Unfinishable("the last slice is gone");
          }
          return this.client.end();
        case "cut":
          throw new Unfinishable(`the fill was given up: ${turn.why}`);
        case "alone":
          return this.#alone(opened);
        case "wait":
          break;
      }
      if (this.#job.signal.aborted) return;
      turn = await this.#job.fill.turn(this.#job.subject, this.#ask(), TURN_MS, this.#job.errand);
    }
  }

  #ask(): Ask {
    const reader = this.#reader;
    const { generation } = this.#slices;
    if (generation === null) return { reader, generation: null, need: { what: "slice", slice: 0 } };
    const slice = sliceAt(this.#slices.plan(), this.client.position);
    // The last slice is held back until the content is known to be right.
    const heldBack = this.#lastIsStored && slice === sliceCount(this.#slices.plan()) - 1;
    return {
      reader,
      // A client without a byte may as well begin with another generation.
      generation: heldBack || this.client.position > 0 ? generation : null,
      need: heldBack ? { what: "verdict" } : { what: "slice", slice },
    };
  }

  /** Sends what is stored, all but the last slice. @returns false when a slice can't be read */
  async #readStored(stored: number): Promise<boolean> {
    const count = sliceCount(this.#slices.plan());
    this.#lastIsStored = stored === count;
    return this.#slices.send(Math.min(stored, count - 1));
  }

  /** Pulls from the first byte on, through a digest gate to the client. @returns "done" when the client has all */
  async #pullForClient(turn: PullTurn, opened: ImageBody | null): Promise<"done" | "go-on"> {
    const pull = this.#newPull(turn, opened, gatedClient(this.#job.subject, this.client));
    const ended = this.#conclude(turn, pull.run());
    if ((await Promise.race([ended, pull.detached])) !== "detached") return "done";
    // The client did not keep up while others waited. The pull goes on beside it, and it reads on from the store.
    this.#detached = { pull, position: this.client.position };
    // How it ends the Fill tells this reader as well.
    this.#beside.push(ended.catch(() => undefined));
    return "go-on";
  }

  /** Tells the Fill what the digest gate of a pull from the first byte has seen. */
  async #conclude(turn: PullTurn, running: Promise<PullEnd>): Promise<void> {
    const { fill, subject } = this.#job;
    try {
      // A v1 download's gate knows the MD5 only: it can't speak for a fill that is about a stronger digest.
      if ((await running) === "stored" && turn.blob === subject.blob) await fill.agreed(turn.lease, turn.generation);
    } catch (cause) {
      if (isWrongImage(cause)) await fill.disagreed(turn.generation);
      throw cause;
    }
  }

  /**
   * Pulls from the middle on, beside the reading: what the client gets is what comes back out of the store, so that the
   * read-back speaks for the very bytes that it has.
   */
  async #pullBeside(turn: PullTurn): Promise<void> {
    if (this.#pullFailure !== null) {
      await this.decline(turn);
      throw this.#pullFailure;
    }
    const running = this.#newPull(turn, null, null)
      .run()
      .catch((cause: unknown) => {
        this.#pullFailure = cause instanceof Error ? cause : new Error("the pull failed");
      });
    this.#beside.push(running);
  }

  #newPull(turn: PullTurn, opened: ImageBody | null, client: PullClient | null): Pull {
    const { fill, slices, source, signal, log } = this.#job;
    const body = opened ?? new ImageBody(source);
    // The slice in hand may still be finished for others; an origin that has stalled must not keep the lease for it.
    signal.addEventListener("abort", () => void scheduler.wait(ABANDON_MS).then(() => body.cancel()), { once: true });
    return new Pull({
      plan: this.#slices.plan(),
      blob: turn.blob,
      generation: turn.generation,
      slice: turn.slice,
      body,
      slices,
      lease: fill.lease(turn),
      client,
      log,
      expired: () => signal.aborted,
    });
  }

  /**
   * What the client got from a pull of its own, before it was detached, must be what that pull stored: the verdict is
   * about the store.
   */
  #requireOwnBytes(): void {
    if (this.#detached === null) return;
    const { pull, position } = this.#detached;
    if (position > sliceStart(this.#slices.plan(), pull.ownEnd)) {
      throw new Unfinishable("others stored what this client got");
    }
  }

  /**
   * The rest of the image straight from the origin, through a digest gate. The digest must cover the very bytes that the
   * client has: they are read again from where they came from.
   */
  async #alone(opened: ImageBody | null): Promise<void> {
    const { subject, source } = this.#job;
    const start = this.client.position;
    const body = opened ?? new ImageBody(source);
    try {
      if (start > 0) this.#requireOwnBytes();
      const gate =
        start === 0
          ? this.#slices.newGate()
          : ((await this.#slices.gateFromStore(start)) ?? (await this.#slices.gateFromOrigin(start, body)));
      for (let at = start; at < subject.size; ) {
        const chunk = await body.read(at, READ_BYTES);
        at += chunk.byteLength;
        await gate.write(chunk);
      }
      await body.expectEnd();
      await gate.finish();
    } finally {
      body.cancel();
    }
    await this.client.end();
  }
}
