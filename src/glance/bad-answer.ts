/**
 * The origin answered, but with what can't be given to a client: a failure of the origin or of how it was set up, not of the
 * edge, and so a 502.
 */
export class BadOriginAnswer extends Error {
  override readonly name = "BadOriginAnswer";
  /** For the client: without addresses. */
  readonly forClient: string;

  /** @param message for the log. @param forClient what the client is told instead, where that must say more */
  constructor(message: string, options?: ErrorOptions & { readonly forClient?: string }) {
    super(message, options);
    this.forClient = options?.forClient ?? "The image service behind this edge gave an answer that can't be passed on.";
  }
}
