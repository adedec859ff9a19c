/** The Fill's state in its own SQLite: written as it goes, since an object gets no word before it is put away. */
import { type FillState, newFill } from "./state.ts";
import { HEARTBEAT_MS } from "./times.ts";

const KEY = "fill";

export class AttemptStorage {
  readonly #storage: DurableObjectStorage;
  #alarmAt: number | null = null;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** What was written last; a new one for an image that this object knows nothing of. */
  read(imageId: string): FillState {
    return this.#storage.kv.get<FillState>(KEY) ?? newFill(imageId);
  }

  /** The image's id, if anything was ever written. */
  imageId(): string | null {
    return this.#storage.kv.get<FillState>(KEY)?.imageId ?? null;
  }

  /** The output gate holds back what is told to anybody until this is on disk. */
  write(state: FillState): void {
    this.#storage.kv.put(KEY, state);
  }

  /** Sets the alarm, unless it rings before anyway. @param at ms since the epoch, as is now */
  async wakeAt(at: number, now: number): Promise<void> {
    // One that should have rung by now is late, or lost: the platform gives an alarm up that failed six times.
    if (this.#alarmAt !== null && this.#alarmAt <= at && now < this.#alarmAt + HEARTBEAT_MS) return;
    this.#alarmAt = at;
    await this.#storage.setAlarm(at);
  }

  /** The alarm has rung. */
  rang(): void {
    this.#alarmAt = null;
  }

  /** Waits until all that was written is on disk. */
  async sync(): Promise<void> {
    await this.#storage.sync();
  }

  /** Nothing is left of this object then, its alarm included. */
  async forget(): Promise<void> {
    this.#alarmAt = null;
    await this.#storage.deleteAll();
  }
}
