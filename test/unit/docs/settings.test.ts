/** The settings are written three times: src/settings.ts reads them, wrangler.toml sets them, the README explains them. */
import { describe, expect, it } from "vitest";
import readme from "../../../README.md?raw";
import { type Env, readSettings } from "../../../src/settings.ts";
import source from "../../../src/settings.ts?raw";
import wrangler from "../../../wrangler.toml?raw";
import { bindings } from "../../support/env.ts";

/** Set with `wrangler secret put`: never in wrangler.toml. */
const SECRETS = ["OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_SECRET", "METRICS_TOKEN"];

function namesInSource(): string[] {
  const env = source.split("export interface Env {")[1]?.split("\n}")[0] ?? "";
  return [...env.matchAll(/^ {2}readonly (\w+)\??: string\b/gm)].map(([, name]) => name ?? "").sort();
}

/** `[vars]` of wrangler.toml. */
function vars(): Map<string, string> {
  const section = wrangler.split("\n[vars]\n")[1]?.split("\n[")[0] ?? "";
  return new Map([...section.matchAll(/^(\w+) = "(.*)"$/gm)].map(([, name = "", value = ""]) => [name, value]));
}

/** Rows of the README's table: name and default, as it stands there. */
function rows(): Map<string, string> {
  const section = readme.split("\n## Settings\n")[1]?.split("\n## ")[0] ?? "";
  const found = new Map<string, string>();
  for (const [, names = "", value = ""] of section.matchAll(/^\| (`\w+`(?:, `\w+`)*) \| ([^|]+) \|/gm)) {
    for (const [, name = ""] of names.matchAll(/`(\w+)`/g)) found.set(name, value.trim());
  }
  return found;
}

/** What the README gives as a default: where there is none it says so in words, without backquotes. */
function defaults(): Map<string, string> {
  const set = [...rows()].filter(([, value]) => value.startsWith("`"));
  return new Map(set.map(([name, value]) => [name, /^`([^`]*)`/.exec(value)?.[1] ?? value]));
}

describe("every setting", () => {
  it("that src/settings.ts reads is set in wrangler.toml, but for secrets, and no other", () => {
    expect(namesInSource().length).toBeGreaterThan(10);
    expect([...vars().keys(), ...SECRETS].sort()).toEqual(namesInSource());
  });

  it("that src/settings.ts reads has a row in the README, and no other", () => {
    expect([...rows().keys()].sort()).toEqual(namesInSource());
  });

  it("has in the README the value that wrangler.toml sets", () => {
    const set = [...vars()].filter(([, value]) => value !== "");
    expect(Object.fromEntries(defaults())).toEqual(Object.fromEntries(set));
  });

  it("that is left out has the value that the README names", () => {
    const { BUCKET, CATALOG, FILL } = bindings;
    const least = { BUCKET, CATALOG, FILL, ORIGIN_URL: "http://glance.example" };
    const documented: Env = { ...least, ...Object.fromEntries(defaults()) };
    expect(readSettings(least)).toEqual(readSettings(documented));
  });

  it.each([...defaults()].filter(([name]) => name.endsWith("_BYTES")))(
    "in bytes is named in larger units as well: %s",
    (name, value) => {
      const said = /\((\d+) (MiB|GiB)\)/.exec(rows().get(name) ?? "");
      expect(Number(said?.[1]) * (said?.[2] === "MiB" ? 2 ** 20 : 2 ** 30)).toBe(Number(value));
    },
  );
});
