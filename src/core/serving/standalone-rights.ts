/**
 * What serving may do in a scope without relationship: everything, alone. One rule set for all such scopes, so that serving
 * need not know whether there is a partner.
 */
import { addSec, type EpochSec, type Sec } from '../../wire/units.ts';
import type { Rights } from '../failover/endpoint-types.ts';

export const STANDALONE_RIGHTS: Rights = {
  relationshipName: undefined,
  own: 'free',
  service: () => ({ serves: 'all', why: 'no relationship' }),
  answers: () => ({ yes: true, why: 'no relationship' }),
  // What was the partner's, or waits for the agreement of one, waits for nobody once there is none.
  mayAllocate: (_now, binding) => binding.state !== 'active' && binding.state !== 'abandoned',
  partnersUsableAt: () => 0 as EpochSec,
  grantSec: (_now, desired) => desired,
  potentialEndAt: (now, desired, granted) => addSec(now.wallAt, desired + Math.floor((granted as Sec) / 2)),
  isNormal: () => true,
  mayExpire: () => true,
};
