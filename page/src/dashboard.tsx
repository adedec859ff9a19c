/** What an administrator sees: the state of the edge, live, and what can be done about it. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { api, type Session, type StateAnswer } from "./client.ts";
import type { Range } from "./figures.ts";
import { Fills } from "./fills.tsx";
import { duration } from "./format.ts";
import { StoredImages } from "./images.tsx";
import { edgeNow, useLive, useTick } from "./live.ts";
import { Queue } from "./queue.tsx";
import { Rates } from "./rates.ts";
import { Summary } from "./summary.tsx";
import { TrafficPanel } from "./traffic.tsx";

/** While something is being fetched its bar moves; else a quiet edge costs Keystone little. */
const BUSY_MS = 2_000;
const QUIET_MS = 5_000;
/** The edge writes what it counts every few seconds. */
const TRAFFIC_MS = 10_000;
/** An answer that is older than three intervals is not of now. */
const STALE = 3;
const NOTICE_MS = 10_000;
const SOON_MS = 5 * 60_000;

interface Props {
  readonly session: Session;
  /** @param why what is said at the log-in; null: nothing */
  readonly onLeave: (why: string | null) => void;
}

export function Dashboard({ session, onLeave }: Props) {
  const { token } = session;
  const [range, setRange] = useState<Range>(24);
  const [notice, setNotice] = useState<string | null>(null);
  const rates = useRef(new Rates());
  const askState = useCallback(async () => {
    const said = await api.state(token);
    rates.current.saw(said.fills ?? [], said.now);
    return said;
  }, [token]);
  const askTraffic = useCallback(() => api.traffic(token, range), [token, range]);
  const state = useLive(askState, (said) => (isBusy(said) ? BUSY_MS : QUIET_MS));
  const traffic = useLive(askTraffic, () => TRAFFIC_MS);
  useTick(1_000);

  const refused = [state.failure, traffic.failure].find(
    (failure) => failure?.status === 401 || failure?.status === 403,
  );
  useEffect(() => {
    if (refused !== undefined) onLeave(refused?.message ?? null);
  }, [refused, onLeave]);
  useEffect(() => {
    if (notice === null) return undefined;
    const timer = setTimeout(() => setNotice(null), NOTICE_MS);
    return () => clearTimeout(timer);
  }, [notice]);

  const { data, at, failure } = state;
  const done = (said: string) => {
    setNotice(said);
    state.reload();
  };
  const age = at === null ? 0 : performance.now() - at;
  const isStale = at !== null && age > STALE * QUIET_MS;
  const now = data === null || at === null ? 0 : edgeNow(data, at);
  return (
    <>
      <Top
        session={session}
        version={data?.version ?? null}
        now={now}
        isLive={failure === null && !isStale}
        onLeave={onLeave}
      />
      <main>
        <div class="banners" role="status">
          {isStale && <p class="banner">Not live: what you see is {duration(age)} old. The page goes on asking.</p>}
          {failure !== null && <p class="banner bad">{failure.message}</p>}
          {data !== null && data.unknown !== null && <p class="banner bad">{data.unknown}</p>}
          {notice !== null && <p class="banner good">{notice}</p>}
        </div>
        {data === null ? (
          <div class="panel skeleton" aria-busy={failure === null}>
            {failure === null ? "Asking the edge…" : "Nothing is known yet."}
          </div>
        ) : (
          <>
            <Summary state={data} hours={traffic.data?.hours ?? null} range={range} now={now} />
            <TrafficPanel traffic={traffic} range={range} now={now} onRange={setRange} />
            <div class="columns">
              <Fills fills={data.fills} rates={rates.current} now={now} />
              <Queue token={token} queue={data.queue} now={now} onDone={done} />
            </div>
            <StoredImages token={token} state={data} now={now} onDone={done} />
          </>
        )}
      </main>
    </>
  );
}

function isBusy(state: StateAnswer | null): boolean {
  return (state?.fills?.length ?? 0) > 0 || (state?.queue?.count ?? 0) > 0;
}

interface TopProps extends Props {
  readonly version: string | null;
  readonly now: number;
  readonly isLive: boolean;
}

function Top({ session, version, now, isLive, onLeave }: TopProps) {
  const { expiresAt, who } = session;
  const left = expiresAt === null || now === 0 ? null : expiresAt - now;
  return (
    <header class="top">
      <h1>
        glance-edge <small>{version}</small>
      </h1>
      <span class={isLive ? "live" : "live off"}>{isLive ? "Live" : "Not live"}</span>
      <span class="who">
        {left !== null && left < SOON_MS && <span class="bad">logged out in {duration(left)} </span>}
        {who}
      </span>
      <button type="button" onClick={() => onLeave(null)}>
        Log out
      </button>
    </header>
  );
}
