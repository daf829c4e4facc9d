/** Specification 5 and 6: binding states, acceptance, waits and times; and 8.4, 8.5, who answers. */
import type { BindingState } from '../../src/wire/failover/messages.ts';
import { type Clause, type ClauseTable, table } from './clause.ts';
import { BINDING_STATES_ALL } from './parties.ts';

export type AcceptanceTest = 'accept' | 'reject 16' | 'same client' | 't1' | 't2' | 't3';

/** 5.4 as printed: rows are our status, the cells ACTIVE, EXPIRED, RELEASED, FREE and BACKUP, RESET and ABANDONED. */
const ACCEPTANCE_PRINTED: Readonly<Record<BindingState, string>> = {
  active: 'same client | t2 | t1 | t2 | accept',
  expired: 't1 | accept | accept | accept | accept',
  released: 't1 | t1 | accept | accept | accept',
  free: 'accept | accept | accept | accept | accept',
  backup: 'accept | accept | accept | accept | accept',
  reset: 't3 | accept | accept | accept | accept',
  abandoned: 'reject 16 | reject 16 | reject 16 | reject 16 | accept',
};
const ACCEPTANCE_COLUMNS: readonly (readonly BindingState[])[] = [
  ['active'],
  ['expired'],
  ['released'],
  ['free', 'backup'],
  ['reset', 'abandoned'],
];
export interface AcceptanceCell {
  readonly id: string;
  readonly ours: BindingState;
  readonly theirs: BindingState;
  readonly how: AcceptanceTest;
}
export const ACCEPTANCE_CELLS: readonly AcceptanceCell[] = BINDING_STATES_ALL.flatMap((ours) =>
  ACCEPTANCE_PRINTED[ours].split(' | ').flatMap((how, column) =>
    (ACCEPTANCE_COLUMNS[column] ?? []).map((theirs) => ({
      id: `5.4 ${ours}/${theirs}`,
      ours,
      theirs,
      how: how as AcceptanceTest,
    })),
  ),
);

const BY_LATER_KNOWLEDGE =
  'between two Twinlease servers the later knowledge wins, by the time it was set aside and the client’s last transaction (docs/failover.md)';
const HOW_WORDS: Readonly<Record<AcceptanceTest, string>> = {
  accept: 'accepted',
  'reject 16': 'reject 16',
  'same client': 'accepted of the same client; of another the secondary accepts, the primary rejects 2',
  t1: 'accepted when its last transaction is not before ours, else reject 15',
  t2: 'accepted when our lease is over, else reject 15',
  t3: 'accepted when its last transaction is not before the reset, else reject 15',
};

/** A lease against an address set aside or reset, either way round. */
export function isAsideAgainstLease(ours: BindingState, theirs: BindingState): boolean {
  const isAside = (state: BindingState): boolean => state === 'abandoned' || state === 'reset';
  return (ours === 'active' && isAside(theirs)) || (isAside(ours) && theirs === 'active');
}

function acceptanceClauses(): Clause[] {
  return ACCEPTANCE_CELLS.map(({ id, ours, theirs, how }) => {
    const rule = `ours ${ours.toUpperCase()}, told ${theirs.toUpperCase()}: ${HOW_WORDS[how]}`;
    return isAsideAgainstLease(ours, theirs) ? { id, rule, instead: BY_LATER_KNOWLEDGE } : { id, rule };
  });
}

export const DUEL_MINE = ['ACTIVE', 'ownership move', 'RELEASED, EXPIRED, RESET', 'ABANDONED'] as const;

