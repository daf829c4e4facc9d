/** Specification 1.2 to 1.5, 1.7, 1.12, 1.14, 3.2 to 3.6, 8.1 to 8.3: what lies on the wire. */
import {
  BINDING_STATES,
  MESSAGE_NUMBERS,
  type MessageKind,
  REJECT_REASONS,
  SERVER_STATES,
} from '../../src/wire/failover/messages.ts';
import { type Clause, type ClauseTable, table } from './clause.ts';

/** Who sends a message and what answers it (1.4); `either` for both roles. */
export const MESSAGES: Readonly<
  Record<MessageKind, readonly [sender: 'primary' | 'secondary' | 'either', answer: MessageKind | undefined]>
> = {
  poolreq: ['secondary', 'poolresp'],
  poolresp: ['primary', undefined],
  bndupd: ['either', 'bndack'],
  bndack: ['either', undefined],
  connect: ['primary', 'connectack'],
  connectack: ['secondary', undefined],
  updreqall: ['either', 'upddone'],
  upddone: ['either', undefined],
  updreq: ['either', 'upddone'],
  state: ['either', undefined],
  contact: ['either', undefined],
  disconnect: ['either', undefined],
};

function messageClauses(): Clause[] {
  return Object.entries(MESSAGES).map(([kind, [sender, answer]]) => {
    const id = `1.4 ${MESSAGE_NUMBERS[kind as MessageKind]} ${kind.toUpperCase()}`;
    const said = answer === undefined ? 'not answered' : `answered by ${answer.toUpperCase()}`;
    const rule = `number ${MESSAGE_NUMBERS[kind as MessageKind]}, sent by ${sender === 'either' ? 'either server' : `the ${sender}`}, ${said}`;
    if (kind === 'poolreq' || kind === 'poolresp')
      return {
        id,
        rule,
        instead: 'either role may ask and gives, as with dhcpd; in the draft’s dialect the secondary alone asks',
      };
    return { id, rule };
  });
}

/** Code, name, a value in hexadecimal as it lies in a message, and the profiles that carry it (all when absent). */
export interface OptionRow {
  readonly code: number;
  readonly name: string;
  readonly data: string;
  /** Its form for Windows where that is another. */
  readonly msft?: string;
  readonly only?: 'msft';
}

export const OPTIONS: readonly OptionRow[] = [
  { code: 1, name: 'addresses-transferred', data: 'u32' },
  { code: 2, name: 'assigned-IP-address', data: '4 octets' },
  { code: 3, name: 'binding-status', data: 'u8', msft: 'bit field' },
  { code: 4, name: 'client-identifier', data: 'octets, at least 1' },
  { code: 5, name: 'client-hardware-address', data: 'htype, not 0, and chaddr', msft: 'scope before it' },
  { code: 6, name: 'client-last-transaction-time', data: 'u32 time' },
  { code: 7, name: 'client-reply-options', data: 'magic and DHCP options' },
  { code: 8, name: 'client-request-options', data: 'magic and DHCP options' },
  { code: 9, name: 'DDNS', data: 'u16 flags and a name; never to dhcpd' },
  { code: 10, name: 'delayed-service-parameter', data: 'u8; never sent, ignored when received' },
  { code: 11, name: 'hash-bucket-assignment', data: '32 octets' },
  { code: 12, name: 'IP-flags', data: 'u16', msft: 'u8' },
  { code: 13, name: 'lease-expiration-time', data: 'u32 time' },
  { code: 14, name: 'max-unacked-bndupd', data: 'u32' },
  { code: 15, name: 'MCLT', data: 'u32 seconds' },
  { code: 16, name: 'message', data: 'text without NUL' },
  { code: 17, name: 'message-digest', data: 'type and digest' },
  { code: 18, name: 'potential-expiration-time', data: 'u32 time; for dhcpd 0x7fffffff is for ever' },
  { code: 19, name: 'receive-timer', data: 'u32 seconds' },
  { code: 20, name: 'protocol-version', data: 'u8, 1' },
  { code: 21, name: 'reject-reason', data: 'u8' },
  { code: 22, name: 'relationship-name', data: 'text, compared exactly', msft: 'UTF-16LE' },
  { code: 23, name: 'server-flags', data: 'u8' },
  { code: 24, name: 'server-state', data: 'u8' },
  { code: 25, name: 'start-time-of-state', data: 'u32 time' },
  { code: 26, name: 'TLS-reply', data: 'u8' },
  { code: 27, name: 'TLS-request', data: 'u8' },
  { code: 28, name: 'vendor-class-identifier', data: 'text', msft: 'UTF-16LE' },
  { code: 29, name: 'vendor-specific-options', data: 'octets, only beside 28' },
  { code: 30, name: 'scope ID list', data: 'addresses', msft: 'little-endian' },
  { code: 31, name: 'client name', data: 'UTF-16LE and NUL', only: 'msft' },
  { code: 32, name: 'client description', data: 'UTF-16LE and NUL', only: 'msft' },
  { code: 33, name: 'client subnet mask', data: '4 octets', only: 'msft' },
  { code: 34, name: 'server IP', data: '4 octets', only: 'msft' },
  { code: 35, name: 'server name', data: 'UTF-16LE and NUL', only: 'msft' },
  { code: 36, name: 'client type', data: 'u8', only: 'msft' },
  { code: 37, name: 'NAP status', data: 'u8, 0', only: 'msft' },
  { code: 38, name: 'NAP probation', data: '4 octets, 0', only: 'msft' },
  { code: 39, name: 'NAP capable', data: 'u8, 0', only: 'msft' },
  { code: 40, name: 'matched policy', data: 'octets' },
  { code: 41, name: 'extended address state', data: '4 octets', only: 'msft' },
];

