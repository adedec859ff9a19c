/** What ends a deploy or a trial: one sentence that says what is wrong and what to do. */
export class Stop extends Error {
  override readonly name = "Stop";
}

/** What `parseArgs` gives. @throws Stop in the place of its error, of which the first sentence says which flag is wrong */
export function orStop<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new Stop(`${cause instanceof Error ? cause.message.replace(/\. .*/s, "") : cause}.`, { cause });
  }
}
