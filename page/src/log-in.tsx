/** Logging in: with an application credential, or with a token that somebody has. */
import type { TargetedSubmitEvent } from "preact";
import { useRef, useState } from "preact/hooks";
import { ApiFailure, api, type Session } from "./client.ts";

interface Props {
  /** Why the last session ended. */
  readonly message: string | null;
  readonly onLogIn: (session: Session) => void;
}

export function LogIn({ message, onLogIn }: Props) {
  const [problem, setProblem] = useState(message);
  const [busy, setBusy] = useState(false);
  const id = useRef<HTMLInputElement>(null);
  const secret = useRef<HTMLInputElement>(null);
  const token = useRef<HTMLInputElement>(null);

  const submit = (open: () => Promise<Session>) => async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      onLogIn(await open());
    } catch (cause) {
      setProblem(cause instanceof ApiFailure ? cause.message : `The page has a fault: ${cause}`);
      setBusy(false);
    }
  };
  const byCredential = async (): Promise<Session> => {
    const { token, expires_at, user, project } = await api.login(
      id.current?.value.trim() ?? "",
      secret.current?.value ?? "",
    );
    const who = user === null ? null : project === null ? user : `${user} in ${project}`;
    return { token, expiresAt: expires_at, who };
  };
  const byToken = async (): Promise<Session> => {
    const given = token.current?.value.trim() ?? "";
    if (!/^[!-~]+$/.test(given)) throw new ApiFailure(0, "This is no token: a token has no blanks and only ASCII.");
    await api.state(given);
    return { token: given, expiresAt: null, who: null };
  };

  return (
    <main class="log-in">
      <h1>glance-edge</h1>
      <p class="muted">The image cache of this cloud. For administrators.</p>
      {problem !== null && (
        <p role="alert" class="problem">
          {problem}
        </p>
      )}
      <form onSubmit={submit(byCredential)} aria-busy={busy}>
        <h2>Application credential</h2>
        <label>
          ID
          <input ref={id} name="id" required autocomplete="username" spellcheck={false} autocapitalize="none" />
        </label>
        <label>
          Secret
          <input ref={secret} name="secret" type="password" required autocomplete="current-password" />
        </label>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? "Asking Keystone…" : "Log in"}
        </button>
        <p class="hint">
          Make one with <code>openstack application credential create edge-page</code>, without access rules.
        </p>
      </form>
      <details>
        <summary>Use a token instead</summary>
        <form onSubmit={submit(byToken)} aria-busy={busy}>
          <label>
            Token
            <input ref={token} name="token" type="password" required autocomplete="off" />
          </label>
          <button type="submit" disabled={busy}>
            Use this token
          </button>
          <p class="hint">
            From <code>openstack token issue -f value -c id</code>. It stays in this page's memory, and is gone when you
            close or reload it.
          </p>
        </form>
      </details>
    </main>
  );
}
