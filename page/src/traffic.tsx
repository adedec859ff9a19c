/** What went through the edge: three charts, and the same as a table. */

import { Chart } from "./chart.tsx";
import { type Bucket, bucketed, type Range, saved, type TrafficHour } from "./figures.ts";
import { bytes, count, percent } from "./format.ts";
import type { Live } from "./live.ts";

interface Props {
  readonly traffic: Live<{ hours: TrafficHour[] }>;
  readonly range: Range;
  readonly now: number;
  readonly onRange: (range: Range) => void;
}

const RANGES = [
  [24, "24 hours"],
  [720, "30 days"],
] as const;

export function TrafficPanel({ traffic: { data, failure }, range, now, onRange }: Props) {
  const buckets = data === null ? null : bucketed(data.hours, range, now);
  const label = (at: number) => when(at, range);
  return (
    <section class="panel" aria-labelledby="traffic">
      <header>
        <h2 id="traffic">Traffic</h2>
        <fieldset class="choice">
          <legend class="hidden">Time shown</legend>
          {RANGES.map(([value, title]) => (
            <button key={value} type="button" aria-pressed={range === value} onClick={() => onRange(value)}>
              {title}
            </button>
          ))}
        </fieldset>
      </header>
      {failure !== null && <p class="problem">{failure.message}</p>}
      {buckets === null ? (
        <p class="empty charts" aria-busy={failure === null}>
          {failure === null ? "Asking…" : "Not known now."}
        </p>
      ) : (
        <>
          <div class="charts">
            <Chart
              title="Image data"
              buckets={buckets}
              label={label}
              unit="bytes"
              series={[
                { name: "from the cache", color: "--cache", of: ({ cache }) => cache },
                { name: "from the origin", color: "--origin", of: ({ origin }) => origin },
              ]}
            />
            <Chart
              title="Downloads"
              buckets={buckets}
              label={label}
              unit="count"
              note={(some) => `hit ratio ${percent(total(some, "hits"), total(some, "downloads"))}`}
              series={[
                { name: "hits", color: "--cache", of: ({ hits }) => hits },
                { name: "others", color: "--origin", of: ({ downloads, hits }) => downloads - hits },
              ]}
            />
            <Chart
              title="Fills"
              buckets={buckets}
              label={label}
              unit="count"
              series={[
                { name: "kept", color: "--cache", of: ({ kept }) => kept },
                { name: "failed", color: "--fault", of: ({ failed }) => failed },
                { name: "stopped or no room", color: "--other", of: ({ stopped }) => stopped },
              ]}
            />
          </div>
          <Figures buckets={buckets} range={range} />
        </>
      )}
    </section>
  );
}

function total(buckets: readonly Bucket[], key: "hits" | "downloads"): number {
  return buckets.reduce((all, bucket) => all + bucket[key], 0);
}

function when(at: number, range: Range): string {
  return range === 24
    ? new Date(at).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
    : new Date(at).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

const HEADS = ["From the cache", "From the origin", "Saved", "Downloads", "Hit ratio", "Fills kept", "Fills failed"];

function Figures({ buckets, range }: { readonly buckets: readonly Bucket[]; readonly range: Range }) {
  const shown = buckets.filter(
    (bucket) => bucket.downloads + bucket.cache + bucket.origin + bucket.kept + bucket.failed > 0,
  );
  return (
    <details class="figures">
      <summary>As a table</summary>
      {shown.length === 0 ? (
        <p class="empty">Nothing was downloaded in this time.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what can be scrolled must be reached by keyboard
        <section class="scroll" tabIndex={0} aria-label="Traffic as a table">
          <table>
            <thead>
              <tr>
                <th scope="col">{range === 24 ? "Hour" : "Day"}</th>
                {HEADS.map((head) => (
                  <th key={head} scope="col">
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.toReversed().map((bucket) => (
                <tr key={bucket.at}>
                  <th scope="row">{when(bucket.at, range)}</th>
                  <td>{bytes(bucket.cache)}</td>
                  <td>{bytes(bucket.origin)}</td>
                  <td>{bytes(saved(bucket))}</td>
                  <td>{count(bucket.downloads)}</td>
                  <td>{percent(bucket.hits, bucket.downloads)}</td>
                  <td>{count(bucket.kept)}</td>
                  <td>{count(bucket.failed)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </details>
  );
}
