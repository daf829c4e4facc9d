/**
 * The smallest thing that a store can keep: numbered slots with a version each, some in shared memory as the binding table is, some
 * only in extra records; and the history of every record appended, from which the right state at any sequence is computed.
 */
import assert from 'node:assert/strict';
import type { SnapshotSource } from '../../src/core/bindings/binding.ts';
import type { ReplaySink, Store } from '../../src/store/store-types.ts';
import type { Random } from './random.ts';

export const SHARED_SLOTS = 48;
export const EXTRA_SLOTS = 8;
const SLOTS = SHARED_SLOTS + EXTRA_SLOTS;
const RECORD_HEAD_BYTES = 8;

interface Change {
  readonly sequence: number;
  readonly slot: number;
  readonly version: number;
}

export function slotRecord(slot: number, version: number, padBytes = 0): Uint8Array {
  const record = Buffer.alloc(RECORD_HEAD_BYTES + padBytes, version & 255);
  record.writeUInt32BE(slot, 0);
  record.writeUInt32BE(version, 4);
  return record;
}

/** The slots in the memory of one process. */
export class SlotTable implements SnapshotSource {
  readonly #shared = new SharedArrayBuffer(SHARED_SLOTS * 4);
  readonly slots = new Uint32Array(this.#shared);
  readonly extras = new Uint32Array(EXTRA_SLOTS);
  readonly sequences: number[] = [];
  copies = 0;
  #isCopying = false;

  set(slot: number, version: number): void {
    if (slot < SHARED_SLOTS) this.slots[slot] = version;
    else this.extras[slot - SHARED_SLOTS] = version;
  }

  state(): number[] {
    return [...this.slots, ...this.extras];
  }

  extraRecords(): Uint8Array[] {
    return [...this.extras].map((version, index) => slotRecord(SHARED_SLOTS + index, version));
  }

  readonly sink: ReplaySink = {
    restore: (sections) => this.restore(sections),
    record: (bytes, sequence) => {
      const record = Buffer.from(bytes);
      if (record.length < RECORD_HEAD_BYTES || record.readUInt32BE(0) >= SLOTS)
        return { kind: 'bad', why: 'no such slot' };
      this.set(record.readUInt32BE(0), record.readUInt32BE(4));
      this.sequences.push(sequence);
      return { kind: 'ok' };
    },
  };

  beginCopy() {
    assert.equal(this.#isCopying, false, 'one copy at a time');
    this.#isCopying = true;
    return [{ name: 'slots', buffer: this.#shared, byteLength: this.#shared.byteLength }];
  }

  endCopy(): void {
    assert.equal(this.#isCopying, true, 'a copy that was begun');
    this.#isCopying = false;
    this.copies++;
  }

  restore(sections: Parameters<SnapshotSource['restore']>[0]): ReturnType<SnapshotSource['restore']> {
    const section = sections.find(({ name }) => name === 'slots');
    if (sections.length !== 1 || section?.bytes.length !== this.#shared.byteLength) {
      return { kind: 'bad', why: 'the sections are not those of the slots' };
    }
    new Uint8Array(this.#shared).set(section.bytes);
    return { kind: 'ok' };
  }
}

/** What was given to the stores of one directory, across all their lives. */
export class SlotHistory {
  #changes: Change[] = [];
  #version = 0;

  /** Changes a random slot in the table and appends its record, as the server does: both in one go. */
  change(store: Store, table: SlotTable, random: Random): number {
    const slot = random.below(SLOTS);
    const version = this.#version + 1;
    const sequence = store.append(slotRecord(slot, version, random.below(60)));
    if (sequence < 0) return sequence;
    this.#version = version;
    table.set(slot, version);
    this.#changes.push({ sequence, slot, version });
    return sequence;
  }

  /** The state after every record up to the sequence. */
  stateAt(sequence: number): number[] {
    const state = new Array<number>(SLOTS).fill(0);
    for (const change of this.#changes) if (change.sequence <= sequence) state[change.slot] = change.version;
    return state;
  }

  /** Forgets what is after the sequence: it was never acknowledged, and its sequences are used again. */
  forgetAfter(sequence: number): void {
    this.#changes = this.#changes.filter((change) => change.sequence <= sequence);
  }
}
