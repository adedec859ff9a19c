/** Images that are being fetched now. */
import type { FillRow } from "./client.ts";
import { ago, bytes, counted, date, duration, percent } from "./format.ts";
import { ImageName, inWords } from "./image-name.tsx";
import type { Rates } from "./rates.ts";

interface Props {
  /** Null: not known. */
  readonly fills: readonly FillRow[] | null;
  readonly rates: Rates;
  readonly now: number;
}

export function Fills({ fills, rates, now }: Props) {
  return (
    <section class="panel" aria-labelledby="fills">
      <header>
        <h2 id="fills">Running fills</h2>
        {fills !== null && fills.length > 0 && <span class="muted">{fills.length}</span>}
      </header>
      {fills === null && <p class="empty">Not known now.</p>}
      {fills?.length === 0 && (
        <p class="empty">Nothing is being fetched. A download of an image that is not stored begins one.</p>
      )}
      {fills !== null && fills.length > 0 && (
        <ul class="fills">
          {fills.map((fill) => (
            <li key={fill.image_id}>
              <Fill fill={fill} rate={rates.of(fill.image_id)} now={now} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Fill({ fill, rate, now }: { readonly fill: FillRow; readonly rate: number | null; readonly now: number }) {
  const { image_id, name, size, stored, readers, started_at, state } = fill;
  const of = stored === null ? `${bytes(size)}, progress not known` : `${bytes(stored)} of ${bytes(size)}`;
  return (
    <>
      <div class="split">
        <ImageName id={image_id} name={name} />
        <strong>{stored === null ? "–" : percent(stored, size)}</strong>
      </div>
      <progress
        aria-label={`Fill of ${inWords(image_id, name)}`}
        max={Math.max(size, 1)}
        {...(stored === null ? {} : { value: stored })}
      />
      <p class="facts">
        <span>{of}</span>
        <span>{pace(state, rate, size - (stored ?? 0))}</span>
        <span>{counted(readers, "reader")}</span>
        <span title={date(started_at)}>begun {ago(started_at, now)}</span>
      </p>
    </>
  );
}

function pace(state: FillRow["state"], rate: number | null, left: number): string {
  if (state === "storing") return "all has come; R2 stores it";
  if (state === "unknown") return "its Fill does not answer";
  if (rate === null) return "measuring…";
  return rate < 1 ? "nothing comes now" : `${bytes(Math.round(rate))}/s, ${duration((left / rate) * 1000)} left`;
}
