/**
 * What a partner of ISC dhcpd must do otherwise than the table of specification 4.4 says, because dhcpd would exit, shut itself
 * down or wait for ever (specification 2.5, 2.14 rules 4 to 8 and 16). Pure: `machine.ts` asks, and acts.
 */
import type { KeptState, PartnerState } from './states.ts';

/** What dhcpd in NORMAL must never hear: it would shut itself down for good. */
const OF_A_CONFLICT: ReadonlySet<KeptState> = new Set([
  'potential-conflict',
  'resolution-interrupted',
  'conflict-done',
] as const);
/** Where its NORMAL would lead to a conflict here (specification 4.4); in CONFLICT-DONE it ends one. */
const LEADS_TO_CONFLICT: ReadonlySet<KeptState> = new Set([
  'potential-conflict',
  'resolution-interrupted',
  'partner-down',
] as const);
/** What dhcpd in PARTNER-DOWN's place answers with a state of its own, so that the answer is worth waiting for. */
const MOVED_BY_PARTNER_DOWN: ReadonlySet<PartnerState> = new Set([
  'normal',
  'communications-interrupted',
  'partner-down',
  'resolution-interrupted',
] as const);

/**
 * `by-table`: nothing is special. `hold`: dhcpd answers our state with another of its own, which counts. `conflict`: enter
 * POTENTIAL-CONFLICT. `hang-up`: close, and come again when dhcpd has left NORMAL. `start-over`: enter COMMUNICATIONS-INTERRUPTED, as
 * there is nothing left to be in conflict with.
 */
export type IscReaction = 'by-table' | 'hold' | 'conflict' | 'hang-up' | 'start-over';

/**
 * What dhcpd's state leads to. `isFirst`: its first STATE of a connection, which may be a start-up STATE even without the flag
 * (rule 16).
 */
export function iscReaction(mine: KeptState, partner: PartnerState, isFirst: boolean): IscReaction {
  // Rule 6: a dhcpd in CONFLICT-DONE stands nothing else than POTENTIAL-CONFLICT from us.
  if (partner === 'conflict-done' && mine !== 'potential-conflict') return 'conflict';
  // Rule 5 again, where messages crossed: it has come to NORMAL by another way than through a conflict with us.
  if (!isFirst) return partner === 'normal' && LEADS_TO_CONFLICT.has(mine) ? 'hang-up' : 'by-table';
  // Rule 5: at the beginning of a connection this is the state that a restarted dhcpd remembers.
  if (partner === 'normal' && OF_A_CONFLICT.has(mine)) return 'hang-up';
  // It lost its lease file while the conflict lasted. Drawn into the conflict it would ask for unacknowledged updates alone, and serve
  // with the rest missing; in RECOVER beside COMMUNICATIONS-INTERRUPTED it asks for everything and waits out what it gave (2.5).
  if (partner === 'recover' && OF_A_CONFLICT.has(mine)) return 'start-over';
  // Rule 7: it heard CONFLICT-DONE on an earlier connection; without POTENTIAL-CONFLICT before, it would never send its UPDREQ.
  if (mine === 'conflict-done' && partner !== 'recover-wait' && partner !== 'recover-done') return 'conflict';
  // Rules 5, 16: it goes to POTENTIAL-CONFLICT or RECOVER when it hears PARTNER-DOWN, and says so.
  if (mine === 'partner-down' && MOVED_BY_PARTNER_DOWN.has(partner)) return 'hold';
  return 'by-table';
}

/**
 * Whether dhcpd in this state may hear PAUSED or SHUTDOWN. In CONFLICT-DONE the one makes it exit and the other stops it for good; and in
 * RECOVER or POTENTIAL-CONFLICT it would go on alone after SHUTDOWN (specification 2.5), without the leases that it has not got yet.
 */
export function iscBearsOurLeaving(partner: PartnerState): boolean {
  return partner !== 'conflict-done' && partner !== 'recover' && partner !== 'potential-conflict';
}
