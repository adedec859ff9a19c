/** How an image is named: by its name, which may be anything and is text only, and its id. */

interface Props {
  readonly id: string;
  /** Null: nobody knows it. */
  readonly name: string | null;
}

export function ImageName({ id, name }: Props) {
  return (
    <span class="image">
      {/* A name may be written from right to left. */}
      {name === null || name === "" ? (
        <span class="name muted">(no name)</span>
      ) : (
        <bdi class="name" title={name}>
          {name}
        </bdi>
      )}
      <code class="id">{id}</code>
    </span>
  );
}

/** In a sentence, such as a dialog's. */
export function inWords(id: string, name: string | null): string {
  return name === null || name === "" ? id : `“${name}”`;
}
