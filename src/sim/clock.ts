/**
 * The clocks of one machine: the system's, which is off, drifts and is set by people, and the one that the server derives from it by
 * the rules of the shell (`server/clock.ts`): it follows by slewing, and a step is not followed but makes it doubtful.
 */
import type { EpochSec, MonoMs, Now } from '../wire/units.ts';

/** The wall clock at the beginning of a run: past 2038, so that sign errors would show. */
export const START_AT = 2_200_000_000;

const STEP_MS = 5000;
const SLEW_RATE = 0.05;

export class MachineClock {
  readonly #trueMs: () => number;
  readonly #loadMs: number;
  readonly #driftPerMs: number;
  readonly #offMs: number;
  #setByMs = 0;
  /** When the clock of the present process stood at 0. */
  #monoZeroMs = 0;
  /** Of the server's clock against true time. */
  #servedOffMs = 0;
  #followedMs = 0;
  #now: Now | undefined;
  /** What `#now` was made of. */
  #nowTrueMs = 0;
  #nowOffMs = 0;
  isDoubtful = false;

  /** `loadMs`: how long a process has run before its core is made. */
  constructor(trueMs: () => number, loadMs: number, offMs: number, driftPpm: number) {
    this.#trueMs = trueMs;
    this.#loadMs = loadMs;
    this.#offMs = offMs;
    this.#driftPerMs = driftPpm / 1_000_000;
    this.restart();
  }

  now(): Now {
    const trueMs = this.#trueMs();
    // Asked many times in each moment.
    if (this.#now !== undefined && this.#nowTrueMs === trueMs && this.#nowOffMs === this.#servedOffMs) return this.#now;
    this.#nowTrueMs = trueMs;
    this.#nowOffMs = this.#servedOffMs;
    this.#now = {
      monoMs: (trueMs - this.#monoZeroMs) as MonoMs,
      wallAt: (START_AT + Math.floor((trueMs + this.#servedOffMs) / 1000)) as EpochSec,
    };
    return this.#now;
  }

  /** Somebody, or a time server, sets the system's clock. */
  step(byMs: number): void {
    this.#setByMs += byMs;
  }

  /** It is set right again. */
  unstep(): void {
    this.#setByMs = 0;
  }

  /** A process starts: it takes the system's time, and its own clock begins at 0, as `performance.now()` does. */
  restart(): void {
    this.#now = undefined;
    this.#monoZeroMs = Math.floor(this.#trueMs()) - this.#loadMs;
    this.#servedOffMs = this.#systemOffMs();
    this.#followedMs = this.#trueMs();
    this.isDoubtful = false;
  }

  /** About once a second. */
  follow(): void {
    const trueMs = this.#trueMs();
    const passedMs = trueMs - this.#followedMs;
    this.#followedMs = trueMs;
    const errorMs = this.#systemOffMs() - this.#servedOffMs;
    this.isDoubtful = Math.abs(errorMs) > STEP_MS;
    if (this.isDoubtful) return;
    const stepMs = SLEW_RATE * passedMs;
    this.#servedOffMs += Math.max(-stepMs, Math.min(stepMs, errorMs));
  }

  #systemOffMs(): number {
    return this.#offMs + this.#trueMs() * this.#driftPerMs + this.#setByMs;
  }
}
