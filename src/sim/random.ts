/**
 * The only source of chance in the simulator: a small generator with a seed, so that a run can be made again. Its quality is
 * enough to choose faults and delays; it is of no use for secrets.
 */

export interface Random {
  /** A whole number from 0 up to, not including, `n`. */
  below(n: number): number;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** A span with this mean, as the gaps between independent events have it. */
  gap(mean: number): number;
}

const TWO_POW_32 = 0x100000000;

/** Makes a generator; the same seed gives the same numbers. */
export function makeRandom(seed: number): Random {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / TWO_POW_32;
  };
  return {
    below: (n) => Math.floor(next() * n),
    between: (low, high) => low + Math.floor(next() * (high - low + 1)),
    chance: (percent) => next() * 100 < percent,
    pick: (list) => list[Math.floor(next() * list.length)]!,
    gap: (mean) => -Math.log(1 - next()) * mean,
  };
}
