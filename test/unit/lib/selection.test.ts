/** The form that PREFETCH_IMAGES, PIN_IMAGES and CACHE_IMAGES share. */
import { describe, expect, it } from "vitest";
import { SettingError } from "../../../src/lib/read-setting.ts";
import { isSelected, readSelection, type Traits } from "../../../src/lib/selection.ts";

const IMAGE: Traits = {
  owner: "6d1a",
  visibility: "public",
  tags: ["boot", "eu: west"],
  properties: { os_distro: "debian", "trait:CUSTOM": "a=b", note: "" },
};
const named = (text: string, traits: Traits = IMAGE) => isSelected(traits, readSelection("PIN_IMAGES", text) ?? []);

describe("a selection", () => {
  it("that is not set is none", () => {
    expect(readSelection("PIN_IMAGES", undefined)).toBeNull();
    expect(readSelection("PIN_IMAGES", "  ")).toBeNull();
    expect(isSelected(IMAGE, [])).toBe(false);
  });

  it.each([
    "tag:boot",
    "tag:eu: west",
    "owner:6d1a",
    "visibility:public",
    "property:os_distro=debian",
    "property:trait:CUSTOM=a=b",
    "property:note=",
    "tag:none, owner:nobody , tag:boot",
  ])("names an image by %s", (text) => {
    expect(named(text)).toBe(true);
  });

  it.each([
    "tag:Boot",
    "tag:boot2",
    "owner:6d1",
    "visibility:private",
    "property:os_distro=Debian",
    "property:toString=debian",
    "tag:none,owner:nobody",
  ])("does not name it by %s", (text) => {
    expect(named(text)).toBe(false);
  });

  it("never names what a record does not say", () => {
    const silent: Traits = { owner: null, visibility: null, tags: [], properties: {} };
    expect(named("tag:null,owner:null,visibility:public,property:a=null", silent)).toBe(false);
  });

  it.each([
    "boot",
    "tag",
    "tag:",
    ":boot",
    "tags:boot",
    "property:os_distro",
    "property:=x",
    "visibility:all",
    "tag:a,,tag:b",
    ",",
  ])("of %j is a wrong setting, which is named with the term", (text) => {
    expect(() => readSelection("PIN_IMAGES", text)).toThrow(SettingError);
    expect(() => readSelection("PIN_IMAGES", text)).toThrow(/^PIN_IMAGES has the term "/);
  });
});
