/** Names of images that the edge does not know, asked of Glance with the operator's own token, once each. */
import { useEffect, useState } from "preact/hooks";
import { api } from "./client.ts";

/** Asked at the same time. */
const AT_ONCE = 3;

/** @returns the names that are known so far; null: Glance does not say */
export function useNames(token: string, ids: readonly string[]): ReadonlyMap<string, string | null> {
  const [names, setNames] = useState<ReadonlyMap<string, string | null>>(new Map());
  const unknown = ids.filter((id) => !names.has(id)).slice(0, AT_ONCE);
  const key = unknown.join();
  useEffect(() => {
    if (key === "") return undefined;
    let ended = false;
    const ask = async (id: string) => [id, await api.name(token, id).catch(() => null)] as const;
    void Promise.all(key.split(",").map(ask)).then((found) => {
      if (!ended) setNames((before) => new Map([...before, ...found]));
    });
    return () => {
      ended = true;
    };
  }, [token, key]);
  return names;
}