function optionClauses(section: '1.5' | '3.2'): Clause[] {
  return OPTIONS.filter(({ code }) => section === '1.5' || code >= 30).map(({ code, name, data, msft }) => ({
    id: `${section} ${code} ${name}`,
    rule: msft === undefined ? data : `${data}; Windows: ${msft}`,
  }));
}

function numbered(prefix: string, numbers: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(numbers).map(([name, number]) => [`${prefix}/${number}`, name]));
}

export const VECTORS: readonly (readonly [key: string, bucket: number])[] = [
  ['020000000000', 4],
  ['02ffffffffff', 68],
  ['001122334455', 135],
  ['00163e5e6c00', 108],
  ['0277aa000000', 183],
  ['0277aa000003', 34],
  ['52540012abcd', 112],
  ['aabbccddeeff', 57],
  ['01001122334455', 223],
  ['010277aa000003', 234],
  ['ff00112233000100012a3b4c5d001122334455', 128],
  ['00686f73742d61', 80],
  ['00', 175],
  ['6162636465666768696a6b6c6d6e6f707172737475767778797a', 253],
  ['000000000000', 254],
  ['ffffffffffff', 79],
  ['', 0],
  ['c0ffee', 245],
  ['0011223344556677', 208],
];
export const SPLITS: readonly number[] = [0, 1, 128, 200, 255, 256];

