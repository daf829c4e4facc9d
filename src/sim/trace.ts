/**
 * What happened last, for whoever must understand a failing run. A run that finds nothing writes nothing: who wants the lines
 * makes the run again, which is the same, with the trace on.
 */
import { Story } from './story.ts';

const LINES_KEPT = 6000;

interface Line {
  readonly atMs: number;
  readonly who: string;
  readonly text: () => string;
}

export class Trace {
  readonly isOn: boolean;
  /** The same run in words; only while the trace is on. */
  readonly story: Story | undefined;
  readonly #lines: Line[] = [];
  #next = 0;

  constructor(isOn: boolean) {
    this.isOn = isOn;
    this.story = isOn ? new Story() : undefined;
  }

  add(atMs: number, who: string, text: () => string): void {
    if (!this.isOn) return;
    this.#lines[this.#next % LINES_KEPT] = { atMs, who, text };
    this.#next++;
  }

  /** The last lines that hold `word`, oldest first. */
  tail(count: number, word = ''): string[] {
    const out: string[] = [];
    const oldest = Math.max(0, this.#next - LINES_KEPT);
    for (let i = this.#next - 1; i >= oldest && out.length < count; i--) {
      const line = this.#lines[i % LINES_KEPT]!;
      const text = `${(line.atMs / 1000).toFixed(3).padStart(10)} ${line.who.padEnd(4)} ${line.text()}`;
      if (text.includes(word)) out.push(text);
    }
    return out.reverse();
  }
}
