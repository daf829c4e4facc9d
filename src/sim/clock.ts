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
  readonly #monoBaseMs: number;
  readonly #driftPerMs: number;
  readonly #offMs: number;
  #setByMs = 0;
  /** Of the server's clock against true time. */
  #servedOffMs = 0;
  #followedMs = 0;
  isDoubtful = false;

  constructor(trueMs: () => number, monoBaseMs: number, offMs: number, driftPpm: number) {
    this.#trueMs = trueMs;
    this.#monoBaseMs = monoBaseMs;
    this.#offMs = offMs;
    this.#driftPerMs = driftPpm / 1_000_000;
    this.restart();
  }

  now(): Now {
    const trueMs = this.#trueMs();
    return {
      monoMs: (trueMs + this.#monoBaseMs) as MonoMs,
      wallAt: (START_AT + Math.floor((trueMs + this.#servedOffMs) / 1000)) as EpochSec,
    };
  }

  /** Somebody, or a time server, sets the system's clock. */
  step(byMs: number): void {
    this.#setByMs += byMs;
  }

  /** It is set right again. */
  unstep(): void {
    this.#setByMs = 0;
  }

  /** A process starts and takes the system's time. */
  restart(): void {
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
