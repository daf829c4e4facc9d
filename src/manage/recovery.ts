/**
 * Settles what two servers began together and did not finish: commits are sent again, outcomes are asked for, partners are told
 * of tombstones. The server calls `tick` from its own timer.
 */
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import type { Now } from '../wire/units.ts';
import { changesOf } from './changes.ts';
import { tendTombstones } from './tombstones.ts';

/** Tombstones are looked at this often. */
const TOMBSTONES_EVERY_MS = 30_000;

export class ChangeRecovery {
  readonly #control: Control;
  #tombstonesAtMs = 0;
  #isTending = false;

  constructor(control: Control) {
    this.#control = control;
  }

  /** Begins whatever is due; what it begins goes on by itself. Call it about once a second, and once at start. */
  tick(now: Now): void {
    changesOf(this.#control).tick();
    if (this.#isTending || now.monoMs < this.#tombstonesAtMs || this.#control.revision().config.tombstones.length === 0)
      return;
    this.#tombstonesAtMs = now.monoMs + TOMBSTONES_EVERY_MS;
    this.#isTending = true;
    // A rejection is a failed write and must reach the process (design, part 3).
    void tendTombstones(this.#control).finally(() => {
      this.#isTending = false;
    });
  }

  /** Conditions to be logged that came up since the last call. */
  takeEvents(): Problem[] {
    return changesOf(this.#control).takeEvents();
  }
}
