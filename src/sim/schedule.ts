/**
 * Virtual time: what is to happen, in the order of its time and, at the same time, in the order it was asked for. Nothing in the
 * simulator happens outside of it, so a run is the same each time and takes no longer than its work.
 */

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Events at one moment; a world of thousands of clients has far fewer. */
const STANDING_MAX = 200_000;

export class Schedule {
  nowMs = 0;
  #heap: Entry[] = [];
  #order = 0;
  #isStopped = false;

  /** Something that happens `inMs` from now; at once, after what is happening, when it is not above 0. */
  after(inMs: number, run: () => void): void {
    this.at(this.nowMs + Math.max(inMs, 0), run);
  }

  at(atMs: number, run: () => void): void {
    const entry: Entry = { atMs, order: this.#order++, run };
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!isBefore(entry, heap[up]!)) break;
      heap[i] = heap[up]!;
      i = up;
    }
    heap[i] = entry;
  }

  /** Runs everything up to and including `untilMs`, and leaves the clock there. */
  runUntil(untilMs: number): void {
    let standing = 0;
    while (!this.#isStopped) {
      const first = this.#heap[0];
      if (first === undefined || first.atMs > untilMs) break;
      this.#removeFirst();
      if (first.atMs > this.nowMs) standing = 0;
      else if (++standing > STANDING_MAX) throw new Error('time stands still: something is due again and again');
      this.nowMs = first.atMs;
      first.run();
    }
    if (!this.#isStopped) this.nowMs = untilMs;
  }

  /** Ends the run: nothing happens any more. */
  stop(): void {
    this.#isStopped = true;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let down = 2 * i + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && isBefore(heap[down + 1]!, heap[down]!)) down++;
      if (!isBefore(heap[down]!, last)) break;
      heap[i] = heap[down]!;
      i = down;
    }
    heap[i] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
