/** What others may send in the place of what they should: texts, header values and JSON. */
import fc from "fast-check";

/** Half of a sign, signs that end lines somewhere, and names that every object has. */
const ODD_TEXTS = [
  "",
  "\0",
  "\ud800",
  "\udfff\ud800",
  "a\u2028b",
  "a\r\nX-Evil: 1",
  "\u{1f4a3}",
  "%00",
  "../..",
  "\ufeff",
];
const ODD_NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty", "then", ""];

export const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom(...ODD_TEXTS, ...ODD_NAMES),
  fc.constantFrom(300, 70_000).map((length) => "x".repeat(length)),
);

/** A header's value as the runtime takes it: any byte but those that end it. */
export const fieldValue = fc
  .string({ unit: fc.integer({ min: 1, max: 255 }).map((byte) => String.fromCharCode(byte)), maxLength: 30 })
  .map((value) => value.replaceAll(/[\r\n]/g, " "));

/** JSON's values, as text: some that JSON.stringify never writes. */
const oddValue = fc.oneof(
  fc.jsonValue({ maxDepth: 2, noUnicodeString: false }).map((value) => JSON.stringify(value)),
  text.map((value) => JSON.stringify(value)),
  fc.constantFrom("null", "true", "0", "-0", "-1", "1.5", "1e400", "-1e400", "9007199254740993", "1e-400", "[]", "{}"),
  fc.constantFrom('{"__proto__":{"status":"active"}}', '["active"]', '{"toString":1}', '"\\ud800"'),
  fc.constantFrom(500, 100_000).map((depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`),
  fc.constantFrom(500, 20_000).map((depth) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`),
);

type Members = readonly (readonly [name: string, value: string])[];

function write(members: Members): string {
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
}

/** An object's text with some of its members other than they should be. Nothing is changed below its members. */
function changed(document: object): fc.Arbitrary<string> {
  const members: Members = Object.entries(document).map(([name, value]) => [name, JSON.stringify(value)]);
  const name = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...Object.keys(document)) },
    { weight: 1, arbitrary: fc.oneof(text, fc.constantFrom(...ODD_NAMES)) },
  );
  const change = fc.oneof(
    // Another value; the name twice, of which readers take the first or the last; or it is not there.
    fc.tuple(name, oddValue).map(([at, value]) => (all: Members): Members => {
      const others = all.filter(([other]) => other !== at);
      return [...others, [at, value]];
    }),
    fc.tuple(name, oddValue).map(
      ([at, value]) =>
        (all: Members): Members => [...all, [at, value]],
    ),
    fc.tuple(name, oddValue).map(
      ([at, value]) =>
        (all: Members): Members => [[at, value], ...all],
    ),
    name.map(
      (at) =>
        (all: Members): Members =>
          all.filter(([other]) => other !== at),
    ),
  );
  return fc
    .array(change, { minLength: 0, maxLength: 3 })
    .map((changes) => write(changes.reduce((all, apply) => apply(all), members)));
}

/** What may come in the place of a JSON document, one character for each byte. */
export function hostile(document: object): fc.Arbitrary<string> {
  const whole = changed(document);
  const broken = fc.oneof(
    { weight: 5, arbitrary: oddValue },
    { weight: 5, arbitrary: text },
    { weight: 5, arbitrary: fc.tuple(whole, fc.nat(200)).map(([json, at]) => json.slice(0, at)) },
    { weight: 2, arbitrary: whole.map((json) => `[${json}]`) },
    { weight: 2, arbitrary: whole.map((json) => `${json}${json}`) },
    { weight: 2, arbitrary: whole.map((json) => `)]}'\n${json}`) },
    { weight: 2, arbitrary: whole.map((json) => `\ufeff${json}`) },
    // More than is read of anybody; rare, since it takes its time.
    { weight: 1, arbitrary: whole.map((json) => json + " ".repeat(2 ** 20)) },
  );
  const encoded = fc.oneof({ weight: 4, arbitrary: whole }, { weight: 2, arbitrary: broken }).map(encode);
  const byte = fc.integer({ min: 0x80, max: 0xff }).map((code) => String.fromCharCode(code));
  return fc.oneof(
    { weight: 9, arbitrary: encoded },
    // Invalid UTF-8 somewhere.
    {
      weight: 1,
      arbitrary: fc
        .tuple(encoded, fc.nat(400), byte)
        .map(([all, at, odd]) => all.slice(0, at) + odd + all.slice(at + 1)),
    },
  );
}

/** Text as its UTF-8, one character for each byte. */
function encode(value: string): string {
  return Array.from(new TextEncoder().encode(value), (byte) => String.fromCharCode(byte)).join("");
}

export function bytesOf(characters: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}
