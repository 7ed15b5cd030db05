/** Where lines are: from a line's number in the view to its chunk, and back from a cursor. Knows no lines. */
import type { LogChunk } from "@/api/client";

export class LogIndex {
  readonly chunks: LogChunk[] = [];
  /** `starts[i]` lines are before chunk `i`; one more at the end. */
  readonly starts: number[] = [0];

  get lines(): number {
    return this.starts[this.starts.length - 1]!;
  }

  append(chunks: LogChunk[]) {
    for (const chunk of chunks) {
      const last = this.chunks[this.chunks.length - 1];
      if (last && chunk.chunk <= last.chunk) continue;
      this.chunks.push(chunk);
      this.starts.push(this.lines + chunk.lines);
    }
  }

  /** The place of the chunk that holds a line. */
  at(line: number): number {
    let low = 0;
    let high = this.chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle]! <= line) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  cursor(line: number): string | null {
    const place = this.at(line);
    const chunk = this.chunks[place];
    return chunk ? `${chunk.chunk}-${line - this.starts[place]!}` : null;
  }

  /** The number of the line at a cursor; of the next one that this view has, when the cursor is another step's. */
  lineOf(cursor: string): number | null {
    const match = /^(\d+)-(\d+)$/.exec(cursor);
    if (!match || this.chunks.length === 0) return null;
    const number = Number(match[1]);
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.chunks[middle]!.chunk < number) low = middle + 1;
      else high = middle;
    }
    const chunk = this.chunks[low];
    if (!chunk) return null;
    return this.starts[low]! + (chunk.chunk === number ? Math.min(Number(match[2]), chunk.lines - 1) : 0);
  }
}
