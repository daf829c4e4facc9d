/**
 * The limits and waits of the engine by kind of partner, and those that never differ. Values come from the failover
 * specification where it recommends one; the reason stands beside each that it does not.
 */
import { SCOPE_IDS_MAX } from '../../wire/failover/codec.ts';
import type { WireProfile } from '../../wire/failover/messages.ts';
import type { Sec } from '../../wire/units.ts';
import type { EndpointLimits } from './endpoint-types.ts';

/** Toward a partner of our own kind: a machine that vanishes is noticed in 10 s (specification 1.9). */
export const DEFAULT_LIMITS: EndpointLimits = {
  receiveTimerSec: 10 as Sec,
  unackedMax: 32,
  // draft-12: 5 to 10 s when down for less than MCLT, else 30 to 60 s.
  startupWaitSec: 10 as Sec,
  startupWaitLongSec: 30 as Sec,
  redialMs: 1000,
  handshakeMs: 5000,
  skewAllowanceSec: 5 as Sec,
  skewRefuseSec: 60 as Sec,
  skewAlarmSec: 5 as Sec,
  balanceEveryMs: 10_000,
  balanceTolerancePercent: 10,
  lastOperationalEverySec: 10 as Sec,
  updatesPerMessageMax: 32,
  resendAfterRejectSec: 30 as Sec,
};

/** Toward ISC dhcpd and Windows (specification 1.9, 1.10, 1.11, 2.3). */
export const FOREIGN_LIMITS: EndpointLimits = {
  receiveTimerSec: 60 as Sec,
  unackedMax: 20,
  startupWaitSec: 15 as Sec,
  startupWaitLongSec: 60 as Sec,
  redialMs: 5000,
  handshakeMs: 15_000,
  skewAllowanceSec: 60 as Sec,
  skewRefuseSec: 60 as Sec,
  skewAlarmSec: 5 as Sec,
  balanceEveryMs: 60_000,
  balanceTolerancePercent: 15,
  lastOperationalEverySec: 10 as Sec,
  updatesPerMessageMax: 1,
  resendAfterRejectSec: 30 as Sec,
};

/**
 * Toward Windows, which goes by its own timers whatever it is told (specification 3.7, 3.8). It takes a call at any time, though, so it
 * is called as soon as others are; its own 60 s are for when it calls.
 */
export const WINDOWS_LIMITS: EndpointLimits = {
  ...FOREIGN_LIMITS,
  // It says CONTACT each 60 s and gives up after 180 s.
  receiveTimerSec: 180 as Sec,
  unackedMax: 10,
  balanceEveryMs: 300_000,
};

/** The limits of an endpoint by the make of its partner. */
export function limitsOf(profile: WireProfile): EndpointLimits {
  if (profile === 'twinlease') return DEFAULT_LIMITS;
  return profile === 'msft' ? WINDOWS_LIMITS : FOREIGN_LIMITS;
}

/** Changed addresses remembered one by one while they wait for the window; beyond it the table is swept instead. */
export const HOT_MAX = 8192;
/** Reserved addresses that the partner does not know as such, and whose flag it is spared; beyond it the oldest hears it again. */
export const UNRESERVED_MAX = 4096;
/** Rejected addresses whose time of resending is remembered; beyond it the oldest is sent again earlier. */
export const PARKED_MAX = 65_536;
/** Addresses fetched from the table at once by sweeps and full updates. */
export const SCAN_CHUNK = 64;
/** Options of one BNDUPD: 2048 (specification 1.2) less the header and a message digest. */
export const UPDATE_BYTES_MAX = 1950;
/** The window used toward a partner that named none or an absurd one. */
export const WINDOW_DEFAULT = 10;
export const WINDOW_MAX = 1000;
/** Specification 4.4: a partner that leaves a BNDUPD or an UPDREQ unanswered this long, though CONTACT flows, is cut off. */
export const ANSWER_WAIT_MS = 60_000;
/** Specification 4.4: after SHUTDOWN was announced the partner has so long to say PARTNER-DOWN. */
export const SHUTDOWN_WAIT_MS = 5000;
/** After a reject or a DISCONNECT the next attempt waits this many times longer (specification 1.1). */
export const REDIAL_SLOW_FACTOR = 5;
/** Lease ends and waits in PARTNER-DOWN are looked at this often while something is due. */
export const EXPIRE_EVERY_MS = 1000;
/** The same while one step was not enough. */
export const EXPIRE_MORE_MS = 10;
/** Lease ends acted on in one step. */
export const EXPIRE_BATCH = 256;
/** Due addresses looked through in one step for those of this relationship. */
export const EXPIRE_SCAN_MAX = 16_384;
/** Specification 5.4, t2: an end is taken for past this long after it; the sender waits as long before it says so. */
export const EXPIRE_GRACE_SEC = 2;
/** Both servers see a lease end; the secondary lets the primary speak first, which halves the messages. */
export const SECONDARY_EXPIRE_DELAY_SEC = 5;
/** Between two POOLREQ. */
export const POOLREQ_EVERY_MS = 1000;
/** The same toward another make, which answers by its own measure and may have nothing to give. */
export const POOLREQ_FOREIGN_EVERY_MS = 10_000;
/** A DISCOVER repeated unanswered this long is answered by the other server too (design, part 3). */
export const UNANSWERED_MS_MAX = 3000;
/** Windows expects a CONTACT each 60 s whatever was negotiated (specification 1.9). */
export const CONTACT_WINDOWS_MS = 60_000;
/** Scopes named in one message; what is beyond is left out, and asked for in the next. */
export const SCOPES_PER_MESSAGE_MAX = SCOPE_IDS_MAX;
/** When an address is looked for to give away: those that may be held by open offers, beyond the ones known to be taken. */
export const BEYOND_TAKEN = 512;
