/** What is asked for again and again while the page is looked at, and the edge's clock. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiFailure } from "./client.ts";

export interface Live<T> {
  /** Null: none has come yet. It stays when a later question fails. */
  readonly data: T | null;
  readonly failure: ApiFailure | null;
  /** When the last answer came, by {@link performance.now}; null: never. */
  readonly at: number | null;
  /** Asks now. */
  readonly reload: () => void;
}

/** Asks at once, then again so long after each answer; not while the page is hidden. @param ask another one begins anew */
export function useLive<T>(ask: () => Promise<T>, everyMs: (data: T | null) => number): Live<T> {
  const [found, setFound] = useState<Omit<Live<T>, "reload">>({ data: null, failure: null, at: null });
  const wake = useRef<() => void>(() => undefined);
  const pause = useRef(everyMs);
  pause.current = everyMs;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let round = 0;
    let ended = false;
    const look = async () => {
      clearTimeout(timer);
      const mine = ++round;
      const isMine = () => !ended && mine === round;
      let latest: T | null = null;
      try {
        const data = await ask();
        latest = data;
        if (isMine()) setFound({ data, failure: null, at: performance.now() });
      } catch (cause) {
        const failure = cause instanceof ApiFailure ? cause : new ApiFailure(0, `The page has a fault: ${cause}`);
        if (isMine()) setFound((before) => ({ ...before, failure }));
      }
      if (isMine() && !document.hidden) timer = setTimeout(() => void look(), pause.current(latest));
    };
    wake.current = () => void look();
    const seen = () => {
      if (!document.hidden) void look();
    };
    document.addEventListener("visibilitychange", seen);
    void look();
    return () => {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [ask]);
  const reload = useCallback(() => wake.current(), []);
  return { ...found, reload };
}

/** Renders again so often: what is relative to now grows old. */
export function useTick(everyMs: number): void {
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTick((tick) => tick + 1), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
}

/**
 * The edge's time now: what it last said and what has passed since then by a clock that nobody sets. This machine's own
 * may be wrong by a day.
 */
export function edgeNow(said: { readonly now: number }, at: number): number {
  return said.now + (performance.now() - at);
}
