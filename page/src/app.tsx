/** Who is logged in: nobody at first, and nobody again when the token's time is over. */
import { useState } from "preact/hooks";
import type { Session } from "./client.ts";
import { Dashboard } from "./dashboard.tsx";
import { LogIn } from "./log-in.tsx";

export function App() {
  const [session, setSession] = useState<Session | null>(null);
  const [message, setMessage] = useState<string | null>(null);
  if (session === null) return <LogIn message={message} onLogIn={setSession} />;
  const leave = (why: string | null) => {
    setMessage(why);
    setSession(null);
  };
  return <Dashboard session={session} onLeave={leave} />;
}
