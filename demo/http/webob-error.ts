/**
 * Errors in the form in which WebOb, and so Glance, puts them on the wire (webob/exc.py, WSGIHTTPException): HTML, JSON
 * or text, chosen by the Accept header; text when there is none.
 */

/** Reason phrases where WebOb's differ from Node's. */
const REASONS: Readonly<Record<number, string>> = {
  413: "Request Entity Too Large",
  416: "Request Range Not Satisfiable",
};

/** WebOb's own explanations, used where Glance gives none. */
const EXPLANATIONS: Readonly<Record<number, string>> = {
  400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
  401:
    "This server could not verify that you are authorized to access the document you requested. Either you supplied the " +
    "wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials required.",
  403: "Access was denied to this resource.",
  404: "The resource could not be found.",
  409: "There was a conflict when trying to complete your request.",
  416: "The Range requested is not available.",
  429: "The client has sent too many requests in a given amount of time",
  500: "The server has either erred or is incapable of performing the requested operation.",
  502: "Bad gateway.",
  503: "The server is currently unavailable. Please try again at a later time.",
  504: "The gateway has timed out.",
};

/** An answer that ends a request's handling: thrown by handlers, written by the dispatcher. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  /** Follows the explanation; Glance gives its own words here for a 409 and a 416. */
  readonly detail: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Glance itself failed: the answer is eventlet's (eventlet/wsgi.py, handle_one_response), without a word. */
  readonly isCrash: boolean;

  constructor(
    status: number,
    explanation?: string,
    options: {
      readonly detail?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly isCrash?: boolean;
    } = {},
  ) {
    super(explanation ?? EXPLANATIONS[status] ?? "");
    this.status = status;
    this.detail = options.detail ?? "";
    this.headers = options.headers ?? {};
    this.isCrash = options.isCrash ?? false;
  }
}

/** @param allow the Allow header, as Glance's router words it */
export function methodNotAllowed(method: string, allow: string): HttpError {
  return new HttpError(405, `The method ${method} is not allowed for this resource. `, { headers: { Allow: allow } });
}

export function notFound(): HttpError {
  return new HttpError(404);
}

/** The reason phrase that belongs to a status. @param fallback Node's */
export function reasonOf(status: number, fallback: string | undefined): string {
  return REASONS[status] ?? fallback ?? "";
}

/** What fails Glance itself. */
export function crash(): HttpError {
  return new HttpError(500, "", { isCrash: true });
}

/** @param type the media type of the request, which the resource does not take */
export function unsupported(type: string, headers: Readonly<Record<string, string>> = {}): HttpError {
  return new HttpError(415, `The request media type ${type} is not supported by this server. `, { headers });
}

export interface ErrorBody {
  readonly type: string;
  readonly text: string;
}

/** @param accept the request's Accept header */
export function errorBody(error: HttpError, reason: string, accept: string | undefined): ErrorBody {
  if (error.isCrash) return { type: "text/plain", text: "" };
  const code = `${error.status} ${reason}`;
  const form = formFor(accept);
  if (form === "json") {
    const text = `{"message": ${quote(fill(error, plain))}, "code": ${quote(code)}, "title": ${quote(reason)}}`;
    return { type: "application/json", text };
  }
  if (form === "text") {
    return { type: "text/plain; charset=UTF-8", text: `${code}\n\n${stripTags(fill(error, plain))}` };
  }
  const head = `<html>\n <head>\n  <title>${code}</title>\n </head>\n <body>\n  <h1>${code}</h1>\n`;
  return { type: "text/html; charset=UTF-8", text: `${head}  ${fill(error, escapeHtml)}\n </body>\n</html>` };
}

/** WebOb's body templates: those of a 405 and a 415 lack the line for a comment. */
function fill(error: HttpError, quoted: (text: string) => string): string {
  const body = `${quoted(error.message)}<br /><br />\n${quoted(error.detail)}`;
  return error.status === 405 || error.status === 415 ? body : `${body}\n\n`;
}

/** html and json are offered, html first; the client's quality values decide (RFC 9110 section 12.5.1). */
function formFor(accept: string | undefined): "html" | "json" | "text" {
  const html = quality(accept ?? "", "text", "html");
  const json = quality(accept ?? "", "application", "json");
  if (html === 0 && json === 0) return "text";
  return html >= json ? "html" : "json";
}

function quality(accept: string, type: string, subtype: string): number {
  let best = { rank: -1, value: 0 };
  for (const range of accept.split(",")) {
    const [media = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const rank = [`*/*`, `${type}/*`, `${type}/${subtype}`].indexOf(media);
    const given = parameters.find((parameter) => parameter.startsWith("q="));
    if (rank > best.rank) best = { rank, value: given === undefined ? 1 : Number(given.slice(2)) };
  }
  return best.value;
}

function plain(text: string): string {
  return text;
}

/** As Python's html.escape, which WebOb uses. */
function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#x27;");
}

function stripTags(text: string): string {
  return text
    .replaceAll("\n", " ")
    .replaceAll("\r", "")
    .replace(/<br.*?>/gi, "\n")
    .replace(/<.*?>/g, "");
}

/** JSON as Python's json.dumps writes it: ASCII only. */
function quote(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
