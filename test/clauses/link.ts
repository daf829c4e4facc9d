/** Specification 1.1, 1.6, 1.7 to 1.11, 1.13, 3.1, 3.5, 3.7, 3.8: connections, and who says what on them. */
import { REJECT_REASONS } from '../../src/wire/failover/messages.ts';
import { type Clause, type ClauseTable, table } from './clause.ts';

/** A message in one of its forms, as the columns of 1.6 have it. */
export type Form =
  | 'CONNECT'
  | 'CONNECTACK accepting'
  | 'CONNECTACK rejecting'
  | 'STATE'
  | 'POOLRESP'
  | 'BNDACK accepting'
  | 'BNDACK rejecting'
  | 'DISCONNECT';
/** M must, S should, N must not. */
export type Demand = 'M' | 'S' | 'N';
export interface Requirement {
  readonly id: string;
  readonly code: number;
  readonly form: Form;
  readonly demand: Demand;
}

const FORMS: readonly Form[] = [
  'CONNECT',
  'CONNECTACK accepting',
  'CONNECTACK rejecting',
  'STATE',
  'POOLRESP',
  'BNDACK accepting',
  'BNDACK rejecting',
  'DISCONNECT',
];
/** By option: one letter for each form; `-` is not meaningful, `T` is told apart below. */
const PRINTED: readonly (readonly [code: number, name: string, cells: string])[] = [
  [22, 'relationship-name', 'MMM-----'],
  [14, 'max-unacked-bndupd', 'MMN-----'],
  [19, 'receive-timer', 'MMN-----'],
  [28, 'vendor-class-identifier', 'MMN-----'],
  [20, 'protocol-version', 'MMM-----'],
  [15, 'MCLT', 'MNN-----'],
  [11, 'hash-bucket-assignment', 'MNN-----'],
  [21, 'reject-reason', '-NM--NMM'],
  [16, 'message', '-NS--NSS'],
  [24, 'server-state', '---M----'],
  [23, 'server-flags', '---M----'],
  [25, 'start-time-of-state', '---M----'],
  [1, 'addresses-transferred', '----M---'],
  [2, 'assigned-IP-address', '-----MM-'],
];

export const REQUIREMENTS: readonly Requirement[] = PRINTED.flatMap(([code, name, cells]) =>
  FORMS.flatMap((form, column) => {
    const demand = cells[column];
    return demand === 'M' || demand === 'S' || demand === 'N'
      ? [{ id: `1.6 ${code} ${name}/${form}`, code, form, demand }]
      : [];
  }),
);

const WORDS: Readonly<Record<Demand, string>> = { M: 'must be in it', S: 'should be in it', N: 'must not be in it' };

/** Status of an update, as the columns of the second matrix of 1.6 have it. */
export type StatusColumn = 'ACTIVE' | 'EXPIRED' | 'RELEASED' | 'FREE, BACKUP, RESET' | 'ABANDONED';
export const STATUS_COLUMNS: readonly StatusColumn[] = [
  'ACTIVE',
  'EXPIRED',
  'RELEASED',
  'FREE, BACKUP, RESET',
  'ABANDONED',
];
const UPDATE_PRINTED: readonly (readonly [code: number, name: string, cells: string])[] = [
  [2, 'assigned-IP-address', 'MMMMM'],
  [3, 'binding-status', 'MMMMM'],
  [12, 'IP-flags, if not 0', 'MMMMM'],
  [4, 'client-identifier, if the client used one', 'MMM-N'],
  [5, 'client-hardware-address', 'MMM-N'],
  [13, 'lease-expiration-time', 'MNNNN'],
  [18, 'potential-expiration-time', 'MNNNN'],
  [25, 'start-time-of-state', 'SSSSS'],
  [6, 'client-last-transaction-time', 'MSM--'],
  [9, 'DDNS, without DNS updates', 'NNNNN'],
  [8, 'client-request-options', 'SN-NN'],
  [7, 'client-reply-options', '-NNNN'],
];
export interface UpdateRequirement {
  readonly id: string;
  readonly code: number;
  readonly column: StatusColumn;
  readonly demand: Demand;
}
export const UPDATE_REQUIREMENTS: readonly UpdateRequirement[] = UPDATE_PRINTED.flatMap(([code, name, cells]) =>
  STATUS_COLUMNS.flatMap((column, index) => {
    const demand = cells[index];
    return demand === 'M' || demand === 'S' || demand === 'N'
      ? [{ id: `1.6 ${code} ${name}/BNDUPD ${column}`, code, column, demand }]
      : [];
  }),
);

