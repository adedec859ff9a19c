/** What a deploy makes of wrangler.toml, flags and answers; and of wrangler's words. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { readDeployFlags } from "../../scripts/deploy/flags.ts";
import { sentenceOf } from "../../scripts/deploy/sentence.ts";
import { answered, targetOf, wanting } from "../../scripts/deploy/target.ts";

const config = unstable_readConfig(
  { config: fileURLToPath(new URL("../../wrangler.toml", import.meta.url)), env: "" },
  { hideWarnings: true },
);

describe("what nobody has said", () => {
  it("is asked for, where first of all", () => {
    const flags = readDeployFlags([], {});
    expect(wanting(config, flags).map(({ name }) => name)).toEqual(["WHERE", "ORIGIN_URL", "ROUTE"]);
  });

  it.each([
    ["weur", { location: "weur" }],
    ["eu", { jurisdiction: "eu" }],
  ])("and answered by %s is as good as a flag", (where, place) => {
    let flags = readDeployFlags([], {});
    flags = answered(flags, "WHERE", where);
    flags = answered(flags, "ORIGIN_URL", "https://glance.example");
    flags = answered(flags, "ROUTE", "image.example.com");
    expect(wanting(config, flags)).toEqual([]);
    expect(targetOf(config, flags)).toMatchObject({
      place,
      customDomains: ["image.example.com"],
      url: "https://image.example.com",
      vars: { ORIGIN_URL: "https://glance.example" },
    });
  });
});

describe("a flag", () => {
  it("is stronger than the environment, also where it names a jurisdiction in the place of a location", () => {
    const environment = { LOCATION: "weur", ORIGIN_URL: "https://glance.example" };
    const flags = readDeployFlags(["--jurisdiction", "eu", "--route", "image.example.com"], environment);
    expect(targetOf(config, flags)).toMatchObject({ place: { jurisdiction: "eu" }, vars: { LOCATION: "" } });
  });
});

describe("what wrangler says", () => {
  it.each([
    [
      "\u001b[31m✘ [ERROR]\u001b[0m Something is wrong\n  in two lines.\n\nmore",
      "wrangler says: Something is wrong in two lines.",
    ],
    [
      '[ERROR] Trigger configuration for "a" was only partially updated:\n\n  Queues:\n    - No consumer\n\n',
      "wrangler says: No consumer.",
    ],
    [
      "[ERROR] A request to the Cloudflare API (/accounts/a/r2/buckets) failed.\n\n  Out of\n  order [code: 7]\n",
      "Cloudflare says: Out of order (code 7).",
    ],
    ["", "wrangler says: nothing."],
  ])("%j is one sentence", (output, said) => {
    expect(sentenceOf("trying", output)).toBe(`Failed at trying. ${said}`);
  });
});
