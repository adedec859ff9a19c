/** Whatever a client sends, the origin sees as many requests as the clients sent, and everybody gets their own answer. */
import fc from "fast-check";
import { it } from "vitest";
import { holds } from "../support/property.ts";
import { attack, EARLY_END, HOST, SMUGGLED, useWsgiOrigin } from "./framing.ts";
import { useEdge } from "./support.ts";

const origin = useWsgiOrigin();
const edge = useEdge(() => origin.start());

/** RFC 9110 section 5.6.2, but for letters and digits. */
const TOKEN_MARKS = [..."!#$%&'*+-.^_`|~"];

const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND");

/** A name that is, or is nearly, one of those by which a message is framed. */
const framingName = fc
  .tuple(
    fc.constantFrom(["transfer", "encoding"], ["content", "length"], ["connection"], ["expect"], ["upgrade"], ["te"]),
    fc.constantFrom(...TOKEN_MARKS),
    fc.constantFrom("", "_", "-", "."),
    fc.boolean(),
  )
  .map(([words, mark, end, upper]) => {
    const name = words.join(mark) + end;
    return upper ? name.toUpperCase() : name;
  });
const anyName = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom(..."abcXYZ019", ...TOKEN_MARKS) });
const value = fc
  .oneof(
    { weight: 4, arbitrary: fc.constantFrom("chunked", "Chunked", "identity", "0", "1", "5", "100-continue", "close") },
    { weight: 1, arbitrary: fc.constantFrom("transfer_encoding", "content-length", "keep-alive, X-Mark", "websocket") },
    // One character for each byte, but for those that end a line.
    {
      weight: 1,
      arbitrary: fc.string({
        maxLength: 20,
        unit: fc.integer({ min: 0, max: 255 }).map((n) => String.fromCharCode(n)),
      }),
    },
  )
  .map((text) => text.replaceAll(/[\r\n]/g, " "));
const field = fc.tuple(fc.oneof({ weight: 3, arbitrary: framingName }, anyName), value);

const body = fc.oneof(
  fc.constant(""),
  fc.constantFrom(
    EARLY_END,
    SMUGGLED,
    `1\r\nx\r\n${EARLY_END}`,
    `0;x\r\n\r\n${SMUGGLED}`,
    `0\r\nX-Sum: 1\r\n\r\n${SMUGGLED}`,
  ),
  fc.string({ maxLength: 40, unit: fc.integer({ min: 0, max: 255 }).map((n) => String.fromCharCode(n)) }),
);
/** How the client itself frames the body: rightly, or in ways that readers have been known to differ about. */
const framing = fc.constantFrom<(body: string) => string>(
  (text) => `Content-Length: ${text.length}\r\n\r\n${text}`,
  (text) =>
    `Transfer-Encoding: chunked\r\n\r\n${text === "" ? "" : `${text.length.toString(16)}\r\n${text}\r\n`}0\r\n\r\n`,
  (text) => `Transfer-Encoding: chunked\r\n\r\n${text}`,
  (text) => `Content-Length: ${text.length}\r\nTransfer-Encoding: chunked\r\n\r\n${text}`,
  (text) => `\r\n${text}`,
);

it("the origin sees as many requests as the clients sent, whatever they are", async () => {
  await holds(
    fc.asyncProperty(method, fc.array(field, { maxLength: 5 }), body, framing, async (verb, fields, text, frame) => {
      const lines = fields.map(([name, content]) => `${name}: ${content}\r\n`).join("");
      await attack(
        edge.process.url,
        origin,
        `${verb} /v2/images HTTP/1.1\r\n${HOST}Connection: close\r\nX-Mark: attacker\r\n${lines}${frame(text)}`,
        150,
      );
    }),
    250,
  );
});
