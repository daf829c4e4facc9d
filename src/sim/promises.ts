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

/** A promise without end: to a BOOTP client. */
export function isEndless({ untilMs }: Promised): boolean {
  return untilMs >= FOR_EVER_MS;
}

/** What ends after this has no end (BOOTP). */
const FOR_EVER_MS = 1e11;
const NOBODY: readonly Promised[] = [];

export class Promises {
  /** More than one where an exception let two clients have the address. */
  readonly #byAddress = new Map<Ip4, Promised[]>();
  #lastEndMs = 0;
  #sample: IterableIterator<readonly Promised[]> = this.#byAddress.values();

  /** Another client's promise that still runs, and that the new one stands beside. */
  take(promised: Promised, nowMs: number): Promised | undefined {
    const { address, client, untilMs } = promised;
    if (untilMs < FOR_EVER_MS) this.#lastEndMs = Math.max(this.#lastEndMs, untilMs);
    const before = this.#byAddress.get(address);
    if (before === undefined || before.length === 0) {
      this.#byAddress.set(address, [promised]);
      return undefined;
    }
    // A renewal, most often.
    if (before.length === 1 && before[0]!.client === client) {
      before[0] = promised;
      return undefined;
    }
    const others = before.filter((other) => other.client !== client && other.untilMs > nowMs);
    this.#byAddress.set(address, others.length === 0 ? [promised] : [...others, promised]);
    return others[0];
  }

  letGo(client: number, address: Ip4): void {
    const before = this.#byAddress.get(address);
    if (before === undefined) return;
    const left = before.filter((promised) => promised.client !== client);
    if (left.length === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, left);
  }

  /** Who holds the address now. */
  holders(address: Ip4, nowMs: number): readonly Promised[] {
    const promised = this.#byAddress.get(address);
    if (promised === undefined) return NOBODY;
    return promised.every(({ untilMs }) => untilMs > nowMs) ? promised : promised.filter((p) => p.untilMs > nowMs);
  }

  /** When the last promise for the address ends; 0 for none. */
  lastEndOf(address: Ip4): number {
    return Math.max(0, ...(this.#byAddress.get(address) ?? []).map(({ untilMs }) => untilMs));
  }

  running(nowMs: number): Promised[] {
    return [...this.#byAddress.values()].flat().filter((promised) => promised.untilMs > nowMs);
  }

  /** Some running promises, others each time, so that a look at them costs the same however many there are. */
  some(count: number, nowMs: number, visit: (promised: Promised) => void): void {
    for (let left = Math.min(count, this.#byAddress.size); left > 0; left--) {
      let next = this.#sample.next();
      if (next.done === true) {
        this.#sample = this.#byAddress.values();
        next = this.#sample.next();
      }
      if (next.done === true) return;
      for (const promised of next.value) if (promised.untilMs > nowMs) visit(promised);
    }
  }

  /** When the last of all promises made so far ends. */
  get lastEndMs(): number {
    return this.#lastEndMs;
  }
}
