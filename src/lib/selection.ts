/** Which images a setting means: PREFETCH_IMAGES, PIN_IMAGES and CACHE_IMAGES share one form. Pure. */
import { readText, SettingError } from "./read-setting.ts";

/** What of an image's record a term can ask for; what the record does not say is null, and matches nothing. */
export interface Traits {
  readonly owner: string | null;
  readonly visibility: string | null;
  readonly tags: readonly string[];
  /** Properties, and whatever else of the record is text. */
  readonly properties: Readonly<Record<string, string>>;
}

type Term =
  | { readonly by: "tag"; readonly tag: string }
  | { readonly by: "property"; readonly key: string; readonly value: string }
  | { readonly by: "visibility"; readonly visibility: string }
  | { readonly by: "owner"; readonly owner: string };

/** An image is selected if any of the terms says so: without one, none is. */
export type Selection = readonly Term[];

const VISIBILITIES: readonly string[] = ["public", "community", "shared", "private"];
const FORM = "tag:NAME, property:KEY=VALUE, visibility:VISIBILITY or owner:ID";

/** @returns null for what is not set. @throws SettingError for a term that is none */
export function readSelection(name: string, value: unknown): Selection | null {
  const text = readText(name, value);
  return text === "" ? null : text.split(",").map((term) => readTerm(name, term.trim()));
}

function readTerm(name: string, term: string): Term {
  const [, by, what = ""] = /^(\w+):(.*)$/s.exec(term) ?? [];
  if (what === "") throw wrong(name, term);
  switch (by) {
    case "tag":
      return { by, tag: what };
    case "owner":
      return { by, owner: what };
    case "visibility":
      if (!VISIBILITIES.includes(what)) throw wrong(name, term);
      return { by, visibility: what };
    case "property": {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(what) ?? [];
      if (key === undefined || value === undefined) throw wrong(name, term);
      return { by, key, value };
    }
    default:
      throw wrong(name, term);
  }
}

function wrong(name: string, term: string): SettingError {
  return new SettingError(name, `has the term "${term}", which is none of ${FORM}`);
}

export function isSelected(traits: Traits, selection: Selection): boolean {
  return selection.some((term) => isNamed(traits, term));
}

function isNamed({ owner, visibility, tags, properties }: Traits, term: Term): boolean {
  switch (term.by) {
    case "tag":
      return tags.includes(term.tag);
    case "owner":
      return owner === term.owner;
    case "visibility":
      return visibility === term.visibility;
    case "property":
      return Object.hasOwn(properties, term.key) && properties[term.key] === term.value;
  }
}