export const BINDING_TABLES: readonly ClauseTable[] = [
  table('5.1', 'Who may allocate', {
    free: 'FREE: the primary; the secondary only in PARTNER-DOWN after the wait',
    backup: 'BACKUP: the secondary; the primary only in PARTNER-DOWN after the wait',
    active: 'ACTIVE: nobody; both renew it for its client',
    expired: 'EXPIRED: nobody outside PARTNER-DOWN',
    released: 'RELEASED: nobody outside PARTNER-DOWN',
    reset: 'RESET: nobody outside PARTNER-DOWN',
    abandoned: 'ABANDONED: nobody, ever',
    'client/active': 'client data are required with ACTIVE',
    'client/transitory': 'client data should be there with EXPIRED and RELEASED',
    'client/abandoned': 'client data must not be there with ABANDONED',
    bookkeeping: 'dirty: differs from what the partner agreed to; told: an update about this client has left',
    'no-learning': 'a lease is never learned from a client’s REBINDING',
  }),
  table('5.2', 'Transitions', {
    'free/active': 'the primary leases a FREE address: durable, then told',
    'backup/active': 'the secondary leases a BACKUP address: durable, then told',
    'active/active': 'a renewal by either is told each time the end changes',
    'active/expired': 'whoever notices the end says EXPIRED',
    'active/expired-isc': 'toward dhcpd in NORMAL only the primary says it',
    'active/released': 'who hears the release says RELEASED, its time is the last transaction',
    'any/reset': 'an operator’s RESET is told',
    'any/reset-isc': 'toward dhcpd only the primary tells RESET; the secondary tells it as RELEASED',
    'any/abandoned': 'ABANDONED is told without the client',
    'abandoned/reset': 'an abandoned address is RESET when its time is over',
    'transitory/free-sender': 'the sender frees at the accepting BNDACK, for the primary whoever had leased it',
    'transitory/free-receiver': 'the receiver frees while accepting, before its BNDACK',
    'transitory/free-partner-down': 'in PARTNER-DOWN after the wait of 5.5',
    undo: 'the same client comes again before the update was sent: ACTIVE again; forbidden once sent until answered',
    rewind: 'a lease that is over and of which the partner never heard goes back to its owner, without contact',
    'free/backup-giver': 'the primary gives: BACKUP at the moment of sending',
    'free/backup-taker': 'the secondary has it on acceptance',
    'backup/free-giver': 'the secondary gives back: FREE at the moment of sending',
    'backup/free-taker': 'the primary has it on acceptance',
    'backup/free-taken': [
      'the primary takes: FREE for it at the accepting BNDACK; never toward dhcpd',
      'only from Windows, which moves nothing by itself; every other partner gives by itself',
    ],
    ownership: 'the giver stops durably before the message leaves, the taker begins after it is durable',
    'ownership/lost-answer': 'a gift whose answer is lost stays given and is sent again',
    'ownership/rejected':
      'a gift that is rejected returns to the giver; after 2, 15, 16 the partner’s own update is waited for',
    'one-per-address': 'never two unanswered updates for one address',
    'newer-replaces': 'a newer change is sent after the answer, once',
  }),
  table('5.2', 'Duel: an update arrives while ours for the address is unanswered', {
    'duel/ACTIVE/ACTIVE same client': 'accepted, merged by the later transaction',
    'duel/ACTIVE/ACTIVE other client': 'the later transaction wins, a tie is the primary’s',
    'duel/ACTIVE/not ACTIVE': 'reject 16; but way is given to a later RELEASED, RESET, ABANDONED, except toward dhcpd',
    'duel/ownership move/ACTIVE': 'way is given',
    'duel/ownership move/not ACTIVE': 'the primary’s wins',
    'duel/RELEASED, EXPIRED, RESET/ACTIVE': 'way is given when t1 or t3 would accept, else reject 16',
    'duel/RELEASED, EXPIRED, RESET/not ACTIVE': 'the primary’s wins',
    'duel/ABANDONED/ACTIVE': ['reject 16', BY_LATER_KNOWLEDGE],
    'duel/ABANDONED/not ACTIVE': 'the primary’s wins',
    'duel/winner': 'the winner says reject 16 and keeps its own',
    'duel/repair': 'an update that gave way and is accepted all the same: the present state is sent once more',
  }),
  table('5.3', 'Reservations and BOOTP', {
    'reserved/shared': [
      'the primary keeps a reserved FREE address and tells BACKUP with the R bit',
      'so in the draft’s dialect; between our own servers both know the reservation from the configuration, and either may give it',
    ],
    'reserved/either': 'either server may give a reserved address to its one client',
    'reserved/rejected': 'BACKUP with R of a reservation that is not here: reject 19',
    'reserved/free-r': 'FREE with R, as dhcpd says it, is accepted',
    'bootp/for-ever': 'the end of a BOOTP lease is for ever: 0x7fffffff to dhcpd, 0xffffffff else',
    'bootp/never': 'the partner’s addresses of a pool with BOOTP are never used, not even in PARTNER-DOWN',
  }),
  table('5.4', 'Order of the tests', {
    'order/1': 'address or status missing, status unknown, client missing: reject 3',
    'order/2': 'address of no pool of the relationship: reject 1',
    'order/3': 'malformed hardware address: reject 6',
    'order/4': 'BACKUP with R, not reserved here: reject 19',
    'order/5': 'own unanswered update: duel',
    'order/6': 'the table',
    'order/7': [
      'the client holds another address of the subnet already: the later is kept, the other released',
      'both are kept until they end: the older is of a server that the other had not heard of, so it lasts for MCLT at most; which of two the client has, times alone cannot tell',
    ],
    order: 'the first hit decides',
  }),
  { section: '5.4', title: 'Accepting by status', clauses: acceptanceClauses() },
  table('5.4', 'Tests and adjustments', {
    't1/boundary': 'one second before ours is rejected, the same second accepted',
    't2/boundary': 'accepted later than 2 s after the end, not before',
    't3/boundary': 'one second before the reset is rejected, the same second accepted',
    'cltt-missing':
      'a missing last transaction is made up: the end for RELEASED, the header for ABANDONED and RESET, else the start of the state',
    'cltt-ours-missing': 'ours missing: what comes is later',
    'cltt-isc-released': 'of dhcpd’s RELEASED the end counts when it is later',
    'same-client-merge': 'same client: the later end, unless its transaction is later: then its own; the greatest PET',
    idempotent: 'a repetition changes nothing and is accepted',
    'free-over-lease': 'FREE or BACKUP over our lease that is over: accepted',
    'msft-0x4': 'Windows’s IP-flags 0x4: completeness is not asked for',
    'msft-reserved': 'ownership updates of a reservation from Windows: reject 15',
    'accepted/free': 'EXPIRED, RELEASED, RESET are stored as FREE, with the last client',
    'accepted/times': 'the four times are cleared when an address becomes available',
    'accepted/durable': 'durable first, then BNDACK',
    'accepted/quiet': 'what was only applied causes no update of ours',
  }),
  table('5.4', 'A reject received', {
    'rejected/15-16': 'ours is kept, the partner’s update waited for, after 30 s compared again',
    'rejected/2': 'alarm; the secondary adopts the primary’s data when they come',
    'rejected/1': 'alarm; nothing more is sent for the address until the configuration changes',
    'rejected/3-6': 'alarm',
    'rejected/19': 'alarm; the address stays the giver’s',
  }),
  table('5.5', 'Waits in PARTNER-DOWN', {
    own: 'available to us: at once',
    partners: 'available to the partner: P + MCLT + S, not a second before',
    'clients/let': 'leased at P, then over: the end of the lease + MCLT + S',
    'clients/sent': 'the greatest PET sent + MCLT + S',
    'clients/acked': 'the greatest PET acknowledged + MCLT + S',
    'clients/recv': 'the greatest PET received + MCLT + S',
    'clients/p': 'P + MCLT + S when all of these are earlier',
    released: [
      'released here: max(P, release) + MCLT + S',
      'the promised ends count too: a client that released here may have gone back to the partner',
    ],
    'after-p': 'leased by us after P without contact: its own end',
    bootp: 'available to the partner, pool with BOOTP: never',
    abandoned: 'ABANDONED: not before P + MCLT + S',
    'same-client': 'the original client may renew at any time',
    restart: 'P survives a restart',
    'contact-again': 'contact made and lost again: waits only grow',
  }),
  table('6.1', 'Times kept', {
    let: 'the end of the lease: own grants and accepted updates',
    sent: 'sentPET: the greatest sent, durable before it leaves',
    acked: 'ackedPET: the greatest acknowledged for the xid',
    recv: 'recvPET: the greatest accepted of PET and LET',
    cleared: 'all are 0 when the address is available by agreement, and a new client begins from 0',
    infinite: '0xffffffff is for ever and absorbs',
    'infinite-isc': '0x7fffffff is for ever toward dhcpd alone',
  }),
  table('6.2', 'Lease times', {
    bound: 'granted = min(D, max(t, ackedPET, recvPET) + M − t)',
    'let-not-in': 'an end that this server set itself lends no reach',
    'let-received': 'an end received from the partner does',
    'partner-down': 'the same bound in PARTNER-DOWN',
    t1t2: 'T1 and T2 come from the granted time',
    offer: 'the OFFER has the time that the ACK will have',
    pet: 'PET = t + D + granted/2, at least LET, never less than sent before',
    'example/0': 'first lease: 60, PET 630',
    'example/30': 'renewal: 600, PET 930',
    'example/330': 'renewal: 600, PET 1230',
    'example/630': 'without contact: 600',
    'example/930': 'without contact: 360',
    'example/1110': 'without contact: 180',
    'example/1200': 'without contact: 90',
    'example/1245': 'without contact: 60',
    'example/partner': 'rebinding at the partner at 1000: 290',
  }),
  table('6.3', 'Order of writes', {
    offer: 'an OFFER makes nothing durable',
    ack: 'the lease is durable before the ACK',
    'sent-pet': 'sentPET is durable before the BNDUPD',
    release: 'a release is durable before its BNDUPD',
    received: 'a received update is durable before its BNDACK',
    state: 'a state is durable before it is announced',
  }),
  table('6.4', 'Choosing MCLT', {
    'isc-warning': 'MCLT below the longest lease with dhcpd: the operator is warned',
  }),
  table('6.5', 'Changes while running', {
    'mclt-shortened': 'waits use the largest MCLT in force within its own length',
    'mclt-durable': 'that value and its time are durable',
    buckets: 'buckets of the primary = round(256 × percent / 100)',
    reconnect: 'a change of the shares is told in a new CONNECT toward dhcpd',
  }),
  table('8.4', 'Who answers in NORMAL', {
    discover: 'DISCOVER: by hash',
    selecting: 'REQUEST, SELECTING: by server-identifier',
    'init-reboot': 'REQUEST, INIT-REBOOT: by hash',
    renewing: 'REQUEST, RENEWING and REBINDING: always',
    'release-decline': 'RELEASE and DECLINE: always',
    inform: 'INFORM: always',
    'secs/at-limit': 'secs equal to the limit: only the responsible server',
    'secs/above-limit': 'secs above the limit: the other one too',
    'secs/byte-order': 'secs above 255 with a low octet of 0 are taken as byte-swapped',
    'partner-dry': 'the partner has no available address: answered in its place',
    'no-balancing': 'no balancing outside NORMAL',
    'option-10': 'delayed-service-parameter is not used',
  }),
  table('8.5', 'Hot standby', {
    buckets: 'all buckets are the active server’s',
    standby: 'the standby is silent to a DISCOVER with secs up to the limit, and renews everybody',
    'reserve/own':
      'the reserve is the configured share, moved on NORMAL, on POOLREQ and when off by more than the tolerance',
    'reserve/isc-secondary': 'dhcpd as secondary: POOLREQ is answered with POOLRESP, also 0',
    'reserve/isc-primary': 'dhcpd as primary: what it gives is taken and not given back',
    'reserve/msft': 'Windows as primary moves the reserve itself',
    'active-secondary': 'the active server may be the secondary: it then has most of the addresses',
  }),
];
