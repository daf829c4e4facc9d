/**
 * The two clocks of design part 2. `monoMs` only runs forward; `wallAt` is derived from it plus an offset that follows the
 * system's clock by slewing, so that time in bindings never jumps. A step of the system's clock is not followed: it makes the
 * clock *distrusted* until a partner agrees with one side of the step, or an operator decides.
 */
import { performance } from 'node:perf_hooks';
import type { EpochSec, MonoMs, Now } from '../wire/units.ts';

/** A difference from the system's clock above this is a step, not drift. */
export const CLOCK_STEP_SEC = 5;
/** At start: the newest durable time may be at most this far in the past. */
export const CLOCK_GAP_MAX_SEC = 30 * 86400;
/** The offset moves toward the system's clock by at most this part of the time passed. */
const SLEW_RATE = 0.05;

export type ClockDoubt =
  | { readonly kind: 'stepped'; readonly bySec: number }
  | { readonly kind: 'behind-store'; readonly bySec: number }
  | { readonly kind: 'long-gap'; readonly bySec: number };

export interface ClockSource {
  monoMs(): number;
  systemMs(): number;
}

export const SYSTEM_CLOCK: ClockSource = {
  monoMs: () => performance.now(),
  systemMs: () => Date.now(),
};

export class WallClock {
  readonly #source: ClockSource;
  #offsetMs: number;
  #followedAtMs: number;
  #doubt: ClockDoubt | undefined;

  constructor(source: ClockSource = SYSTEM_CLOCK) {
    this.#source = source;
    this.#followedAtMs = source.monoMs();
    this.#offsetMs = source.systemMs() - this.#followedAtMs;
  }

  now(): Now {
    const monoMs = this.#source.monoMs();
    return { monoMs: monoMs as MonoMs, wallAt: (Math.floor((monoMs + this.#offsetMs) / 1000) >>> 0) as EpochSec };
  }

  get doubt(): ClockDoubt | undefined {
    return this.#doubt;
  }

  /** Compares the clock at start with the newest time found in the store. */
  checkAgainst(newestDurableAt: EpochSec): void {
    if (newestDurableAt === 0) return;
    const aheadSec = this.now().wallAt - newestDurableAt;
    if (aheadSec < -CLOCK_STEP_SEC) this.#doubt = { kind: 'behind-store', bySec: -aheadSec };
    else if (aheadSec > CLOCK_GAP_MAX_SEC) this.#doubt = { kind: 'long-gap', bySec: aheadSec };
  }

  /** Call about once a second: slews toward the system's clock, or notes a step. */
  follow(): void {
    const monoMs = this.#source.monoMs();
    const passedMs = monoMs - this.#followedAtMs;
    this.#followedAtMs = monoMs;
    const errorMs = this.#source.systemMs() - (monoMs + this.#offsetMs);
    if (Math.abs(errorMs) > CLOCK_STEP_SEC * 1000) {
      if (this.#doubt === undefined || this.#doubt.kind === 'stepped') {
        this.#doubt = { kind: 'stepped', bySec: Math.round(errorMs / 1000) };
      }
      return;
    }
    // The system's clock came back by itself.
    if (this.#doubt?.kind === 'stepped') this.#doubt = undefined;
    const stepMs = SLEW_RATE * passedMs;
    this.#offsetMs += Math.max(-stepMs, Math.min(stepMs, errorMs));
  }

  /** A partner's clock as just heard: settles a doubt when it agrees with the system's clock or with ours. */
  hearPartner(partnerAt: EpochSec): void {
    if (this.#doubt === undefined) return;
    const systemAt = Math.floor(this.#source.systemMs() / 1000);
    if (Math.abs(partnerAt - systemAt) <= CLOCK_STEP_SEC) this.adopt();
    else if (Math.abs(partnerAt - this.now().wallAt) <= CLOCK_STEP_SEC && this.#doubt.kind !== 'stepped')
      this.#doubt = undefined;
  }

  /** The system's clock is right (an operator or a partner says so). */
  adopt(): void {
    this.#offsetMs = this.#source.systemMs() - this.#source.monoMs();
    this.#doubt = undefined;
  }
}
