/**
 * The rights in a scope that is about to leave this server (design, part 5): silence, neither a promise nor a refusal. Its clients
 * turn to the other server, which holds all their leases; a refusal would cost them their addresses.
 */
import type { Rights } from '../failover/endpoint-types.ts';

const WHY = 'the scope is leaving this server';

export function leavingRights(rights: Rights): Rights {
  return {
    ...rights,
    service: () => ({ serves: 'none', why: WHY }),
    answers: () => ({ yes: false, why: WHY }),
    mayAllocate: () => false,
    partnersUsableAt: () => undefined,
    isNormal: () => false,
  };
}
