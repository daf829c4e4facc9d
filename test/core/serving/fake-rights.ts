/** Rights of a scope in a relationship, each answer settable, for tests of what serving makes of them. */
import type { Rights } from '../../../src/core/failover/endpoint-types.ts';
import type { EpochSec, Sec } from '../../../src/wire/units.ts';

/** NORMAL as the primary: its own addresses are the free ones, and it answers. */
export function rightsWith(more: Partial<Rights> = {}): Rights {
  return {
    relationshipName: 'pair',
    own: 'free',
    service: () => ({ serves: 'all', why: 'NORMAL' }),
    answers: () => ({ yes: true, why: 'the bucket is ours' }),
    mayAllocate: (_now, binding) => binding.state === 'free',
    partnersUsableAt: () => undefined,
    grantSec: (_now, desired) => desired,
    potentialEndAt: () => 0 as EpochSec,
    isNormal: () => true,
    mayExpire: () => true,
    mayRevive: () => false,
    ...more,
  };
}

export const sec = (n: number): Sec => n as Sec;
