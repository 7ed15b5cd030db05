/** Colours of terminals. Other control sequences are left out, as a terminal's cursor means nothing here. */
export interface Span {
  text: string;
  className?: string;
  color?: string;
  background?: string;
}

interface Style {
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  fg: string | null;
  bg: string | null;
}

const PLAIN: Style = { bold: false, dim: false, italic: false, underline: false, fg: null, bg: null };
const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
// CSI sequences, OSC sequences (titles, links), and single escapes.
const ESCAPE = /\u001b(?:\[([0-9;:?<=>]*)[ -/]*([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\^_])/g;

export function parseAnsi(line: string): Span[] {
  const carriage = line.lastIndexOf("\r", line.length - 2);
  // A progress bar draws over itself: what was drawn last is what is seen.
  const visible = carriage >= 0 ? line.slice(carriage + 1) : line;
  if (!visible.includes("\u001b")) return [{ text: visible.replace(/\r$/, "") }];
  const spans: Span[] = [];
  let style = PLAIN;
  let from = 0;
  ESCAPE.lastIndex = 0;
  for (let match = ESCAPE.exec(visible); match; match = ESCAPE.exec(visible)) {
    push(spans, visible.slice(from, match.index), style);
    from = match.index + match[0].length;
    if (match[2] === "m") style = apply(style, match[1] ?? "");
  }
  push(spans, visible.slice(from).replace(/\r$/, ""), style);
  return spans;
}

/** The text without any sequence. */
export function plain(line: string): string {
  return parseAnsi(line)
    .map((span) => span.text)
    .join("");
}

function push(spans: Span[], text: string, style: Style) {
  if (!text) return;
  const classes: string[] = [];
  if (style.bold) classes.push("font-semibold");
  if (style.dim) classes.push("opacity-75");
  if (style.italic) classes.push("italic");
  if (style.underline) classes.push("underline");
  const span: Span = { text };
  if (style.fg?.startsWith("#")) span.color = style.fg;
  else if (style.fg) classes.push(`ansi-${style.fg}`);
  if (style.bg?.startsWith("#")) span.background = style.bg;
  else if (style.bg) classes.push(`ansi-bg-${style.bg}`);
  if (classes.length > 0) span.className = classes.join(" ");
  spans.push(span);
}

function apply(style: Style, codes: string): Style {
  const numbers = codes === "" ? [0] : codes.split(/[;:]/).map(Number);
  let next = { ...style };
  for (let i = 0; i < numbers.length; i += 1) {
    const code = numbers[i]!;
    if (code === 0) next = { ...PLAIN };
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 22) next = { ...next, bold: false, dim: false };
    else if (code === 23) next.italic = false;
    else if (code === 24) next.underline = false;
    else if (code >= 30 && code <= 37) next.fg = NAMES[code - 30]!;
    else if (code === 39) next.fg = null;
    else if (code >= 40 && code <= 47) next.bg = NAMES[code - 40]!;
    else if (code === 49) next.bg = null;
    else if (code >= 90 && code <= 97) next.fg = NAMES[code - 90]!;
    else if (code >= 100 && code <= 107) next.bg = NAMES[code - 100]!;
    else if (code === 38 || code === 48) {
      const [color, used] = extended(numbers, i + 1);
      if (code === 38) next.fg = color;
      else next.bg = color;
      i += used;
    }
  }
  return next;
}

function extended(numbers: number[], at: number): [string | null, number] {
  if (numbers[at] === 5) return [indexed(numbers[at + 1] ?? 0), 2];
  if (numbers[at] === 2) {
    const hex = [1, 2, 3].map((i) => Math.min(255, numbers[at + i] ?? 0).toString(16).padStart(2, "0"));
    return [`#${hex.join("")}`, 4];
  }
  return [null, 1];
}

function indexed(index: number): string {
  if (index < 16) return NAMES[index % 8]!;
  const channel = (value: number) => value.toString(16).padStart(2, "0");
  if (index >= 232) {
    const grey = channel(8 + (Math.min(index, 255) - 232) * 10);
    return `#${grey}${grey}${grey}`;
  }
  const steps = [0, 95, 135, 175, 215, 255];
  const n = index - 16;
  return `#${[Math.floor(n / 36), Math.floor(n / 6) % 6, n % 6].map((i) => channel(steps[i] ?? 0)).join("")}`;
}
