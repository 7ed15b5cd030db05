import { events } from "@/api/events";
import { cn } from "@/lib/cn";
import { toggleTheme, useDark } from "@/lib/theme";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { Command, LayoutDashboard, ListChecks, type LucideIcon, Moon, Server, Sun, Workflow } from "lucide-react";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Palette } from "./palette";
import { Shortcuts } from "./shortcuts";
import { Who } from "./who";
import { IconButton } from "./ui/button";
import { Kbd } from "./ui/fields";

const PLACES: { to: "/" | "/tasks" | "/jobs" | "/workers"; name: string; icon: LucideIcon; key: string }[] = [
  { to: "/", name: "Dashboard", icon: LayoutDashboard, key: "d" },
  { to: "/tasks", name: "Tasks", icon: Workflow, key: "t" },
  { to: "/jobs", name: "Jobs", icon: ListChecks, key: "j" },
  { to: "/workers", name: "Workers", icon: Server, key: "w" },
];

export function Shell() {
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  useKeys({ palette: () => setPalette(true), help: () => setHelp(true) });
  return (
    <div className="flex min-h-dvh flex-col sm:flex-row">
      <a href="#content" className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded focus:bg-surface focus:p-2">
        Skip to the content
      </a>
      <Side onPalette={() => setPalette(true)} />
      <main id="content" tabIndex={-1} className="min-w-0 flex-1 pb-16 outline-none sm:pb-0">
        <Connection />
        <Outlet />
      </main>
      {palette && <Palette onClose={() => setPalette(false)} onHelp={() => setHelp(true)} />}
      {help && <Shortcuts onClose={() => setHelp(false)} />}
    </div>
  );
}

function Side({ onPalette }: { onPalette: () => void }) {
  const dark = useDark();
  return (
    <header className="fixed inset-x-0 bottom-0 z-30 border-t border-line bg-surface sm:sticky sm:inset-auto sm:top-0 sm:flex sm:h-dvh sm:w-52 sm:shrink-0 sm:flex-col sm:border-t-0 sm:border-r">
      <Link to="/" className="hidden items-center gap-2.5 px-4 pt-4 pb-3 text-[15px] font-semibold tracking-tight sm:flex">
        <img src="/icon.svg" alt="" className="size-6" />
        Strøm
      </Link>
      <div className="hidden px-3 pb-3 sm:block">
        <button
          type="button"
          onClick={onPalette}
          className="flex h-8 w-full items-center gap-2 rounded-md border border-line bg-ground px-2.5 text-[13px] text-muted hover:text-ink"
        >
          <Command aria-hidden className="size-3.5" />
          Go to…
          <span className="ml-auto">
            <Kbd>Ctrl K</Kbd>
          </span>
        </button>
      </div>
      <nav aria-label="Main" className="flex justify-around sm:flex-col sm:gap-0.5 sm:px-3">
        {PLACES.map(({ to, name, icon: Icon }) => (
          <Link
            key={to}
            to={to}
            activeOptions={{ exact: to === "/", includeSearch: false }}
            className="flex flex-col items-center gap-0.5 rounded-md px-3 py-2 text-[11px] text-muted hover:text-ink sm:flex-row sm:gap-2.5 sm:px-2.5 sm:py-1.5 sm:text-[13px] sm:font-medium sm:hover:bg-raised aria-[current=page]:text-accent sm:aria-[current=page]:bg-accent-soft"
          >
            <Icon aria-hidden className="size-5 sm:size-4" />
            {name}
          </Link>
        ))}
        <button type="button" onClick={onPalette} className="flex flex-col items-center gap-0.5 px-3 py-2 text-[11px] text-muted sm:hidden">
          <Command aria-hidden className="size-5" />
          Go to
        </button>
      </nav>
      <div className="mt-auto" />
      <Who />
      <div className="hidden items-center justify-between border-t border-line px-3 py-2 sm:flex">
        <LiveDot />
        <IconButton label={dark ? "Use light colours" : "Use dark colours"} onClick={toggleTheme}>
          {dark ? <Sun /> : <Moon />}
        </IconButton>
      </div>
    </header>
  );
}

function useConnection() {
  return useSyncExternalStore(events.subscribe, events.connection);
}

function LiveDot() {
  const connection = useConnection();
  return (
    <span role="status" data-connection={connection} className="flex items-center gap-2 text-[12px] text-muted">
      <span aria-hidden className={cn("size-2 rounded-full", connection === "live" ? "bg-good" : "animate-pulse bg-waiting")} />
      {connection === "live" ? "Live" : connection === "connecting" ? "Connecting…" : "Reconnecting…"}
    </span>
  );
}

/** Quiet, as nothing is lost: what is shown stays, and what changed comes when the server is back. */
function Connection() {
  const connection = useConnection();
  if (connection !== "reconnecting") return null;
  return (
    <div className="sticky top-0 z-20 border-b border-line bg-waiting-soft px-4 py-1.5 text-center text-[12px] text-waiting">
      Reconnecting to the server. What you see may be a moment old.
    </div>
  );
}

function useKeys({ palette, help }: { palette: () => void; help: () => void }) {
  const navigate = useNavigate();
  const pending = useRef(0);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        palette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName)) return;
      const place = PLACES.find((one) => one.key === event.key);
      if (pending.current > Date.now() && place) {
        event.preventDefault();
        void navigate({ to: place.to });
      } else if (event.key === "/") {
        const field = document.querySelector<HTMLElement>("[data-search]");
        if (!field) return;
        event.preventDefault();
        field.focus();
      } else if (event.key === "?") help();
      pending.current = event.key === "g" ? Date.now() + 1000 : 0;
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [navigate, palette, help]);
}

/** The head of a page: where one is, and what one can do here. It also names the document. */
export function PageHead({ title, over, children }: { title: string; over?: React.ReactNode; children?: React.ReactNode }) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => {
    document.title = `${title} · Strøm`;
  }, [title, path]);
  return (
    <header className="flex flex-wrap items-end justify-between gap-x-4 gap-y-2 px-4 pt-4 pb-3 lg:px-6 lg:pt-5">
      <div className="min-w-0">
        {over && <div className="mb-0.5 flex items-center gap-1.5 text-[12px] text-muted">{over}</div>}
        <h1 className="truncate text-xl font-semibold tracking-tight">{title}</h1>
      </div>
      {children && <div className="flex flex-wrap items-center gap-2">{children}</div>}
    </header>
  );
}
