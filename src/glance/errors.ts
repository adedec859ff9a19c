/**
 * The edge's own refusals in the shape that Glance gives its errors: webob's three forms, chosen by Accept and built from
 * one body (webob/exc.py), so that clients show them as they show Glance's. Measured on Glance 25.1.
 */
import { acceptable } from "./accept.ts";

const REASONS: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  412: "Precondition Failed",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  508: "Loop Detected",
};

/** @param message plain text that the client may see: no secrets, no internals. */
export function glanceError(request: Request, status: number, message: string, headers?: HeadersInit): Response {
  return refuse(request, status, message, "\n\n", headers);
}

/** 405, whose body webob builds a little differently. @param allow the methods, as the Allow field has them */
export function methodNotAllowed(request: Request, allow: string, headers?: HeadersInit): Response {
  const answer = new Headers(headers);
  answer.set("allow", allow);
  return refuse(request, 405, `The method ${request.method} is not allowed for this resource. `, "", answer);
}

function refuse(request: Request, status: number, message: string, end: string, headers?: HeadersInit): Response {
  const reason = REASONS[status] ?? "Error";
  const title = `${status} ${reason}`;
  const body = (text: string) => `${text}<br /><br />\n${end}`;
  const answer = new Headers(headers);
  // A refusal of the edge is about this moment and this caller: no cache in front may keep it.
  answer.set("cache-control", "no-store");
  const init = { status, statusText: reason, headers: answer };
  if (request.method === "HEAD") {
    answer.set("content-type", "text/html; charset=UTF-8");
    answer.set("content-length", "0");
    return new Response(null, init);
  }
  switch (acceptable(request.headers.get("accept"))) {
    case "html":
      answer.set("content-type", "text/html; charset=UTF-8");
      return new Response(
        `<html>\n <head>\n  <title>${title}</title>\n </head>\n <body>\n  <h1>${title}</h1>\n` +
          `  ${body(escapeHtml(message))}\n </body>\n</html>`,
        init,
      );
    case "json":
      answer.set("content-type", "application/json");
      return new Response(JSON.stringify({ message: body(message), code: title, title: reason }), init);
    case "text":
      answer.set("content-type", "text/plain; charset=UTF-8");
      return new Response(`${title}\n\n${plain(body(message))}`, init);
  }
}

/** As webob does: lines become one, `<br />` breaks them, other markup goes, and what looks like it. */
function plain(html: string): string {
  // Behind the last `>` no tag ends: a search there for each `<` of a hostile id would take time by their square. Neither does
  // one go on over what ends a line in JavaScript alone, without `s`.
  const tags = html.lastIndexOf(">") + 1;
  const lines = (text: string) => text.replaceAll("\n", " ").replaceAll("\r", "");
  const marked = lines(html.slice(0, tags));
  return marked.replace(/<br.*?>/gis, "\n").replace(/<.*?>/gs, "") + lines(html.slice(tags));
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#x27;");
}
