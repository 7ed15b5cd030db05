import type { LogHit } from "@/api/client";
import { events } from "@/api/events";
import { Button, IconButton, buttonClass } from "@/components/ui/button";
import { Empty, Failed, Loading } from "@/components/ui/faces";
import { Input } from "@/components/ui/fields";
import { cn } from "@/lib/cn";
import { parseAnsi } from "@/lib/ansi";
import { counted, exact, logTime } from "@/lib/time";
import { ArrowDown, ArrowDownToLine, ArrowUp, Clock, Download, Search, TriangleAlert, X } from "lucide-react";
import { type KeyboardEvent, type ReactNode, memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { type LogLine, LogSource, type LogState, searchLog } from "./log-source";

const ROW = 20;
/** Browsers cut elements that are higher than about 33 million pixels; a longer log moves faster under the thumb. */
const TALLEST = 24_000_000;
const OVERSCAN = 12;
/** Characters of a line that are drawn; a click shows the rest. */
const DRAWN = 2000;

interface Props {
  job: string;
  /** The step whose lines are shown; all of them when null. */
  step: string | null;
  /** Whether the job has more than one step, so that a line of all steps says whose it is. */
  several: boolean;
  over: boolean;
  /** Where to begin when no line is linked. */
  begin: "start" | "end";
  at: string | undefined;
  onAt: (cursor: string | undefined) => void;
}

export function LogView(props: Props) {
  // Another log is another view: nothing of the old one is kept.
  return <OneLog key={`${props.job}/${props.step ?? ""}`} {...props} />;
}

function useSource(job: string, step: string | null): [LogSource, LogState] {
  const [source, setSource] = useState(() => new LogSource(job, step));
  useEffect(() => {
    const fresh = new LogSource(job, step);
    setSource(fresh);
    void fresh.grow();
    const leave = events.followLog(job, () => void fresh.grow());
    return () => {
      leave();
      fresh.close();
    };
  }, [job, step]);
  return [source, useSyncExternalStore(source.subscribe, source.snapshot)];
}

function OneLog({ job, step, several, over, begin, at, onAt }: Props) {
  const [source, { version, lines, loaded, complete, error }] = useSource(job, step);
  const [follow, setFollow] = useState(begin === "end" && !at);
  const [times, setTimes] = useState(false);
  const [whole, setWhole] = useState<number | null>(null);
  const search = useSearch(job, step);
  const viewport = useViewport(lines);
  const { first, last, scrollToLine } = viewport;

  useEffect(() => source.need(first, last), [source, version, first, last]);

  // The end is followed before the paint, so that the view never shows a step back.
  useLayoutEffect(() => {
    if (follow && lines > 0) scrollToLine(lines - 1, "end");
  }, [follow, lines, scrollToLine, viewport.height]);

  const target = at ? source.index.lineOf(at) : null;
  const linked = useRef<string | null>(null);
  useEffect(() => {
    if (at && target !== null && linked.current !== at) {
      linked.current = at;
      setFollow(false);
      scrollToLine(target, "middle");
    }
  }, [at, target, scrollToLine]);

  const go = (cursor: string) => {
    const line = source.index.lineOf(cursor);
    if (line === null) return;
    linked.current = cursor;
    setFollow(false);
    scrollToLine(line, "middle");
    onAt(cursor);
  };
  useEffect(() => {
    const hit = search.current;
    if (hit) go(hit.cursor);
    // A new hit moves the view; a view that moves by itself must not bring it back.
  }, [search.current?.cursor]);

  const keys = (event: KeyboardEvent) => {
    if (event.target instanceof HTMLInputElement) return;
    if (event.key === "n") search.move(1);
    else if (event.key === "N") search.move(-1);
    else if (event.key === "f") setFollow(true);
    else if (event.key === "e") search.failures();
    else return;
    event.preventDefault();
  };

  if (error && !loaded) return <Failed error={error} what="The log" retry={() => void source.grow()} />;
  const rows: ReactNode[] = [];
  for (let number = first; number <= last && number < lines; number += 1) {
    rows.push(
      <Row
        key={number}
        number={number}
        top={viewport.topOf(number)}
        line={source.line(number)}
        times={times}
        withStep={step === null && several}
        selected={number === target}
        needle={search.text}
        onSelect={() => {
          linked.current = source.index.cursor(number);
          onAt(number === target ? undefined : (linked.current ?? undefined));
        }}
        onWhole={() => setWhole(number)}
      />,
    );
  }
  const opened = whole === null ? undefined : source.line(whole);
  return (
    <div className="flex min-h-0 flex-1 flex-col" onKeyDown={keys}>
      <Toolbar
        search={search}
        times={times}
        onTimes={() => setTimes(!times)}
        follow={follow}
        live={!over}
        onFollow={() => setFollow(!follow)}
        download={`/api/jobs/${job}/logs/download${step ? `?step=${encodeURIComponent(step)}` : ""}`}
        lines={lines}
      />
      <div
        ref={viewport.ref}
        role="region"
        aria-label={`Log of ${step ?? "all steps"}`}
        tabIndex={0}
        data-lines={lines}
        data-complete={complete}
        onScroll={(event) => {
          viewport.onScroll(event);
          const box = event.currentTarget;
          const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < ROW * 1.5;
          if (!atEnd && viewport.byUser()) setFollow(false);
        }}
        className="relative min-h-64 flex-1 overflow-auto bg-surface font-mono text-[12px] -outline-offset-2"
      >
        {lines === 0 ? (
          loaded ? (
            <div className="font-sans">
              <Empty title={over ? "Nothing was printed" : "Nothing printed yet"}>{!over && "Lines appear here as soon as they are printed."}</Empty>
            </div>
          ) : (
            <Loading label="Loading the log" />
          )
        ) : (
          <div className="relative min-w-full" style={{ height: viewport.fullHeight }}>
            {rows}
          </div>
        )}
      </div>
      {opened && (
        <div className="max-h-52 overflow-auto border-t border-line bg-raised p-3 font-mono text-[12px]">
          <div className="mb-1 flex items-center justify-between font-sans text-[12px] text-muted">
            <span>
              Line {whole! + 1}, {opened.line.length} characters
            </span>
            <IconButton label="Close the line" onClick={() => setWhole(null)}>
              <X />
            </IconButton>
          </div>
          <p className="break-all whitespace-pre-wrap">{opened.line}</p>
        </div>
      )}
    </div>
  );
}

/** Which lines are in view. Lines have one height, so this is arithmetic, whatever the number of lines. */
function useViewport(lines: number) {
  const ref = useRef<HTMLDivElement>(null);
  const [height, setHeight] = useState(400);
  const [scrollTop, setScrollTop] = useState(0);
  const wanted = useRef(-1);
  const natural = lines * ROW;
  const fullHeight = Math.min(natural, TALLEST);
  const room = Math.max(1, fullHeight - height);
  // How many pixels of the log one pixel of the scroll bar stands for.
  const scale = natural > TALLEST ? (natural - height) / room : 1;
  const offset = scrollTop * scale;
  const first = Math.max(0, Math.floor(offset / ROW) - OVERSCAN);
  const last = Math.max(0, Math.min(lines - 1, Math.ceil((offset + height) / ROW) + OVERSCAN));

  const present = lines > 0;
  useLayoutEffect(() => {
    const box = ref.current;
    if (!box) return;
    setHeight(box.clientHeight || 400);
    const observer = new ResizeObserver(() => setHeight(box.clientHeight || 400));
    observer.observe(box);
    return () => observer.disconnect();
  }, [present]);

  const scrollToLine = useCallback(
    (line: number, place: "middle" | "end") => {
      const box = ref.current;
      if (!box) return;
      const pixels = place === "end" ? (line + 1) * ROW - height : line * ROW - height / 2;
      const top = Math.max(0, pixels / scale);
      box.scrollTop = top;
      wanted.current = box.scrollTop;
      setScrollTop(box.scrollTop);
    },
    [height, scale],
  );
  return {
    ref,
    height,
    first,
    last,
    fullHeight,
    scrollToLine,
    topOf: (line: number) => (scale === 1 ? line * ROW : scrollTop + line * ROW - offset),
    onScroll: (event: React.UIEvent<HTMLDivElement>) => setScrollTop(event.currentTarget.scrollTop),
    /** Whether the last movement came from the reader and not from here. */
    byUser: () => Math.abs((ref.current?.scrollTop ?? 0) - wanted.current) > 2,
  };
}

const Row = memo(
  function Row({ number, top, line, times, withStep, selected, needle, onSelect, onWhole }: {
    number: number;
    top: number;
    line: LogLine | undefined;
    times: boolean;
    withStep: boolean;
    selected: boolean;
    needle: string;
    onSelect: () => void;
    onWhole: () => void;
  }) {
    return (
      <div
        data-line={number}
        className={cn("absolute left-0 flex min-w-full items-center whitespace-pre", selected ? "bg-accent-soft" : "hover:bg-raised")}
        style={{ transform: `translateY(${top}px)`, height: ROW }}
      >
        <button
          type="button"
          tabIndex={-1}
          aria-label={`Link to line ${number + 1}`}
          onClick={onSelect}
          className={cn("sticky left-0 z-10 h-full w-16 shrink-0 pr-3 text-right tabular-nums select-none hover:text-ink", selected ? "bg-accent-soft font-semibold text-ink" : "bg-surface text-muted")}
        >
          {number + 1}
        </button>
        {line === undefined ? (
          <span aria-hidden className="h-2.5 w-64 rounded bg-raised" />
        ) : (
          <>
            {times && (
              <time dateTime={line.ts} title={exact(line.ts)} className="mr-3 shrink-0 text-muted tabular-nums select-none">
                {logTime(line.ts)}
              </time>
            )}
            {withStep && <span className="mr-3 w-24 shrink-0 truncate text-muted select-none" title={line.step}>{line.step}</span>}
            <span
              className={cn("mr-2 w-7 shrink-0 text-[10px] select-none", line.stream === "stderr" ? "text-bad" : "text-accent")}
              title={line.stream === "engine" ? "Strøm says" : line.stream}
            >
              {line.stream === "stderr" ? "err" : line.stream === "engine" ? "strøm" : ""}
            </span>
            <Text line={line} needle={needle} onWhole={onWhole} />
          </>
        )}
      </div>
    );
  },
  (a, b) => a.line === b.line && a.top === b.top && a.times === b.times && a.selected === b.selected && a.needle === b.needle && a.number === b.number,
);

function Text({ line, needle, onWhole }: { line: LogLine; needle: string; onWhole: () => void }) {
  const cut = line.line.length > DRAWN;
  const spans = useMemo(() => parseAnsi(cut ? line.line.slice(0, DRAWN) : line.line), [line, cut]);
  return (
    <span className={cn("pr-4", line.stream === "engine" && "italic")}>
      {spans.map((span, index) => {
        const style = span.color || span.background ? { color: span.color, backgroundColor: span.background } : undefined;
        const text = needle ? marked(span.text, needle) : span.text;
        return span.className || style ? (
          <span key={index} className={span.className} style={style}>
            {text}
          </span>
        ) : (
          <span key={index}>{text}</span>
        );
      })}
      {cut && (
        <button type="button" onClick={onWhole} className="ml-2 text-accent underline">
          … {line.line.length - DRAWN} more
        </button>
      )}
    </span>
  );
}

/** As the server searches: in any case of letters when the text has no capital one. */
export function marked(text: string, needle: string): ReactNode {
  const exactCase = needle !== needle.toLowerCase();
  const haystack = exactCase ? text : text.toLowerCase();
  const parts: ReactNode[] = [];
  let from = 0;
  for (let at = haystack.indexOf(needle); at >= 0 && needle; at = haystack.indexOf(needle, from)) {
    parts.push(text.slice(from, at), <mark key={at}>{text.slice(at, at + needle.length)}</mark>);
    from = at + needle.length;
  }
  return from === 0 ? text : [...parts, text.slice(from)];
}

interface SearchState {
  typed: string;
  text: string;
  mode: "text" | "failures" | null;
  hits: LogHit[];
  complete: boolean;
  busy: boolean;
  place: number;
  current: LogHit | undefined;
  type: (text: string) => void;
  failures: () => void;
  clear: () => void;
  move: (by: number) => void;
}

function useSearch(job: string, step: string | null): SearchState {
  const [typed, setTyped] = useState("");
  const [query, setQuery] = useState<{ q: string | null } | null>(null);
  const [result, setResult] = useState<{ hits: LogHit[]; complete: boolean; busy: boolean }>({ hits: [], complete: true, busy: false });
  const [place, setPlace] = useState(0);
  useEffect(() => {
    if (!typed) return;
    const timer = setTimeout(() => setQuery({ q: typed }), 200);
    return () => clearTimeout(timer);
  }, [typed]);
  useEffect(() => {
    setPlace(0);
    if (!query) {
      setResult({ hits: [], complete: true, busy: false });
      return;
    }
    const abort = new AbortController();
    setResult({ hits: [], complete: false, busy: true });
    searchLog(job, step, query.q, abort.signal, (hits, complete) => setResult({ hits, complete, busy: !complete }))
      .catch(() => {})
      .finally(() => !abort.signal.aborted && setResult((old) => ({ ...old, busy: false })));
    return () => abort.abort();
  }, [job, step, query]);
  return {
    typed,
    text: query?.q ?? "",
    mode: query ? (query.q === null ? "failures" : "text") : null,
    ...result,
    place,
    current: result.hits[place],
    type: (text) => {
      setTyped(text);
      if (!text) setQuery(null);
    },
    failures: () => {
      setTyped("");
      setQuery({ q: null });
    },
    clear: () => {
      setTyped("");
      setQuery(null);
    },
    move: (by) => result.hits.length > 0 && setPlace((place + by + result.hits.length) % result.hits.length),
  };
}

function Toolbar({ search, times, onTimes, follow, live, onFollow, download, lines }: {
  search: SearchState;
  times: boolean;
  onTimes: () => void;
  follow: boolean;
  live: boolean;
  onFollow: () => void;
  download: string;
  lines: number;
}) {
  return (
    <div role="toolbar" aria-label="Log" className="flex flex-wrap items-center gap-1.5 border-b border-line px-2 py-1.5">
      <div className="relative min-w-40 flex-1 sm:max-w-72">
        <Search aria-hidden className="absolute top-2 left-2 size-4 text-muted" />
        <Input
          type="search"
          data-search
          aria-label="Search the log"
          placeholder="Search the log"
          className="pl-8 [&::-webkit-search-cancel-button]:hidden"
          value={search.typed}
          onChange={(event) => search.type(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") search.move(event.shiftKey ? -1 : 1);
            if (event.key === "Escape") search.clear();
          }}
        />
      </div>
      {search.mode && (
        <span className="flex items-center gap-1">
          <span role="status" className="px-1 text-[12px] whitespace-nowrap text-muted tabular-nums" data-hits={search.hits.length}>
            {search.hits.length === 0
              ? search.busy
                ? "Searching…"
                : search.mode === "failures"
                  ? "No errors"
                  : "No hits"
              : `${(search.place + 1).toLocaleString()} of ${search.hits.length.toLocaleString()}${search.complete ? "" : "+"}`}
          </span>
          <IconButton label="Hit before" onClick={() => search.move(-1)} disabled={search.hits.length === 0}>
            <ArrowUp />
          </IconButton>
          <IconButton label="Next hit" onClick={() => search.move(1)} disabled={search.hits.length === 0}>
            <ArrowDown />
          </IconButton>
          <IconButton label="End the search" onClick={search.clear}>
            <X />
          </IconButton>
        </span>
      )}
      <Button look="ghost" onClick={search.failures} aria-pressed={search.mode === "failures"} title="Lines with words of failure (e)">
        <TriangleAlert />
        Errors
      </Button>
      <span className="ml-auto hidden px-1 text-[12px] text-muted tabular-nums sm:inline">{counted(lines, "line")}</span>
      <Button look="ghost" onClick={onTimes} aria-label="Times" aria-pressed={times} className={cn(times && "bg-raised text-ink")}>
        <Clock />
        <span className="hidden sm:inline">Times</span>
      </Button>
      <Button look="ghost" onClick={onFollow} aria-pressed={follow} title={live ? "Stay at the newest line (f)" : "Go to the end (f)"} className={cn(follow && "bg-accent-soft text-accent")}>
        <ArrowDownToLine />
        {live ? "Follow" : "End"}
      </Button>
      <a href={download} download aria-label="Download the log" title="Download" className={buttonClass("ghost", "w-8 px-0")}>
        <Download />
      </a>
    </div>
  );
}

/** The last lines of a step, for where a failure is explained. */
export function LogTail({ job, step, lines }: { job: string; step: string; lines: number }) {
  const [source, { version, lines: total }] = useSource(job, step);
  const first = Math.max(0, total - lines);
  useEffect(() => {
    if (total > 0) source.need(first, total - 1);
  }, [source, version, first, total]);
  if (total === 0) return null;
  const shown = Array.from({ length: total - first }, (_, place) => source.line(first + place));
  return (
    <div role="region" aria-label={`Last lines of ${step}`} tabIndex={0} className="overflow-x-auto rounded-md border border-line bg-surface py-1.5 font-mono text-[12px]">
      {shown.map((line, place) => (
        <div key={first + place} className="flex px-3 whitespace-pre" style={{ minHeight: ROW }}>
          <span className="mr-3 w-8 shrink-0 text-right text-muted select-none">{first + place + 1}</span>
          {line && <Text line={line} needle="" onWhole={() => {}} />}
        </div>
      ))}
    </div>
  );
}