export const WIRE_TABLES: readonly ClauseTable[] = [
  table('1.2', 'Header', {
    length: '12 to 2048 octets, the whole message; anything else ends the stream',
    type: 'the type of the message is its third octet',
    'payload-offset-sent': '12; 8 toward Windows',
    'payload-offset-received': '8 means 12, more is skipped, anything else is an error',
    time: 'seconds since 1970, unsigned, of the moment of leaving',
    xid: 'big-endian, unsigned, copied into an answer',
    'cut-option': 'a length that ends inside an option is an error',
    'unknown-type': 'below 128 the connection is closed, from 128 on the message is passed over',
  }),
  table('1.3', 'Options', {
    form: 'code and length of two octets each, big-endian; no padding, no end mark',
    unknown: 'unknown options are ignored',
    twice: 'an option twice is an error, except in the groups of BNDUPD and BNDACK',
    times: 'times are absolute, unsigned 32 bit; only MCLT and receive-timer are spans',
    order: 'order counts for message-digest and assigned-IP-address only; a lone address may stand anywhere',
  }),
  { section: '1.4', title: 'Messages', clauses: messageClauses() },
  { section: '1.5', title: 'Options, one by one', clauses: optionClauses('1.5') },
  table('1.7', 'Binding-status', {
    ...numbered('binding-status', BINDING_STATES),
    'binding-status/other': 'any other value: reject 3, and nothing is done',
  }),
  table('1.7', 'Server-state', {
    ...numbered('server-state', SERVER_STATES),
    'server-state/1-sent': 'STARTUP is never sent as a state, only as a flag',
    'server-state/0': 'no information',
    'server-state/other': 'no information',
  }),
  table('1.7', 'Reject-reason on the wire', {
    ...numbered('reject-reason', REJECT_REASONS),
    'reject-reason/other': 'a reserved number is a reject all the same',
  }),
  table('1.12', 'Digest and TLS', {
    'digest-form': [
      'type 1, HMAC-MD5, first option, over the zeroed message and the secret',
      'type 2, HMAC-SHA-256 over the zeroed message, as 11.3 recommends; the draft’s form in the draft’s dialect',
    ],
    'digest-missing': 'missing though agreed: 21',
    'digest-unexpected': 'present though not agreed: 13',
    'digest-wrong': 'does not compare: 20; another type: 12',
    'digest-replay': [
      'a CONNECT not later than the one before is a replay; xids must increase',
      'so it is with a secret shared with another make, but of Windows rising xids are not demanded; inside the TLS of our own links nothing can be replayed',
    ],
    'digest-isc': 'toward dhcpd none is sent and one received is passed over',
    'tls-own':
      'between Twinlease servers the link is inside TLS 1.3 with both keys pinned; options 27 and 26 are absent',
    'tls-refused': 'TLS demanded inside the connection (2): refused; 0 and 1 are answered with 0',
  }),
  table('1.14', 'Dialects', {
    'detection/draft': 'neither of the others',
    'detection/isc': 'vendor class begins with isc-, payload offset 12',
    'detection/msft': 'payload offset 8',
    'payload-offset/draft': '12',
    'payload-offset/isc': '12',
    'payload-offset/msft': '8',
    'names/draft': 'octets (UTF-8)',
    'names/isc': 'octets (UTF-8)',
    'names/msft': 'UTF-16LE without a terminator',
    'hba-polarity/draft': 'a set bit is the secondary’s',
    'hba-polarity/isc': 'a set bit is the primary’s',
    'hba-polarity/msft': 'not used when received',
    'hba-order': 'bucket b is octet b/8, bit b mod 8, least significant first',
    'ip-flags/draft': 'two octets, absent when 0',
    'ip-flags/isc': 'two octets, absent when 0',
    'ip-flags/msft': 'one octet, always, with a meaning of its own',
    'hardware/draft': 'htype and chaddr',
    'hardware/isc': 'htype and chaddr',
    'hardware/msft': 'scope little-endian, htype, address',
    'status/draft': '1 to 7',
    'status/isc': '1 to 7',
    'status/msft': 'bit field',
    'batch/draft': 'any number of updates in a BNDUPD is read',
    'batch/isc': 'exactly one is sent',
    'batch/msft': 'one is sent, up to 16 read',
    'digest/draft': 'MD5, first',
    'digest/isc': 'none',
    'digest/msft': 'SHA-256, its place found by trying',
    'poolreq/draft': 'the secondary sends it',
    'poolreq/isc': 'optional, from either role, and answered',
    'poolreq/msft': 'never sent, dropped when received',
    'updreq/draft': 'without options',
    'updreq/isc': 'without options',
    'updreq/msft': 'with the scope list where some scopes are meant',
    'disconnect/draft': 'sent',
    'disconnect/isc': 'sent, and obeyed',
    'disconnect/msft': 'not sent',
    'recover-wait/draft': '254',
    'recover-wait/isc': '254',
    'recover-wait/msft': 'RECOVER is announced throughout',
    'bndack/draft': 'answers to a batch in any order are understood',
    'bndack/isc': 'one update, one answer',
    'bndack/msft': 'answers in the order of the updates',
  }),
  { section: '3.2', title: 'Options of [MS-DHCPF]', clauses: optionClauses('3.2') },
  table('3.3', 'Options that [MS-DHCPF] defines anew', {
    'payload-offset': '8',
    'binding-status': 'a bit field',
    hardware: 'the scope’s address little-endian before htype and address',
    'ip-flags': 'one octet, mandatory; 0 for ownership moves',
    names: 'UTF-16LE without a terminator',
    digest: 'type octet 2',
  }),
  table('3.4', 'Binding-status of [MS-DHCPF]', {
    'by-option-5': 'with a hardware address a lease, without an ownership move',
    'lease/offered': '0: ACTIVE',
    'lease/active': '1: ACTIVE',
    'lease/declined': '2: EXPIRED',
    'lease/doomed': '3: EXPIRED',
    'lease/released': 'IP-flags 0x2: RELEASED',
    'lease/other-bits': 'DHCID and DNS bits do not matter',
    'move/1': 'FREE',
    'move/2': 'BACKUP',
    'move/4': 'RECONCILE: FREE',
    'move/5': 'FREE_UPDATE: FREE',
    'move/6': 'BACKUP_UPDATE: BACKUP',
    'move/other': 'reject 3',
    sent: 'active 1, released 1 with flag 0x2, expired 3, declined 2, moves as listed',
  }),
  table('3.6', 'Authentication of [MS-DHCPF]', {
    search: 'place, coverage and key encoding are found by trying all 18 ways',
    locked: 'the way that verified once is kept and is the only one believed',
    primary: 'as primary the ways are tried on successive connections',
    failure: 'a message that fails ends the connection',
    'no-fallback': 'nothing is believed without a digest where a secret is agreed',
  }),
  table('8.1', 'Hash', {
    table: 'the mixing table is that of RFC 3074',
    'long-key': 'a key begins with its length modulo 256',
    'client-id-first': 'the client identifier when there is one, else chaddr without htype',
  }),
  table('8.2', 'Hash buckets', {
    order: 'bucket b is octet b >> 3, bit b & 7',
    polarity: 'a set bit is the primary’s; in the draft’s dialect the secondary’s',
    ...Object.fromEntries(SPLITS.map((split) => [`split/${split}`, `the first ${split} buckets`])),
  }),
  table('8.3', 'Test vectors', {
    ...Object.fromEntries(VECTORS.map(([key, bucket]) => [`key/${key === '' ? 'empty' : key}`, `bucket ${bucket}`])),
    '24-clients': 'chaddr 02 77 bb 00 00 NN, NN from 0 to 17 hexadecimal',
    preference: 'with split 128 the same client is the primary’s by chaddr and the secondary’s by identifier',
  }),
];
