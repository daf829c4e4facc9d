/**
 * What clients hold, in real time: the one rule that everything else serves (I1). A promise runs from the REQUEST that was
 * answered to the end of the granted time, unless the client gives it up before; whether its machine is on does not matter.
 */
import type { Ip4 } from '../wire/units.ts';
import type { Side } from './sides.ts';

export interface Promised {
  readonly address: Ip4;
  readonly client: number;
  readonly side: Side;
  readonly untilMs: number;
}

export class Promises {
  readonly #byAddress = new Map<Ip4, Promised>();
  #lastEndMs = 0;

  /** Another client's promise that still runs; the new one takes its place either way. */
  take(promised: Promised, nowMs: number): Promised | undefined {
    const before = this.#byAddress.get(promised.address);
    this.#byAddress.set(promised.address, promised);
    this.#lastEndMs = Math.max(this.#lastEndMs, promised.untilMs);
    return before !== undefined && before.client !== promised.client && before.untilMs > nowMs ? before : undefined;
  }

  letGo(client: number, address: Ip4): void {
    if (this.#byAddress.get(address)?.client === client) this.#byAddress.delete(address);
  }

  running(nowMs: number): Promised[] {
    return [...this.#byAddress.values()].filter((promised) => promised.untilMs > nowMs);
  }

  /** When the last of all promises made so far ends. */
  get lastEndMs(): number {
    return this.#lastEndMs;
  }
}
