/**
 * Cuts the power of a machine with a busy store again and again, and looks after each cut whether everything acknowledged is there.
 * It demands more than that: the state must be exactly the one after the last recovered frame, and a cut must never make the store refuse.
 */
import { isDeepStrictEqual } from 'node:util';
import { openStore } from '../../src/store/store.ts';
import type { Store, StoreLimits } from '../../src/store/store-types.ts';
import { PowerCutLayer } from './power-cut-layer.ts';
import { Random } from './random.ts';
import { SlotHistory, SlotTable } from './slot-world.ts';

/** Small, so that a short life rotates files and takes snapshots. */
const LIMITS: StoreLimits = {
  frameBytesMax: 300,
  logFileBytesMax: 900,
  snapshotEveryBytes: 1500,
  waitingBytesMax: 2000,
  snapshotChunkBytes: 40,
};
/** Cuts that one disk goes through before the next begins empty. */
const CUTS_PER_DISK = 20;
const ACTIONS_PER_LIFE = 120;
const CALLS_PER_LIFE_MAX = 400;
const DIR = '/state';

export interface PowerCutReport {
  readonly cuts: number;
  readonly acknowledged: number;
  readonly tornTails: number;
  readonly snapshotsUsed: number;
  readonly cutsWhileOpening: number;
  /** In words, with what repeats it; empty when nothing was lost. */
  readonly losses: readonly string[];
}

interface Tally {
  acknowledged: number;
  tornTails: number;
  snapshotsUsed: number;
  cutsWhileOpening: number;
  losses: string[];
}

/** Runs so many cuts; `progress` hears of each hundredth. */
export async function powerCuts(
  { cuts, seed }: { readonly cuts: number; readonly seed: number },
  progress?: (done: number) => void,
): Promise<PowerCutReport> {
  const tally: Tally = { acknowledged: 0, tornTails: 0, snapshotsUsed: 0, cutsWhileOpening: 0, losses: [] };
  for (let done = 0; done < cuts; ) {
    const count = Math.min(CUTS_PER_DISK, cuts - done);
    await oneDisk(seed + done, count, tally);
    done += count;
    if (done % 100 === 0) progress?.(done);
  }
  return { cuts, ...tally };
}

async function oneDisk(seed: number, cuts: number, tally: Tally): Promise<void> {
  const random = new Random(Math.imul(seed + 1, 0x9e3779b1));
  const history = new SlotHistory();
  const cutAtCall = () => 1 + random.below(CALLS_PER_LIFE_MAX);
  let layer = new PowerCutLayer({ random, cutAtCall: cutAtCall() });
  let promised = 0;
  for (let cut = 0; cut < cuts; cut++) {
    const life = new Life(layer, history, random);
    try {
      await Promise.race([life.run(promised, tally), layer.cut]);
    } catch (cause) {
      tally.losses.push(`disk seed ${seed}, life ${cut}: ${cause instanceof Error ? cause.message : String(cause)}`);
      return;
    }
    if (!life.isOpen) tally.cutsWhileOpening++;
    promised = Math.max(promised, life.promised);
    layer = layer.afterPowerCut({ random, cutAtCall: cutAtCall() });
  }
}

/** One process between two cuts. */
class Life {
  readonly #layer: PowerCutLayer;
  readonly #history: SlotHistory;
  readonly #random: Random;
  #table = new SlotTable();
  promised = 0;
  isOpen = false;

  constructor(layer: PowerCutLayer, history: SlotHistory, random: Random) {
    this.#layer = layer;
    this.#history = history;
    this.#random = random;
  }

  async run(promised: number, tally: Tally): Promise<void> {
    this.promised = promised;
    let store = await this.#open(tally);
    for (let action = 0; action < ACTIONS_PER_LIFE; action++) {
      // The process dies with its machine: what it would do next must not reach the history of the one after it.
      if (this.#layer.isCut) return;
      for (let n = this.#random.below(4); n > 0; n--) this.#history.change(store, this.#table, this.#random);
      if (!this.#random.oneIn(4)) store.kick();
      // A refused snapshot is not expected here, so that its rejection is left to end the test.
      if (this.#random.oneIn(12)) void this.#snapshot(store, true);
      else if (store.isSnapshotDue && this.#random.oneIn(2)) void this.#snapshot(store, false);
      if (this.#random.oneIn(6)) await store.settled();
      for (let turns = this.#random.below(12); turns > 0; turns--) await undefined;
      if (this.#random.oneIn(60)) {
        await store.close();
        store = await this.#open(tally);
      }
    }
    await store.close();
  }

  async #open(tally: Tally): Promise<Store> {
    this.isOpen = false;
    this.#table = new SlotTable();
    const opened = await openStore(DIR, this.#layer, LIMITS, this.#table.sink);
    if (opened.kind === 'bad') throw new Error(`refused: ${opened.why}`);
    const { store, replay } = opened;
    if (replay.sequence < this.promised) {
      throw new Error(`frame ${this.promised} was acknowledged, and the store ends with ${replay.sequence}`);
    }
    if (!isDeepStrictEqual(this.#table.state(), this.#history.stateAt(replay.sequence))) {
      throw new Error(`the state is not the one after frame ${replay.sequence}`);
    }
    this.#history.forgetAfter(replay.sequence);
    this.promised = replay.sequence;
    if (replay.tornBytes > 0) tally.tornTails++;
    if (replay.snapshotSequence > 0) tally.snapshotsUsed++;
    store.onDurable((sequence) => {
      this.promised = sequence;
      tally.acknowledged++;
    });
    store.onFailed((cause) => {
      throw cause;
    });
    this.isOpen = true;
    return store;
  }

  async #snapshot(store: Store, force: boolean): Promise<void> {
    const table = this.#table;
    try {
      await store.snapshot(table, () => table.extraRecords(), force);
    } catch (cause) {
      // Closing gives a snapshot up.
      if (!(cause instanceof Error && /closes|closed/.test(cause.message))) throw cause;
    }
  }
}
