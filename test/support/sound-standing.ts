/** A relationship in which all is well, for the tests of what is said of one. */
import type { StandingFacts } from '../../src/manage/failover-words.ts';

export const STANDING_AT = 1_800_000_000;

export const SOUND: StandingFacts = {
  nowAt: STANDING_AT,
  name: 'rel1',
  partner: 'dhcp2',
  foreign: undefined,
  role: 'primary',
  mode: 'LoadBalance',
  isActive: true,
  sharePercent: 50,
  state: 'normal',
  partnerState: 'normal',
  isCommunicating: true,
  mcltSec: 3600,
  allowanceSec: 5,
  partnerDownAt: 0,
  partnersUsableAt: undefined,
  heldByPartner: { count: 0, untilAt: 0 },
  recoverWaitUntilAt: 0,
  autoPartnerDownAt: 0,
  autoPartnerDownSec: null,
  silentScopes: [],
  fetching: undefined,
  freeHere: 120,
  freeAtPartner: 118,
  newClients: 12,
};
