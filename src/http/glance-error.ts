/**
 * The edge's own refusals in the shape that Glance gives its errors (webob's three forms, chosen by Accept), so that
 * clients show them as they show Glance's.
 */

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
};

/** @param message plain text that the client may see: no secrets, no internals. */
export function glanceError(request: Request, status: number, message: string, headers?: HeadersInit): Response {
  const reason = REASONS[status] ?? "Error";
  const accept = request.headers.get("accept") ?? "";
  const answer = new Headers(headers);
  let body: string;
  if (accept.includes("application/json")) {
    answer.set("content-type", "application/json; charset=UTF-8");
    body = JSON.stringify({ message: `${message}<br /><br />\n\n\n`, code: `${status} ${reason}`, title: reason });
  } else if (accept.includes("text/plain") && !accept.includes("html")) {
    answer.set("content-type", "text/plain; charset=UTF-8");
    body = `${status} ${reason}\n\n${message}\n\n   `;
  } else {
    answer.set("content-type", "text/html; charset=UTF-8");
    const title = `${status} ${reason}`;
    body =
      `<html>\n <head>\n  <title>${title}</title>\n </head>\n <body>\n  <h1>${title}</h1>\n` +
      `  ${escapeHtml(message)}<br /><br />\n\n\n\n </body>\n</html>`;
  }
  // A refusal of the edge is about this moment and this caller: no cache in front may keep it.
  answer.set("cache-control", "no-store");
  return new Response(request.method === "HEAD" ? null : body, { status, statusText: reason, headers: answer });
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
