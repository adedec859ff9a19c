/** Images that wait to be fetched without a download, and how one gets there. */
import { useState } from "preact/hooks";
import { api, type QueuedRow, type StateAnswer } from "./client.ts";
import { Dialog } from "./dialog.tsx";
import { ago, counted, date, duration } from "./format.ts";
import { ImageName, inWords } from "./image-name.tsx";
import { useNames } from "./names.ts";

interface Props {
  readonly token: string;
  readonly queue: StateAnswer["queue"];
  readonly now: number;
  /** Something was done: what is said of it. */
  readonly onDone: (notice: string) => void;
}

type Asked = { readonly do: "add" } | { readonly do: "clear" } | { readonly do: "remove"; readonly id: string };

const ID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";

export function Queue({ token, queue, now, onDone }: Props) {
  const [asked, setAsked] = useState<Asked | null>(null);
  const names = useNames(token, queue?.rows.map(({ image_id }) => image_id) ?? []);
  const close = () => setAsked(null);
  const rows = queue?.rows ?? [];
  const failing = queue === null || queue.failing === 0 ? "" : `, ${queue.failing} failing`;
  return (
    <section class="panel" aria-labelledby="queue">
      <header>
        <h2 id="queue">Queue</h2>
        {queue !== null && queue.count > 0 && (
          <span class="muted">
            {queue.count}
            {failing}
          </span>
        )}
        <span class="buttons">
          <button type="button" onClick={() => setAsked({ do: "add" })}>
            Queue an image…
          </button>
          <button type="button" disabled={!queue?.count} onClick={() => setAsked({ do: "clear" })}>
            Clear queue…
          </button>
        </span>
      </header>
      {queue === null && <p class="empty">Not known now.</p>}
      {queue?.count === 0 && (
        <p class="empty">The queue is empty. Queue images to have them here before anybody boots them.</p>
      )}
      {rows.length > 0 && (
        <ul class="queue">
          {rows.map((row) => (
            <li key={row.image_id} class="split">
              <div>
                <ImageName id={row.image_id} name={names.get(row.image_id) ?? null} />
                <p class="facts">
                  <span title={date(row.queued_at)}>queued {ago(row.queued_at, now)}</span>
                  <span>{waits(row, now)}</span>
                  {row.attempts > 0 && <span class="bad">{counted(row.attempts, "failed attempt")}</span>}
                </p>
                {row.last_error !== null && <p class="bad reason">{row.last_error}</p>}
              </div>
              <button
                type="button"
                aria-label={`Remove ${inWords(row.image_id, names.get(row.image_id) ?? null)} from the queue`}
                onClick={() => setAsked({ do: "remove", id: row.image_id })}
              >
                Remove…
              </button>
            </li>
          ))}
        </ul>
      )}
      {queue !== null && queue.count > rows.length && (
        <p class="empty">and {counted(queue.count - rows.length, "more image")}.</p>
      )}
      {asked?.do === "add" && <Add token={token} onDone={onDone} onClose={close} />}
      {asked?.do === "clear" && queue !== null && (
        <Dialog
          title="Clear the queue"
          action="Clear queue"
          danger
          onClose={close}
          onConfirm={async () => {
            await api.clear(token, "queue");
            onDone("The queue is cleared.");
          }}
        >
          <p>
            {counted(queue.count, "queued image")} will not be fetched. What is being fetched for the queue alone ends;
            what clients download goes on.
          </p>
          <NameList rows={rows} names={names} more={queue.count - rows.length} />
        </Dialog>
      )}
      {asked?.do === "remove" && (
        <Dialog
          title="Take out of the queue"
          action="Remove"
          danger
          onClose={close}
          onConfirm={async () => {
            await api.dequeue(token, asked.id);
            onDone(`${inWords(asked.id, names.get(asked.id) ?? null)} is out of the queue.`);
          }}
        >
          <ImageName id={asked.id} name={names.get(asked.id) ?? null} />
          <p>It will not be fetched ahead. If it is being fetched for the queue alone, that ends.</p>
        </Dialog>
      )}
    </section>
  );
}

function waits({ started_at, not_before }: QueuedRow, now: number): string {
  if (started_at !== null) return "being fetched";
  return not_before > now ? `tries again in ${duration(not_before - now)}` : "waits for its turn";
}

const NAMED = 5;

interface NameListProps {
  readonly rows: readonly QueuedRow[];
  readonly names: ReadonlyMap<string, string | null>;
  readonly more: number;
}

function NameList({ rows, names, more }: NameListProps) {
  const rest = Math.max(0, rows.length - NAMED) + more;
  return (
    <ul class="named">
      {rows.slice(0, NAMED).map(({ image_id }) => (
        <li key={image_id}>
          <ImageName id={image_id} name={names.get(image_id) ?? null} />
        </li>
      ))}
      {rest > 0 && <li class="muted">and {counted(rest, "more image")}</li>}
    </ul>
  );
}

function Add({ token, onDone, onClose }: Pick<Props, "token" | "onDone"> & { readonly onClose: () => void }) {
  const [id, setId] = useState("");
  const wanted = id.trim().toLowerCase();
  return (
    <Dialog
      title="Queue an image"
      action="Queue"
      onClose={onClose}
      onConfirm={async () => {
        await api.queue(token, wanted);
        onDone(`${wanted} is queued.`);
      }}
    >
      <label>
        Image id
        <input
          value={id}
          onInput={({ currentTarget }) => setId(currentTarget.value)}
          required
          pattern={`\\s*${ID}\\s*`}
          title="the id of an image of Glance, such as 5eed0000-0000-4000-8000-000000000001"
          placeholder="5eed0000-0000-4000-8000-000000000001"
          spellcheck={false}
          autocomplete="off"
          autocapitalize="none"
        />
      </label>
      <p class="hint">
        It is fetched from the origin at once, or when its turn has come. One that is stored already stays as it is.
      </p>
    </Dialog>
  );
}
