/**
 * What happened last, for whoever must understand a failing run. Lines are written only when somebody reads them: a run that
 * finds nothing pays for a closure each.
 */

const LINES_KEPT = 6000;

interface Line {
  readonly atMs: number;
  readonly who: string;
  readonly text: () => string;
}

export class Trace {
  readonly #lines: Line[] = [];
  #next = 0;

  add(atMs: number, who: string, text: () => string): void {
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
