/** The stored images: sorted and filtered by the edge, a part of them at a time. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { api, type ImageRow, type ImagesAsked, type StateAnswer } from "./client.ts";
import { Dialog } from "./dialog.tsx";
import { bytes, count, counted } from "./format.ts";
import { ImageName, inWords } from "./image-name.tsx";
import { ImageTable, type Sorting } from "./image-table.tsx";
import { useLive } from "./live.ts";

const PART = 50;
/** What is stored changes the state as well, and that asks at once. */
const EVERY_MS = 20_000;
const TYPING_MS = 250;

interface Props {
  readonly token: string;
  readonly state: StateAnswer;
  readonly now: number;
  readonly onDone: (notice: string) => void;
}

type Asked = { readonly do: "clear" | "prune" } | { readonly do: "remove" | "pin"; readonly image: ImageRow };

export function StoredImages({ token, state, now, onDone }: Props) {
  const [sorting, setSorting] = useState<Sorting>({ sort: "last_accessed", order: "desc" });
  const [typed, setTyped] = useState("");
  const [filter, setFilter] = useState("");
  const [offset, setOffset] = useState(0);
  const [asked, setAsked] = useState<Asked | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => {
      setFilter(typed.trim());
      setOffset(0);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const { sort, order } = sorting;
  const ask = useCallback(() => {
    const wanted: ImagesAsked = { sort, order, filter, limit: PART, offset };
    return api.images(token, wanted);
  }, [token, sort, order, filter, offset]);
  const { data, failure, reload } = useLive(ask, () => EVERY_MS);
  const { count: images, bytes: size } = state.images ?? { count: 0, bytes: 0 };
  // Another count or size: something was stored, or has gone.
  useEffect(() => reload(), [images, size, reload]);
  // The last row of the last part was deleted.
  useEffect(() => {
    if (data !== null && offset > 0 && offset >= data.total) setOffset(Math.max(0, offset - PART));
  }, [data, offset]);

  const close = () => setAsked(null);
  const done = (notice: string) => {
    reload();
    onDone(notice);
  };
  const total = data?.total ?? 0;
  return (
    <section class="panel" aria-labelledby="images">
      <header>
        <h2 id="images">Stored images</h2>
        {data !== null && (
          <span class="muted">{filter === "" ? count(total) : `${count(total)} of ${count(images)}`}</span>
        )}
        <label class="filter">
          <span class="hidden">Filter by name or id</span>
          <input
            type="search"
            placeholder="Filter by name or id"
            maxLength={255}
            value={typed}
            onInput={({ currentTarget }) => setTyped(currentTarget.value)}
          />
        </label>
        <span class="buttons">
          <button type="button" onClick={() => setAsked({ do: "prune" })}>
            Prune…
          </button>
          <button type="button" disabled={images === 0} onClick={() => setAsked({ do: "clear" })}>
            Clear cache…
          </button>
        </span>
      </header>
      {failure !== null && <p class="problem">{failure.message}</p>}
      {data === null && failure === null && (
        <p class="empty" aria-busy="true">
          Asking…
        </p>
      )}
      {data?.total === 0 && (
        <p class="empty">
          {filter === ""
            ? "Nothing is stored yet. The first download of an image stores it."
            : `No stored image has “${filter}” in its name or id.`}
        </p>
      )}
      {data !== null && data.rows.length > 0 && (
        <ImageTable
          rows={data.rows}
          sorting={sorting}
          now={now}
          onSort={(next) => {
            setSorting(next);
            setOffset(0);
          }}
          onPin={(image) => setAsked({ do: "pin", image })}
          onRemove={(image) => setAsked({ do: "remove", image })}
        />
      )}
      {total > PART && (
        <nav class="parts" aria-label="Parts of the list of images">
          <button type="button" disabled={offset === 0} onClick={() => setOffset(Math.max(0, offset - PART))}>
            Previous
          </button>
          <span>
            {count(offset + 1)} to {count(Math.min(offset + PART, total))} of {count(total)}
          </span>
          <button type="button" disabled={offset + PART >= total} onClick={() => setOffset(offset + PART)}>
            Next
          </button>
        </nav>
      )}
      {asked?.do === "remove" && (
        <Dialog
          title="Delete from the cache"
          action="Delete"
          danger
          onClose={close}
          onConfirm={async () => {
            await api.remove(token, asked.image.image_id);
            done(`${inWords(asked.image.image_id, asked.image.name)} is deleted from the cache.`);
          }}
        >
          <ImageName id={asked.image.image_id} name={asked.image.name} />
          <p>
            {bytes(asked.image.size)}, {counted(asked.image.hits, "hit")}. Only the copy here goes: the image stays in
            Glance, and its next download fetches it again.
          </p>
        </Dialog>
      )}
      {asked?.do === "pin" && <Pin token={token} image={asked.image} onDone={done} onClose={close} />}
      {asked?.do === "clear" && (
        <Dialog
          title="Clear the cache"
          action="Clear cache"
          danger
          onClose={close}
          onConfirm={async () => {
            await api.clear(token, "cache");
            done("The cache is cleared.");
          }}
        >
          <p>
            All {counted(images, "stored image")}, {bytes(size)}, will go. They stay in Glance; each one's next download
            takes it over the origin's link again.
          </p>
        </Dialog>
      )}
      {asked?.do === "prune" && <Prune token={token} state={state} onDone={done} onClose={close} />}
    </section>
  );
}

interface PinProps extends Pick<Props, "token" | "onDone"> {
  readonly image: ImageRow;
  readonly onClose: () => void;
}

function Pin({ token, image, onDone, onClose }: PinProps) {
  const pins = image.pinned === null;
  return (
    <Dialog
      title={pins ? "Pin the image" : "Unpin the image"}
      action={pins ? "Pin" : "Unpin"}
      onClose={onClose}
      onConfirm={async () => {
        await api.pin(token, image.image_id, pins);
        onDone(`${inWords(image.image_id, image.name)} is ${pins ? "pinned" : "pinned no more"}.`);
      }}
    >
      <ImageName id={image.image_id} name={image.name} />
      <p>
        {pins
          ? "When room is needed it goes only where all others are not enough. The pin ends when the image is deleted from the cache."
          : image.pinned === "setting"
            ? "The setting PIN_IMAGES names it: the pin comes back when the edge next looks at its record."
            : "It goes as all others do when room is needed."}
      </p>
    </Dialog>
  );
}

interface PruneProps extends Pick<Props, "token" | "state" | "onDone"> {
  readonly onClose: () => void;
}

function Prune({ token, state, onDone, onClose }: PruneProps) {
  const { used, cap } = state.room;
  const over = (used ?? 0) - cap;
  return (
    <Dialog
      title="Prune the cache"
      action="Prune"
      danger={over > 0}
      onClose={onClose}
      onConfirm={async () => {
        const { files, bytes: freed } = await api.prune(token);
        onDone(files === 0 ? "Nothing was to be pruned." : `${counted(files, "image")} pruned, ${bytes(freed)}.`);
      }}
    >
      <p>
        {over > 0
          ? `The cache is ${bytes(over)} above its cap of ${bytes(cap)}: the least recently read images go until it is below it.`
          : `The cache is within its cap of ${bytes(cap)}, so that nothing will go. Pruning has work after CACHE_MAX_BYTES was lowered.`}
      </p>
    </Dialog>
  );
}
