/**
 * A server's store as the core sees it: a log of frames with group commit, one commit in flight, each durable after a while
 * (design, part 3). A crash loses what was not durable; the frame in flight may have arrived or not. The store can be lost, and an
 * old copy can be put in its place.
 */
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';

export interface StoreCopy {
  readonly storeId: Uint8Array;
  readonly frames: readonly (readonly Uint8Array[])[];
  readonly madeMs: number;
}

const STORE_ID_BYTES = 16;

export class Disk {
  storeId: Uint8Array;
  /** How long a commit takes, ms; a stalled disk has a great one. */
  commitMs: number;
  readonly #schedule: Schedule;
  readonly #random: Random;
  #frames: (readonly Uint8Array[])[] = [];
  #open: Uint8Array[] = [];
  #flying: readonly Uint8Array[] | undefined;
  /** Tells commits of before a crash from those after. */
  #life = 0;
  #onDurable: (sequence: number) => void = () => {};

  constructor(schedule: Schedule, random: Random, commitMs: number) {
    this.#schedule = schedule;
    this.#random = random;
    this.commitMs = commitMs;
    this.storeId = newStoreId(random);
  }

  get durableSequence(): number {
    return this.#frames.length;
  }

  get isNew(): boolean {
    return this.#frames.length === 0;
  }

  /** Records that wait for the disk. */
  get waitingCount(): number {
    return this.#open.length + (this.#flying?.length ?? 0);
  }

  onDurable(listener: (sequence: number) => void): void {
    this.#onDurable = listener;
  }

  append(record: Uint8Array): number {
    this.#open.push(record);
    return this.#frames.length + (this.#flying === undefined ? 1 : 2);
  }

  /** Starts the commit of what was appended, unless one is under way; that one starts the next by itself. */
  kick(): void {
    if (this.#flying !== undefined || this.#open.length === 0) return;
    const frame = this.#open;
    this.#open = [];
    this.#flying = frame;
    const life = this.#life;
    this.#schedule.after(this.commitMs * (0.5 + this.#random.below(1000) / 1000), () => {
      if (life !== this.#life) return;
      this.#flying = undefined;
      this.#frames.push(frame);
      this.#onDurable(this.#frames.length);
      if (life === this.#life) this.kick();
    });
  }

  /** The process or the machine ends here. */
  crash(): void {
    this.#life++;
    if (this.#flying !== undefined && this.#random.chance(50)) this.#frames.push(this.#flying);
    this.#flying = undefined;
    this.#open = [];
    this.#onDurable = () => {};
  }

  /** The directory is gone; only while no process runs. */
  wipe(): void {
    this.#frames = [];
    this.storeId = newStoreId(this.#random);
  }

  copy(): StoreCopy {
    return { storeId: this.storeId, frames: [...this.#frames], madeMs: this.#schedule.nowMs };
  }

  /** Only while no process runs. */
  putBack(copy: StoreCopy): void {
    this.storeId = copy.storeId;
    this.#frames = [...copy.frames];
  }

  /** The fault that a store must never have; only while no process runs. */
  loseTail(frames: number): void {
    this.#frames.length = Math.max(this.#frames.length - frames, 0);
  }

  replay(record: (bytes: Uint8Array) => void): void {
    for (const frame of this.#frames) for (const bytes of frame) record(bytes);
  }
}

function newStoreId(random: Random): Uint8Array {
  return Uint8Array.from({ length: STORE_ID_BYTES }, () => random.below(256));
}
