/**
 * The rights in a scope whose relationship was removed by force (design, part 5): this server goes on alone with what was its
 * own, and leaves the partner's addresses alone until the tombstone's wait is over and they are given to it.
 */
import type { ProtocolRole } from '../config/model.ts';
import type { Rights } from '../failover/endpoint-types.ts';
import { STANDALONE_RIGHTS } from './standalone-rights.ts';

export function tombstoneRights(role: ProtocolRole): Rights {
  const own = role === 'primary' ? 'free' : 'backup';
  return {
    ...STANDALONE_RIGHTS,
    own,
    mayAllocate: (now, binding) =>
      binding.state === 'free' || binding.state === 'backup'
        ? binding.state === own
        : STANDALONE_RIGHTS.mayAllocate(now, binding),
    partnersUsableAt: () => undefined,
  };
}
