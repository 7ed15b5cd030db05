import { api } from "@/api/client";
import { queries } from "@/api/queries";
import { session } from "@/api/session";
import { useQuery } from "@tanstack/react-query";
import { LogOut } from "lucide-react";
import { useEffect } from "react";
import { IconButton } from "./ui/button";

/** Milliseconds between two renewals of the session, which lasts for twelve hours. */
const RENEW = 60 * 60 * 1000;

export async function logOut() {
  await api.post("/api/auth/logout");
  session.refused();
}

/** Who is logged in, and the way out. Nothing on a server that asks nobody. */
export function Who() {
  const { data: me } = useQuery(queries.me());
  const name = me?.name;
  useEffect(() => {
    if (!name) return;
    // A failure shows with the next thing that is asked for.
    const renew = () => void api.post("/api/auth/refresh").catch(() => undefined);
    renew();
    const timer = setInterval(renew, RENEW);
    return () => clearInterval(timer);
  }, [name]);
  if (!me || !name) return null;
  return (
    <div className="hidden items-center justify-between gap-2 border-t border-line px-3 py-1.5 text-[12px] text-muted sm:flex">
      <span className="min-w-0 truncate" title={`${name} may ${MAY[me.role] ?? me.role}`}>
        {name} · {me.role}
      </span>
      <IconButton label="Log out" onClick={() => void logOut()}>
        <LogOut />
      </IconButton>
    </div>
  );
}

const MAY: Record<string, string> = {
  read: "look",
  run: "look, and run and cancel jobs",
  admin: "do everything",
};
