/**
 * The durable record that an endpoint begins with: of a new relationship, on the called server that holds all data and on the new
 * half, and of one whose record is lost (failover specification 4.3).
 */
import { type EpochSec, NEVER_AT, type Now, type Sec } from '../../wire/units.ts';
import { formerMcltSec } from './context.ts';
import type { EndpointConfig, RelationshipRecord } from './endpoint-types.ts';
import { recoverWaitEndsAt } from './times.ts';

export interface Beginning {
  /** The called server: it goes on serving as PARTNER-DOWN from its first moment. */
  readonly holdsAllData: boolean;
  /** Everything is asked for. */
  readonly wantsAll: boolean;
  /** This server never gave a lease in these scopes, so there is nothing to wait for. Default true. */
  readonly gaveNoLease?: boolean;
}

export function initialRecord(config: EndpointConfig, now: Now, beginning: Beginning): RelationshipRecord {
  const { holdsAllData, wantsAll, gaveNoLease = true } = beginning;
  const mustWait = !holdsAllData && !gaveNoLease;
  return {
    name: config.name,
    id: config.id,
    state: holdsAllData ? 'partner-down' : 'recover',
    stateSinceAt: now.wallAt,
    partnerState: undefined,
    partnerFlags: 0,
    partnerStateAt: NEVER_AT,
    partnerDownAt: holdsAllData ? now.wallAt : NEVER_AT,
    lastOperationalAt: NEVER_AT,
    skewSec: 0 as Sec,
    mcltWasSec: 0 as Sec,
    mcltWasUntilAt: NEVER_AT,
    partnerStoreId: undefined,
    partnerSequence: 0,
    wantsAll,
    recoverWaitUntilAt: mustWait ? waitEndsAt(config, now) : NEVER_AT,
    silentScopeIds: [],
    holdsAllData,
    lossAt: mustWait ? now.wallAt : NEVER_AT,
  };
}

/** The least allowance of the kind of partner; no skew is known yet. */
function waitEndsAt(config: EndpointConfig, now: Now): EpochSec {
  const allowance = (config.profile === 'twinlease' ? 5 : 60) as Sec;
  const mcltSec = Math.max(config.mcltSec, formerMcltSec(config, now.wallAt)) as Sec;
  return recoverWaitEndsAt(now.wallAt, mcltSec, allowance);
}