/** What our own dialect does otherwise; toward the draft's the matrix holds to the letter. */
const UPDATE_INSTEAD: Readonly<Record<string, string>> = {
  '1.6 18 potential-expiration-time/BNDUPD ABANDONED':
    'our own kind is told how far the address was promised: both must know it if one loses its store. dhcpd is told the end of its own abandon time (2.6)',
  '1.6 13 lease-expiration-time/BNDUPD EXPIRED': 'dhcpd is told all times always, as it tells them (2.6)',
  '1.6 13 lease-expiration-time/BNDUPD RELEASED': 'dhcpd is told all times always, as it tells them (2.6)',
  '1.6 13 lease-expiration-time/BNDUPD FREE, BACKUP, RESET': 'dhcpd is told all times always, as it tells them (2.6)',
  '1.6 13 lease-expiration-time/BNDUPD ABANDONED': 'dhcpd is told all times always, as it tells them (2.6)',
  '1.6 18 potential-expiration-time/BNDUPD EXPIRED': 'dhcpd is told all times always, as it tells them (2.6)',
  '1.6 18 potential-expiration-time/BNDUPD RELEASED': 'dhcpd is told all times always, as it tells them (2.6)',
  '1.6 18 potential-expiration-time/BNDUPD FREE, BACKUP, RESET':
    'dhcpd is told all times always, as it tells them (2.6)',
};

function matrixClauses(): Clause[] {
  return REQUIREMENTS.map(({ id, form, demand }) => ({ id, rule: `${form}: ${WORDS[demand]}` }));
}

function updateMatrixClauses(): Clause[] {
  return UPDATE_REQUIREMENTS.map(({ id, column, demand }) => {
    const clause = { id, rule: `BNDUPD ${column}: ${WORDS[demand]}` };
    const instead = UPDATE_INSTEAD[id];
    return instead === undefined ? clause : { ...clause, instead };
  });
}

/** 3.5, for Windows: by status ACTIVE, EXPIRED, RELEASED, FREE/BACKUP, ABANDONED; `-` is optional. */
export const WINDOWS_PRINTED: readonly (readonly [codes: readonly number[], cells: string])[] = [
  [[2, 3, 12, 33], 'MMMMM'],
  [[5], 'MMMNM'],
  [[6], 'MMMN-'],
  [[13, 18], 'M--N-'],
  [[9, 25, 4, 8, 7], '---N-'],
  [[34, 36, 37, 38, 39], 'SSSNS'],
  [[31, 32, 35, 40], '---N-'],
];
export const WINDOWS_COLUMNS = ['ACTIVE', 'EXPIRED', 'RELEASED', 'FREE/BACKUP', 'ABANDONED'] as const;

function windowsClauses(): Clause[] {
  return WINDOWS_PRINTED.flatMap(([codes, cells]) =>
    WINDOWS_COLUMNS.flatMap((column, index) => {
      const demand = cells[index];
      return demand === 'M' || demand === 'S' || demand === 'N'
        ? [{ id: `3.5 ${codes.join(', ')}/${column}`, rule: `${column}: ${WORDS[demand]}` }]
        : [];
    }),
  );
}

const NEVER_SENT: Readonly<Record<number, string>> = {
  9: 'never sent: TLS is either around the whole link or not at all, so 10 says it',
  11: 'never sent: our own links are inside TLS from their first octet, so nobody can ask without',
};

function reasonClauses(): Clause[] {
  return Object.entries(REJECT_REASONS).flatMap(([name, number]) => {
    const sent = { id: `1.7 sent/${number}`, rule: `${name}: when it is said` };
    const never = NEVER_SENT[number];
    return [
      never === undefined ? sent : { ...sent, instead: never },
      { id: `1.7 received/${number}`, rule: `${name} in CONNECTACK, BNDACK and DISCONNECT: what is done` },
    ];
  });
}

