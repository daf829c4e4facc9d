/**
 * Virtual time: what is to happen, in the order of its time and, at the same time, in the order it was asked for. Nothing in the
 * simulator happens outside of it, so a run is the same each time and takes no longer than its work.
 */

/** Events at one moment; a world of thousands of clients has far fewer. */
const STANDING_MAX = 200_000;

const ROOM_FIRST = 1024;
/** Children of a place in the heap: with four a way up or down is half as long, and they lie side by side. */
const WAYS = 4;

export class Schedule {
  nowMs = 0;
  /** A heap in three columns, so that finding the place of an entry reads numbers that lie together, and no objects. */
  #atMs = new Float64Array(ROOM_FIRST);
  #orders = new Float64Array(ROOM_FIRST);
  readonly #runs: (() => void)[] = [];
  #order = 0;
  #isStopped = false;

  /** Something that happens `inMs` from now; at once, after what is happening, when it is not above 0. */
  after(inMs: number, run: () => void): void {
    this.at(this.nowMs + Math.max(inMs, 0), run);
  }

  at(atMs: number, run: () => void): void {
    const runs = this.#runs;
    let i = runs.length;
    if (i === this.#atMs.length) this.#grow();
    const times = this.#atMs;
    const orders = this.#orders;
    runs.push(run);
    while (i > 0) {
      const up = ((i - 1) / WAYS) | 0;
      // Of two at one moment the one that was asked for first stays above.
      if (atMs >= times[up]!) break;
      times[i] = times[up]!;
      orders[i] = orders[up]!;
      runs[i] = runs[up]!;
      i = up;
    }
    times[i] = atMs;
    orders[i] = this.#order++;
    runs[i] = run;
  }

  /** Runs everything up to and including `untilMs`, and leaves the clock there. */
  runUntil(untilMs: number): void {
    let standing = 0;
    while (!this.#isStopped) {
      const run = this.#runs[0];
      const atMs = this.#atMs[0]!;
      if (run === undefined || atMs > untilMs) break;
      this.#removeFirst();
      if (atMs > this.nowMs) standing = 0;
      else if (++standing > STANDING_MAX) throw new Error('time stands still: something is due again and again');
      this.nowMs = atMs;
      run();
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
    const runs = this.#runs;
    const times = this.#atMs;
    const orders = this.#orders;
    const run = runs.pop()!;
    const size = runs.length;
    if (size === 0) return;
    const atMs = times[size]!;
    const order = orders[size]!;
    let i = 0;
    for (let down = 1; down < size; down = WAYS * i + 1) {
      const end = Math.min(down + WAYS, size);
      for (let other = down + 1; other < end; other++)
        if (times[other]! < times[down]! || (times[other] === times[down] && orders[other]! < orders[down]!))
          down = other;
      if (times[down]! > atMs || (times[down] === atMs && orders[down]! > order)) break;
      times[i] = times[down]!;
      orders[i] = orders[down]!;
      runs[i] = runs[down]!;
      i = down;
    }
    times[i] = atMs;
    orders[i] = order;
    runs[i] = run;
  }

  #grow(): void {
    const times = new Float64Array(2 * this.#atMs.length);
    const orders = new Float64Array(times.length);
    times.set(this.#atMs);
    orders.set(this.#orders);
    this.#atMs = times;
    this.#orders = orders;
  }
}
