/** What ends a deploy or a trial: one sentence that says what is wrong and what to do. */
export class Stop extends Error {
  override readonly name = "Stop";
}
