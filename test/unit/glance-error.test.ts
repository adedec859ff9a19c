import { describe, expect, it } from "vitest";
import { glanceError } from "../../src/http/glance-error.ts";

const refuse = (accept: string | null, message = "No image found with ID X", init: RequestInit = {}) =>
  glanceError(
    new Request("https://edge.test/v2/images/X", { headers: accept === null ? {} : { accept }, ...init }),
    404,
    message,
  );

const HTML =
  "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n" +
  "  No image found with ID X<br /><br />\n\n\n\n </body>\n</html>";

describe("a refusal of the edge looks like Glance's", () => {
  it.each([null, "*/*", "text/html", "text/html, text/plain", "image/png"])(
    "in HTML to a client that accepts %s",
    async (accept) => {
      const response = refuse(accept);
      expect(response.status).toBe(404);
      expect(response.statusText).toBe("Not Found");
      expect(response.headers.get("content-type")).toBe("text/html; charset=UTF-8");
      expect(await response.text()).toBe(HTML);
    },
  );

  it.each(["application/json", "text/plain, application/json;q=0.5", "application/json, */*"])(
    "in JSON to a client that accepts %s",
    async (accept) => {
      const response = refuse(accept);
      expect(response.headers.get("content-type")).toBe("application/json; charset=UTF-8");
      expect(await response.json()).toEqual({
        message: "No image found with ID X<br /><br />\n\n\n",
        code: "404 Not Found",
        title: "Not Found",
      });
    },
  );

  it("in plain text to a client that accepts that", async () => {
    const response = refuse("text/plain");
    expect(response.headers.get("content-type")).toBe("text/plain; charset=UTF-8");
    expect(await response.text()).toBe("404 Not Found\n\nNo image found with ID X\n\n   ");
  });
});

it("a message can't bring markup into the HTML form", async () => {
  const body = await refuse(null, "<script>alert(1)</script> & <b>").text();
  expect(body).toContain("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;");
  expect(body).not.toContain("<script>");
});

it("the answer to HEAD has no body", async () => {
  const response = refuse(null, "gone", { method: "HEAD" });
  expect(response.status).toBe(404);
  expect(await response.text()).toBe("");
});

it("no cache may keep it, and further headers are kept", async () => {
  const request = new Request("https://edge.test/");
  const response = glanceError(request, 502, "down", { "x-openstack-request-id": "req-1", "cache-control": "public" });
  await response.body?.cancel();
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("x-openstack-request-id")).toBe("req-1");
  expect(response.statusText).toBe("Bad Gateway");
});

it("a status that Glance never gives has a title all the same", async () => {
  expect(await glanceError(new Request("https://edge.test/"), 599, "odd").text()).toContain("<h1>599 Error</h1>");
});
