/** What a worker is asked for, and what it answers. */
import type { Size } from '../../../src/sim/random-world.ts';
import type { Totals } from '../../../src/sim/totals.ts';

export interface SeedJob {
  readonly kind: 'seeds';
  readonly from: number;
  readonly count: number;
  readonly size: Size;
  /** As much as possible in as little time. */
  readonly isCrowded?: boolean;
  /** Ends with the first seed that fails. */
  readonly stopsAtFailure: boolean;
}

/** The fixed situations, in both modes and on either server. */
export interface ScenarioJob {
  readonly kind: 'scenarios';
  readonly index: number;
  /** Of the first world; the others follow. */
  readonly seed: number;
  /** Only this one of its worlds, counted from 0. */
  readonly variant?: number;
  /** `short`: more clients than addresses, which change all the time. `busy`: so many clients that the window of updates fills. */
  readonly crowd?: 'short' | 'busy';
  readonly stopsAtFailure: boolean;
}

export type Job = SeedJob | ScenarioJob;

export interface JobDone {
  readonly totals: Totals;
}
