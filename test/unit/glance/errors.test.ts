import { describe, expect, it } from "vitest";
import { glanceError, methodNotAllowed } from "../../../src/glance/errors.ts";

/** What a client accepts that gets each of the three forms. */
const HTML = "*/*";
const JSON_ONLY = "application/json";
const TEXT = null;

const requestOf = (accept: string | null, method = "GET") =>
  new Request("https://edge.test/v2/cache", { method, headers: accept === null ? {} : { accept } });
const refuse = (accept: string | null, message = "No image found with ID X") =>
  glanceError(requestOf(accept), 404, message);
const typeOf = (response: Response) => response.headers.get("content-type");

describe("a refusal of the edge looks like Glance's, byte for byte", () => {
  it("in HTML", async () => {
    const response = refuse(HTML);
    expect(response.status).toBe(404);
    expect(response.statusText).toBe("Not Found");
    expect(typeOf(response)).toBe("text/html; charset=UTF-8");
    expect(await response.text()).toBe(
      "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n" +
        "  No image found with ID X<br /><br />\n\n\n\n </body>\n</html>",
    );
  });

  it("in JSON, but for the blanks between its fields", async () => {
    const response = refuse(JSON_ONLY);
    expect(response.status).toBe(404);
    expect(typeOf(response)).toBe("application/json");
    expect(await response.text()).toBe(
      '{"message":"No image found with ID X<br /><br />\\n\\n\\n","code":"404 Not Found","title":"Not Found"}',
    );
  });

  it("in plain text", async () => {
    const response = refuse(TEXT);
    expect(response.status).toBe(404);
    expect(typeOf(response)).toBe("text/plain; charset=UTF-8");
    expect(await response.text()).toBe("404 Not Found\n\nNo image found with ID X\n\n   ");
  });
});

describe("the refusal of a method is built a little differently, and names the methods that there are", () => {
  const forbid = (accept: string | null, method = "PATCH") =>
    methodNotAllowed(requestOf(accept, method), "DELETE, PUT", { "x-openstack-request-id": "req-1" });

  it.each([
    [
      HTML,
      "text/html; charset=UTF-8",
      "<html>\n <head>\n  <title>405 Method Not Allowed</title>\n </head>\n <body>\n  <h1>405 Method Not Allowed</h1>\n" +
        "  The method PATCH is not allowed for this resource. <br /><br />\n\n </body>\n</html>",
    ],
    [
      JSON_ONLY,
      "application/json",
      '{"message":"The method PATCH is not allowed for this resource. <br /><br />\\n",' +
        '"code":"405 Method Not Allowed","title":"Method Not Allowed"}',
    ],
    [
      TEXT,
      "text/plain; charset=UTF-8",
      "405 Method Not Allowed\n\nThe method PATCH is not allowed for this resource. \n\n ",
    ],
  ])("for a client that accepts %s", async (accept, type, body) => {
    const response = forbid(accept);
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("DELETE, PUT");
    expect(response.headers.get("x-openstack-request-id")).toBe("req-1");
    expect(typeOf(response)).toBe(type);
    expect(await response.text()).toBe(body);
  });

  it("for HEAD, without a body", async () => {
    const response = forbid(JSON_ONLY, "HEAD");
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("DELETE, PUT");
    expect(await response.text()).toBe("");
  });
});

it.each([HTML, JSON_ONLY, TEXT])(
  "the answer to HEAD has no body, and says so as Glance does: accept %s",
  async (accept) => {
    const response = glanceError(requestOf(accept, "HEAD"), 404, "gone");
    expect(response.status).toBe(404);
    expect(typeOf(response)).toBe("text/html; charset=UTF-8");
    expect(response.headers.get("content-length")).toBe("0");
    expect(await response.text()).toBe("");
  },
);

describe("a message that a client has written", () => {
  const NASTY = `Image <b>a</b><script>x()</script> 'q' "d" & not found.`;

  it("can't bring markup into the HTML form", async () => {
    expect(await refuse(HTML, NASTY).text()).toContain(
      "Image &lt;b&gt;a&lt;/b&gt;&lt;script&gt;x()&lt;/script&gt; &#x27;q&#x27; &quot;d&quot; &amp; not found.<br />",
    );
  });

  it("is itself in the JSON form", async () => {
    expect(await refuse(JSON_ONLY, NASTY).json()).toMatchObject({ message: `${NASTY}<br /><br />\n\n\n` });
  });

  it.each([
    ['Image <b>a&" not found.', 'Image a&" not found.'],
    ["a <i>b</i> c", "a b c"],
    ["a<br>b<BR/>c", "a\nb\nc"],
    ["a\nb\rc", "a bc"],
    ["a < b", "a < b"],
    ["<<b>>", ">"],
    ["a<b\u2028c>d", "ad"],
  ])("loses what looks like markup in plain text: %j", async (message, text) => {
    expect(await refuse(TEXT, message).text()).toBe(`404 Not Found\n\n${text}\n\n   `);
  });
});

it("no cache may keep it, and further headers are kept", async () => {
  const headers = { "x-openstack-request-id": "req-1", "cache-control": "public" };
  const response = glanceError(requestOf(HTML), 502, "down", headers);
  await response.body?.cancel();
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("x-openstack-request-id")).toBe("req-1");
  expect(response.statusText).toBe("Bad Gateway");
});

it("a status that Glance never gives has a title all the same", async () => {
  expect(await glanceError(requestOf(HTML), 599, "odd").text()).toContain("<h1>599 Error</h1>");
});
