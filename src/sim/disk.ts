/**
 * A server's store as the core sees it: a log of frames with group commit, one commit in flight, each durable after a while, and the
 * newest snapshot in place of the frames before it (design, part 3). A crash loses what was not durable; the frame in flight has
 * arrived, or not, or in part. The store can be lost, can refuse to write, and an old copy can be put in its place.
 */
import type { Ip4 } from '../wire/units.ts';
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';

export interface Snapshot {
  /** The log is replayed over it from this sequence on. */
  readonly sequence: number;
  readonly sections: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  readonly records: readonly Uint8Array[];
  /** Of which there was a record: what the observers need to know, and no part of the store. */
  readonly addresses: readonly Ip4[];
}

type Frame = readonly Uint8Array[];

export interface StoreCopy {
  readonly storeId: Uint8Array;
  readonly base: number;
  readonly frames: readonly Frame[];
  readonly snapshot: Snapshot | undefined;
  readonly madeMs: number;
}

/** What the shell learns from the disk. */
export interface DiskEvents {
  durable(sequence: number): void;
  /** A write or flush failed: the process must end. */
  failed(): void;
}

const STORE_ID_BYTES = 16;
const NOBODY: DiskEvents = { durable: () => {}, failed: () => {} };

export class Disk {
  storeId: Uint8Array;
  /** How long a commit takes, ms; a stalled disk has a great one. */
  commitMs: number;
  /** Full, or broken: the next write fails. */
  isRefusing = false;
  /** Records since the newest snapshot began. */
  recordsSince = 0;
  /** Frames that a crash left in part. */
  tornCount = 0;
  readonly #schedule: Schedule;
  readonly #random: Random;
  /** Sequence before the first frame. */
  #base = 0;
  #frames: Frame[] = [];
  #snapshot: Snapshot | undefined;
  #open: Uint8Array[] = [];
  #flying: readonly Uint8Array[] | undefined;
  /** Tells commits of before a crash from those after. */
  #life = 0;
  #events: DiskEvents = NOBODY;

  constructor(schedule: Schedule, random: Random, commitMs: number) {
    this.#schedule = schedule;
    this.#random = random;
    this.commitMs = commitMs;
    this.storeId = newStoreId(random);
  }

  get durableSequence(): number {
    return this.#base + this.#frames.length;
  }

  /** Sequence of the frame that takes what is appended now. */
  get openSequence(): number {
    return this.durableSequence + (this.#flying === undefined ? 1 : 2);
  }

  get isNew(): boolean {
    return this.durableSequence === 0;
  }

  /** Records that wait for the disk. */
  get waitingCount(): number {
    return this.#open.length + (this.#flying?.length ?? 0);
  }

  attach(events: DiskEvents): void {
    this.#events = events;
  }

  append(record: Uint8Array): number {
    this.#open.push(record);
    this.recordsSince++;
    return this.openSequence;
  }

  /** Starts the commit of what was appended, unless one is under way; that one starts the next by itself. */
  kick(): void {
    if (this.#flying !== undefined || this.#open.length === 0) return;
    if (this.isRefusing) {
      this.#events.failed();
      return;
    }
    const frame = this.#open;
    this.#open = [];
    this.#flying = frame;
    const life = this.#life;
    this.#schedule.after(this.commitMs * (0.5 + this.#random.below(1000) / 1000), () => {
      if (life !== this.#life) return;
      this.#flying = undefined;
      this.#frames.push(frame);
      this.#events.durable(this.durableSequence);
      if (life === this.#life) this.kick();
    });
  }

  /** The new snapshot takes the place of everything before it. */
  install(snapshot: Snapshot): void {
    const dropped = snapshot.sequence - 1 - this.#base;
    if (dropped > 0) {
      this.#frames.splice(0, dropped);
      this.#base += dropped;
    }
    this.#snapshot = snapshot;
    this.recordsSince = this.#frames.reduce((sum, frame) => sum + frame.length, 0);
  }

  /** The process or the machine ends here. */
  crash(): void {
    this.#life++;
    const flying = this.#flying;
    if (flying !== undefined) {
      const dice = this.#random.below(3);
      if (dice === 0) this.#frames.push(flying);
      // Its checksum does not hold, so a start ends the log before it.
      else if (dice === 1) this.tornCount++;
    }
    this.#flying = undefined;
    this.#open = [];
    this.#events = NOBODY;
  }

  /** The directory is gone; only while no process runs. */
  wipe(): void {
    this.#frames = [];
    this.#base = 0;
    this.#snapshot = undefined;
    this.storeId = newStoreId(this.#random);
  }

  copy(): StoreCopy {
    return {
      storeId: this.storeId,
      base: this.#base,
      frames: [...this.#frames],
      snapshot: this.#snapshot,
      madeMs: this.#schedule.nowMs,
    };
  }

  /** Only while no process runs. */
  putBack(copy: StoreCopy): void {
    this.storeId = copy.storeId;
    this.#base = copy.base;
    this.#frames = [...copy.frames];
    this.#snapshot = copy.snapshot;
  }

  /** The fault that a store must never have; only while no process runs. */
  loseTail(frames: number): void {
    this.#frames.length = Math.max(this.#frames.length - frames, 0);
  }

  /** What a start finds: the snapshot, then the records of the log after it. */
  replay(restore: (snapshot: Snapshot) => void, record: (bytes: Uint8Array) => void): void {
    if (this.#snapshot !== undefined) {
      restore(this.#snapshot);
      for (const bytes of this.#snapshot.records) record(bytes);
    }
    for (const frame of this.#frames) for (const bytes of frame) record(bytes);
  }
}

function newStoreId(random: Random): Uint8Array {
  return Uint8Array.from({ length: STORE_ID_BYTES }, () => random.below(256));
}