export const LINK_TABLES: readonly ClauseTable[] = [
  table('1.1', 'TCP', {
    port: 'both servers listen on 647 by default',
    'who-opens/twinlease': ['both may open', 'the primary opens; both listen'],
    'who-opens/draft': 'both open, but the primary uses only a connection that it opened',
    'who-opens/isc': 'both open, and the primary sends CONNECT on whichever comes up',
    'who-opens/msft': 'the primary opens',
    'who-connects': 'only the primary sends CONNECT, and it is its first message',
    'source-address': 'a partner of another make is known by its source address; any other is closed without an octet',
    retry: 'opened again and again; later after a reject or DISCONNECT',
    'first-message': 'without a CONNECT or CONNECTACK within a limited time the connection is closed',
    'one-connection': 'one established connection per relationship: a second one is refused, or replaces a dead one',
    stream: 'several messages in one segment, and one over several, are read alike',
  }),
  { section: '1.6', title: 'Options of the messages of a connection', clauses: matrixClauses() },
  table('1.6', 'TLS and digest in the messages', {
    'TLS-request/CONNECT': 'must be in it, but not inside TLS',
    'TLS-reply/CONNECTACK': 'must be in it, accepting and rejecting, if and only if TLS-request came',
    'message-digest': 'in every message if and only if a secret is agreed',
    'no-options/poolreq': 'no options',
    'no-options/updreqall': 'no options',
    'no-options/upddone': 'no options',
    'no-options/contact': 'no options',
    'bndack-only': 'BNDACK has nothing but 2, 21 and 16',
    'reject-column': 'what dhcpd sends too much in a rejecting CONNECTACK is tolerated',
  }),
  table('1.6', 'A missing option, received', {
    'missing/CONNECT/22': 'relationship-name: reject 8',
    'missing/CONNECT/14': 'max-unacked-bndupd: reject 254; Windows: 10 is taken',
    'missing/CONNECT/19': 'receive-timer: reject 254; Windows: our own is taken',
    'missing/CONNECT/28': 'vendor class: accepted',
    'missing/CONNECT/20': 'protocol-version: reject 14; Windows: accepted',
    'missing/CONNECT/15': 'MCLT: reject 5; Windows: accepted',
    'missing/CONNECT/11': 'hash buckets: reject 18; Windows: accepted',
    'missing/CONNECTACK': 'anything but the name’s being another: accepted with defaults',
    'missing/STATE': 'server-state: no information',
    'missing/BNDUPD/2': 'assigned-IP-address: reject 3',
    'missing/BNDUPD/3': 'binding-status: reject 3',
    'missing/BNDUPD/client': 'ACTIVE, EXPIRED, RELEASED without a client: reject 3',
    'missing/BNDUPD/13': 'ACTIVE without the end of the lease: reject 3',
    'missing/BNDUPD/18': 'ACTIVE without potential expiration: the end of the lease counts',
    'missing/BNDACK/2': 'assigned-IP-address: the connection is closed',
    'missing/DISCONNECT/21': 'reject-reason: closed all the same',
  }),
  { section: '1.6', title: 'Options of an update, by its status', clauses: updateMatrixClauses() },
  { section: '1.7', title: 'Reject-reasons, sent and received', clauses: reasonClauses() },
  table('1.8', 'CONNECT and CONNECTACK', {
    'primary/fresh-xid': 'CONNECT has a fresh xid, and a CONNECTACK with another is ignored',
    'primary/limited-wait': 'CONNECTACK is waited for a limited time',
    'step-1': 'the time of receipt is noted',
    'step-2': 'protocol version, else 14; our own is in the answer',
    'step-3': 'TLS-request against ours: 2 is answered with 10',
    'step-4': 'the digest, else 12, 13, 20, 21',
    'step-5': 'the name is known, we are its secondary, the address is the partner’s, else 8',
    'step-6': 'the clocks, else 4',
    'step-7': 'the primary’s MCLT is adopted, kept durably, and no other used even out of contact; 5 if impossible',
    'step-8': 'the hash buckets, 32 octets, are kept for NORMAL, else 18',
    'step-9': 'the vendor class chooses the dialect',
    'step-10':
      'an established connection: refused with 7 while alive, else replaced by way of COMMUNICATIONS-INTERRUPTED',
    order: 'the first failing step of this order gives the reason',
    'secondary/after-reject': 'after a rejecting CONNECTACK the sender closes',
    'secondary/after-accept': 'after an accepting one it sends STATE at once',
    'primary/reject': 'a rejecting CONNECTACK is reported and the connection closed',
    'primary/tls-reply': ['TLS-reply 1: TLS is begun', 'TLS is around the link or absent: 1 is refused with 10'],
    'primary/version': 'another version ends the connection',
    'primary/skew': 'clocks too far apart end it with DISCONNECT 4',
    'primary/state': 'then STATE is sent and the timers run',
    'comm-ok': 'communications are OK only after the partner’s STATE',
  }),
  table('1.9', 'Keep-alive', {
    'receive-timer': 'our own, restarted by any message; when it ends DISCONNECT 17, closed',
    'send-timer': 'CONTACT a third of the partner’s receive timer after the last message sent',
    'defaults/twinlease': 'receive timer 10 s',
    'defaults/foreign': 'receive timer 60 s toward other makes',
    'defaults/msft': 'Windows: CONTACT at least every 60 s whatever was agreed',
    'never-below-3': 'never less than 3 s is advertised',
  }),
  table('1.10', 'Flow control', {
    window: 'never more unanswered BNDUPD than the partner allows',
    'always-read': 'CONTACT, STATE, BNDACK and UPDREQ are acted on with a full window too',
    batch: 'a batch counts as one',
    'lazy-answers': 'answers that come late are no trouble',
  }),
  table('1.11', 'Clocks', {
    'every-message': 'the difference is measured on every message',
    refuse: 'more than 60 s is refused',
    alarm: 'more than 5 s is reported, once',
    'never-rewritten': [
      'received times are corrected by a smoothed difference',
      'never corrected; every wait has an allowance',
    ],
    allowance:
      'S is 5 s toward our own kind, 60 s toward others, or the greatest difference ever measured, kept durably',
  }),
  table('1.13', 'xid', {
    unique: 'unique per connection and direction',
    copied: 'copied into POOLRESP, BNDACK, CONNECTACK and UPDDONE',
    'across-connections': 'begins anew on each connection; an answer of an earlier one means nothing',
    resent: 'after a loss updates are sent again with new xids',
    'latest-request': 'UPDDONE answers the latest UPDREQ or UPDREQALL',
  }),
  table('3.1', 'A relationship with Windows', {
    'not-used': 'MCLT and hash buckets of its CONNECT are not used; what is configured counts',
    name: 'the relationship is known by name, partner address and role',
  }),
  { section: '3.5', title: 'Options of an update for Windows, by its status', clauses: windowsClauses() },
  table('3.5', 'Reading Windows’s updates', {
    missing: 'a missing mandatory option: reject 3',
    'flag-0x4': 'IP-flags 0x4: completeness is not asked for',
    '16-updates': 'up to 16 updates in one BNDUPD',
    'same-order': 'answers in the order of the updates, one that could not be read in its place',
  }),
  table('3.7', 'Exchanges with Windows', {
    updreq: 'UPDREQ with a scope list is answered by all of these scopes, then UPDDONE',
    ownership: 'the primary moves addresses every 5 min, by BNDUPD',
    'poolreq-dropped': 'POOLREQ received is dropped, none is sent',
    'no-disconnect': 'no DISCONNECT is sent',
    'passing-states': 'PAUSED and SHUTDOWN are never sent',
    clock: 'more than 60 s on any message ends the connection',
    window: 'never more than 10 unanswered',
  }),
  table('3.8', 'Rules for a partner of Windows', {
    1: 'as secondary its form is taken from its CONNECT',
    2: 'CONTACT every 60 s, silence borne for 180 s',
    3: 'as primary we move ownership every 5 min and wait for no POOLREQ',
    4: 'as secondary no POOLREQ; BACKUP updates are taken',
    5: 'answers in the same order; one update per BNDUPD',
    6: 'percentage, reserve, MCLT and secret come from the configuration',
    7: 'what is unverified is in one file, each marked so',
  }),
];
