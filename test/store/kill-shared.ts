/** What the kill test and the process that it kills must agree on. */
import type { StoreLimits } from '../../src/store/store-types.ts';
import { EXTRA_SLOTS, SHARED_SLOTS } from './slot-world.ts';

/** Small files, so that a kill often meets a rotation or a snapshot. */
export const KILL_LIMITS: StoreLimits = {
  frameBytesMax: 64 * 1024,
  logFileBytesMax: 300 * 1024,
  snapshotEveryBytes: 500 * 1024,
  waitingBytesMax: 1024 * 1024,
};

/** The slot that the record of this number changes. */
export function slotOf(version: number): number {
  return (Math.imul(version, 0x9e3779b1) >>> 8) % (SHARED_SLOTS + EXTRA_SLOTS);
}
