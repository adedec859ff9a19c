/** The table of stored images. */
// biome-ignore-all lint/a11y/noRedundantRoles: on a phone the style sheet makes of it what is no table to a screen reader
import type { ImageRow, ImagesAsked } from "./client.ts";
import { ago, bytes, count, date } from "./format.ts";
import { ImageName, inWords } from "./image-name.tsx";

export type Sorting = Pick<ImagesAsked, "sort" | "order">;

const COLUMNS = [
  { sort: "name", title: "Image", first: "asc" },
  { sort: "size", title: "Size", first: "desc" },
  { sort: "hits", title: "Hits", first: "desc" },
  { sort: "last_accessed", title: "Last read", first: "desc" },
  { sort: "verified_at", title: "Verified", first: "desc" },
] as const;

interface Props {
  readonly rows: readonly ImageRow[];
  readonly sorting: Sorting;
  readonly now: number;
  readonly onSort: (sorting: Sorting) => void;
  readonly onRemove: (image: ImageRow) => void;
  readonly onPin: (image: ImageRow) => void;
}

export function ImageTable({ rows, sorting, now, onSort, onRemove, onPin }: Props) {
  return (
    <table role="table" class="images">
      <caption class="hidden">Stored images</caption>
      <thead role="rowgroup">
        <tr role="row">
          {COLUMNS.map(({ sort, title, first }) => {
            const is = sorting.sort === sort;
            const turned = sorting.order === "asc" ? "desc" : "asc";
            return (
              <th
                key={sort}
                role="columnheader"
                scope="col"
                class={sort}
                aria-sort={is ? (sorting.order === "asc" ? "ascending" : "descending") : "none"}
              >
                <button type="button" onClick={() => onSort({ sort, order: is ? turned : first })}>
                  {title}
                  <span aria-hidden="true" class="arrow">
                    {is ? (sorting.order === "asc" ? "↑" : "↓") : ""}
                  </span>
                </button>
              </th>
            );
          })}
          <th role="columnheader" scope="col" class="do">
            <span class="hidden">Pin, delete</span>
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((image) => (
          <tr key={image.image_id} role="row">
            <td role="cell" class="name">
              <ImageName id={image.image_id} name={image.name} />
            </td>
            <td role="cell" class="size" data-title="Size">
              {bytes(image.size)}
            </td>
            <td role="cell" class="hits" data-title="Hits">
              {count(image.hits)}
            </td>
            <td role="cell" data-title="Last read" title={date(image.last_accessed)}>
              {image.hits === 0 ? "never" : ago(image.last_accessed, now)}
            </td>
            <td role="cell" data-title="Verified" title={date(image.verified_at)}>
              {ago(image.verified_at, now)}
            </td>
            <td role="cell" class="do">
              <button
                type="button"
                aria-label={`${image.pinned === null ? "Pin" : "Unpin"} ${inWords(image.image_id, image.name)}`}
                onClick={() => onPin(image)}
              >
                {image.pinned === null ? "Pin…" : "Unpin…"}
              </button>{" "}
              <button
                type="button"
                aria-label={`Delete ${inWords(image.image_id, image.name)} from the cache`}
                onClick={() => onRemove(image)}
              >
                Delete…
              </button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
