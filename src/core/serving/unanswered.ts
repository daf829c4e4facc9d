/**
 * How long the same client has been asking here without an answer. Many clients always send `secs` 0, so this is how a server
 * that is not responsible notices that the responsible one is silent (design, part 3). Bounded: a set-associative table of
 * fixed size that forgets the longest silent client first. Two clients that hash alike only make an answer come early.
 */
import type { MonoMs } from '../../wire/units.ts';

export interface Unanswered {
  /** Notes that the client asks now; answers for how many ms it has been repeating the question, 0 the first time. */
  asked(nowMs: MonoMs, client: Uint8Array): number;
  /** The client has been answered, by us or by another: the next question is a first one. */
  answered(client: Uint8Array): void;
}

/** A client silent for longer than this starts anew: RFC 2131 4.1 has clients repeat after at most 64 s. */
export const UNANSWERED_GAP_MS = 90_000;
/** Clients remembered. */
export const UNANSWERED_CLIENTS_MAX = 16_384;
const WAYS = 4;

export function makeUnanswered(clientsMax = UNANSWERED_CLIENTS_MAX): Unanswered {
  const sets = Math.max(1, Math.floor(clientsMax / WAYS));
  const tagHigh = new Uint32Array(sets * WAYS);
  const tagLow = new Uint32Array(sets * WAYS);
  const firstMs = new Float64Array(sets * WAYS);
  // -1 marks an empty slot, which every client has been silent for longer than.
  const lastMs = new Float64Array(sets * WAYS).fill(-1);

  const slotOf = (high: number, low: number): number => {
    const base = (low % sets) * WAYS;
    for (let slot = base; slot < base + WAYS; slot++) {
      if (lastMs[slot]! >= 0 && tagHigh[slot] === high && tagLow[slot] === low) return slot;
    }
    return -1;
  };
  const oldestSlot = (low: number): number => {
    const base = (low % sets) * WAYS;
    let oldest = base;
    for (let slot = base + 1; slot < base + WAYS; slot++) if (lastMs[slot]! < lastMs[oldest]!) oldest = slot;
    return oldest;
  };

  return {
    asked(nowMs, client) {
      const high = hash(client, 0x811c9dc5);
      const low = hash(client, 0x2f0b4c47);
      let slot = slotOf(high, low);
      if (slot < 0) {
        slot = oldestSlot(low);
        tagHigh[slot] = high;
        tagLow[slot] = low;
        firstMs[slot] = nowMs;
      } else if (nowMs - lastMs[slot]! > UNANSWERED_GAP_MS) {
        firstMs[slot] = nowMs;
      }
      lastMs[slot] = nowMs;
      return nowMs - firstMs[slot]!;
    },
    answered(client) {
      const slot = slotOf(hash(client, 0x811c9dc5), hash(client, 0x2f0b4c47));
      if (slot >= 0) lastMs[slot] = -1;
    },
  };
}

/** FNV-1a with a chosen start and a final mix. */
function hash(bytes: Uint8Array, start: number): number {
  let h = start;
  for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  h ^= h >>> 15;
  return Math.imul(h, 0x85ebca6b) >>> 0;
}
