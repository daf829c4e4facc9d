/**
 * The search for the next free address while many are offered. The table tells free addresses in order of disuse, and offered ones
 * are still free there; with thousands of offers open every search would walk past all of them again. So one walk collects a
 * number of addresses for the DISCOVERs to come, and each is looked at again before it is used.
 */
import type { EpochSec, Ip4 } from '../../wire/units.ts';
import type { AvailableState, BindingTable } from '../bindings/binding.ts';

export interface FreeCandidates {
  /**
   * The free address of the owner that is unused longest and that `refuse` lets pass, while `heldCount` addresses of the scope
   * are held by offers; undefined when there is none.
   */
  next(search: FreeSearch): Ip4 | undefined;
}

export interface FreeSearch {
  readonly bindings: BindingTable;
  readonly scopeId: Ip4;
  readonly owner: AvailableState;
  readonly heldCount: number;
  /** Held by an offer, out of the pool by configuration, or not to be given out. */
  readonly refuse: (address: Ip4) => boolean;
}

/** Up to so many held addresses every search walks anew, and the order of disuse is exact. */
export const EXACT_HELD_MAX = 64;
/** Addresses looked at beyond the held ones. */
const BEYOND_HELD = 64;
/** One walk collects this part of the held ones. */
const COLLECT_PART = 4;

interface Candidate {
  readonly address: Ip4;
  /** An address that was leased and freed meanwhile has another time here, and another place in the order. */
  readonly sinceAt: EpochSec;
}

export function makeFreeCandidates(): FreeCandidates {
  /** Last candidate first, so that taking one is a `pop`. */
  const queues = new Map<string, Candidate[]>();

  const collect = (search: FreeSearch, count: number): Candidate[] => {
    const { bindings, scopeId, owner, heldCount, refuse } = search;
    const found: Candidate[] = [];
    const keep = (address: Ip4): boolean => {
      if (!refuse(address)) found.push({ address, sinceAt: bindings.find(address)!.stateSinceAt });
      return found.length < count;
    };
    bindings.nextFree(scopeId, owner, keep, heldCount + BEYOND_HELD + count);
    return found.reverse();
  };

  const takeFrom = (queue: Candidate[], search: FreeSearch): Ip4 | undefined => {
    for (let candidate = queue.pop(); candidate !== undefined; candidate = queue.pop()) {
      const binding = search.bindings.find(candidate.address);
      const isSame = binding?.state === search.owner && binding.stateSinceAt === candidate.sinceAt;
      if (isSame && !search.refuse(candidate.address)) return candidate.address;
    }
    return undefined;
  };

  return {
    next(search) {
      const { bindings, scopeId, owner, heldCount, refuse } = search;
      const key = `${owner} ${scopeId}`;
      if (heldCount <= EXACT_HELD_MAX) {
        queues.delete(key);
        return bindings.nextFree(scopeId, owner, refuse, heldCount + BEYOND_HELD);
      }
      const queue = queues.get(key) ?? [];
      const known = takeFrom(queue, search);
      if (known !== undefined) return known;
      const collected = collect(search, Math.max(BEYOND_HELD, Math.floor(heldCount / COLLECT_PART)));
      queues.set(key, collected);
      return takeFrom(collected, search);
    },
  };
}
