import { queryClient } from "@/api/queries";
import { ApiError, api } from "@/api/client";
import { events } from "@/api/events";
import { session } from "@/api/session";
import { type FormEvent, type ReactNode, useEffect, useState, useSyncExternalStore } from "react";
import { Button } from "./ui/button";
import { sentence } from "./ui/faces";
import { Input } from "./ui/fields";

/** The page, or the login in its place as soon as the server wants to know who this is. The address stays. */
export function Gate({ children }: { children: ReactNode }) {
  const asked = useSyncExternalStore(session.subscribe, session.isAsked);
  useEffect(() => {
    if (asked) return;
    events.start();
    return () => events.stop();
  }, [asked]);
  return asked ? <Login /> : children;
}

function Login() {
  const [token, setToken] = useState("");
  const [wrong, setWrong] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    document.title = "Log in · Strøm";
  }, []);
  const enter = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setWrong(null);
    try {
      await api.post("/api/auth/login", { body: { token: token.trim() } });
      // What the one before saw may not be for this one.
      queryClient.clear();
      session.entered();
    } catch (error) {
      const unknown = error instanceof ApiError && error.body.code === "bad_token";
      setWrong(unknown ? "The server does not know this token." : sentence(error));
      setBusy(false);
    }
  };
  return (
    <main className="flex min-h-dvh items-center justify-center p-4">
      <form onSubmit={enter} className="w-full max-w-sm rounded-lg border border-line bg-surface p-6">
        <img src="/icon.svg" alt="" className="mb-3 size-8" />
        <h1 className="text-xl font-semibold tracking-tight">Log in</h1>
        <p className="mt-1 text-[13px] text-muted">This server is open to who has one of its tokens.</p>
        <label htmlFor="token" className="mt-4 mb-1 block text-[13px] font-medium">
          Token
        </label>
        <Input
          id="token"
          type="password"
          autoComplete="current-password"
          autoFocus
          required
          value={token}
          onChange={(event) => setToken(event.target.value)}
          aria-invalid={wrong !== null}
          aria-describedby={wrong === null ? undefined : "wrong"}
        />
        {wrong !== null && (
          <p id="wrong" role="alert" className="mt-1.5 text-[13px] text-bad">
            {wrong}
          </p>
        )}
        <Button type="submit" look="solid" disabled={busy} className="mt-4 w-full">
          Log in
        </Button>
      </form>
    </main>
  );
}
