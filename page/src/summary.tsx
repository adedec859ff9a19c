/** The state in a few figures. */
import type { ComponentChildren } from "preact";
import type { StateAnswer } from "./client.ts";
import { type Range, saved, sum, type TrafficHour } from "./figures.ts";
import { bytes, count, counted, percent } from "./format.ts";

interface Props {
  readonly state: StateAnswer;
  /** Null: not known (yet). */
  readonly hours: readonly TrafficHour[] | null;
  readonly range: Range;
  readonly now: number;
}

export function Summary({ state, hours, range, now }: Props) {
  const { images, room, fills, queue } = state;
  const total = hours === null ? null : sum(now, hours);
  const period = range === 24 ? "24 hours" : "30 days";
  return (
    <dl class="summary">
      <Tile
        title="Stored images"
        value={images === null ? null : count(images.count)}
        more={images && bytes(images.bytes)}
      />
      <Tile
        title="Room"
        value={room.used === null ? null : percent(room.used, room.cap)}
        more={`${room.used === null ? "?" : bytes(room.used)} of ${bytes(room.cap)}`}
      >
        <meter
          aria-label="Room used"
          min={0}
          max={Math.max(room.cap, 1)}
          high={room.cap * 0.95}
          value={room.used ?? 0}
          title="kept images and running fills; a fill takes twice its image"
        />
      </Tile>
      <Tile
        title="Hit ratio"
        value={total && percent(total.hits, total.downloads)}
        more={total && `${counted(total.downloads, "download")}, ${period}`}
      />
      <Tile
        title="Saved on the origin's link"
        value={total && bytes(saved(total))}
        more={total && `${bytes(total.cache)} from the cache, ${period}`}
      />
      <Tile
        title="At work"
        value={fills === null ? null : counted(fills.length, "fill")}
        more={queue && `${count(queue.count)} queued${queue.failing > 0 ? `, ${count(queue.failing)} failing` : ""}`}
      />
    </dl>
  );
}

interface TileProps {
  readonly title: string;
  /** Null: not known. */
  readonly value: string | null;
  readonly more: string | null;
  readonly children?: ComponentChildren;
}

function Tile({ title, value, more, children }: TileProps) {
  return (
    <div class="panel tile">
      <dt>{title}</dt>
      <dd class="value">{value ?? <span class="muted">not known</span>}</dd>
      {children !== undefined && <dd>{children}</dd>}
      <dd class="muted">{more ?? "\u00a0"}</dd>
    </div>
  );
}
