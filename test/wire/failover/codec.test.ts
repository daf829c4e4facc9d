import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Decoded,
  decodeMessage,
  detectProfile,
  encodeMessage,
  SCOPE_IDS_MAX,
} from '../../../src/wire/failover/codec.ts';
import type { BindingUpdate, FailoverMessage, WireProfile } from '../../../src/wire/failover/messages.ts';
import { FAILOVER_OPTIONS, MESSAGE_OPTIONS, MESSAGE_TEXT_BYTES_MAX } from '../../../src/wire/failover/options.ts';
import { windowsVendorUse } from '../../../src/wire/failover/update.ts';
import { UNSERVED_SCOPES_MAX, VENDOR_CLASS } from '../../../src/wire/failover/vendor.ts';
import { type EpochSec, type Ip4, parseIp4, toHex } from '../../../src/wire/units.ts';
import { hex, plain } from './vectors.ts';

const HEAD = { sentAt: 0x6b048119 as EpochSec, xid: 7 };
const ADDRESS = parseIp4('10.77.0.100')!;
const HARDWARE = hex('010277dd000001');
/** One option: code, then data; the length is put in. */
const option = (code: number, data: string) => {
  const bytes = hex(data);
  return Uint8Array.of(code >> 8, code, bytes.length >> 8, bytes.length, ...bytes);
};
const frameOf = (type: number, ...options: Uint8Array[]) => withOffset(type, 12, ...options);

function withOffset(type: number, payloadOffset: number, ...options: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(options);
  const size = 12 + body.length;
  return Uint8Array.of(size >> 8, size, type, payloadOffset, 0x6b, 4, 0x81, 0x19, 0, 0, 0, 7, ...body);
}

function message(read: Decoded): FailoverMessage {
  assert.ok(read.kind === 'ok', JSON.stringify(read));
  return read.value;
}

function updatesOf(frame: Uint8Array, profile: WireProfile = 'isc') {
  const read = message(decodeMessage(frame, profile));
  assert.ok(read.kind === 'bndupd');
  return read;
}

function bndupd(profile: WireProfile, ...updates: BindingUpdate[]): string {
  return toHex(encodeMessage({ kind: 'bndupd', ...HEAD, updates }, profile)).slice(24);
}

const GROUP = [option(2, '0a4d0064'), option(3, '02'), option(5, '010277dd000001')];

test('the payload offset 8 means 12, more skips a longer header, anything else is refused', () => {
  const state = [option(24, '02'), option(23, '00'), option(25, '6b048119')];
  const plainRead = plain(message(decodeMessage(frameOf(10, ...state), 'isc')));
  assert.deepEqual(plain(message(decodeMessage(withOffset(10, 8, ...state), 'isc'))), plainRead);
  const longer = withOffset(10, 16, hex('deadbeef'), ...state);
  assert.deepEqual(plain(message(decodeMessage(longer, 'isc'))), plainRead);
  for (const offset of [0, 1, 7, 9, 11, 255]) {
    assert.equal(decodeMessage(withOffset(10, offset, ...state), 'isc').kind, 'bad', `offset ${offset}`);
  }
});

test('a message length that differs from the frame is refused', () => {
  const frame = frameOf(11);
  frame[1] = 13;
  assert.equal(decodeMessage(frame, 'isc').kind, 'bad');
});

test('unknown message types end the connection below 128 and are passed over from 128 on', () => {
  for (const type of [0, 13, 127]) assert.equal(decodeMessage(frameOf(type), 'isc').kind, 'bad', `type ${type}`);
  for (const type of [128, 200, 255]) {
    assert.deepEqual(decodeMessage(frameOf(type, option(1, '00')), 'isc'), { kind: 'ignored', messageType: type });
  }
});

test('unknown options, and options the message has no use for, are ignored even twice', () => {
  const frame = frameOf(11, option(300, 'aabb'), option(300, ''), option(24, '0203'), option(15, '00'));
  assert.equal(message(decodeMessage(frame, 'isc')).kind, 'contact');
});

test('a useful option twice is refused', () => {
  const frame = frameOf(5, option(22, '70'), option(15, '00000014'), option(15, '00000014'));
  assert.equal(decodeMessage(frame, 'isc').kind, 'bad');
});

test('a fixed-size option of another size is refused', () => {
  for (const wrong of [option(14, '0a'), option(19, '000000000a'), option(20, '0001'), option(27, '')]) {
    assert.equal(decodeMessage(frameOf(5, option(22, '70'), wrong), 'isc').kind, 'bad', toHex(wrong));
  }
  assert.equal(decodeMessage(frameOf(3, ...GROUP, option(12, '01')), 'isc').kind, 'bad');
});

test('an option that runs past the message is refused', () => {
  const frame = frameOf(10, hex('0018 0002 02'));
  assert.equal(decodeMessage(frame, 'isc').kind, 'bad');
  assert.equal(decodeMessage(frameOf(10, hex('0018 00')), 'isc').kind, 'bad');
});

test('a hash bucket assignment of another size counts as none, so that the secondary can answer reject 18', () => {
  const read = message(decodeMessage(frameOf(5, option(22, '70'), option(11, 'ffff')), 'isc'));
  assert.ok(read.kind === 'connect');
  assert.equal(read.relationshipName, 'p');
  assert.equal(read.hashBuckets, undefined);
});

test('hash buckets mean the same in every dialect; only the draft writes them the other way round', () => {
  const hashBuckets = hex(`01${'00'.repeat(31)}`);
  const connect: FailoverMessage = { kind: 'connect', ...HEAD, hashBuckets };
  for (const profile of ['twinlease', 'isc', 'msft'] as const) {
    assert.equal(toHex(encodeMessage(connect, profile)).slice(32), toHex(hashBuckets), profile);
  }
  assert.equal(toHex(encodeMessage(connect, 'draft')).slice(32), `fe${'ff'.repeat(31)}`);
});

test('an unknown server state is no information, an unknown reject reason is still a reject', () => {
  for (const number of ['00', '0c', '63', 'ff']) {
    const read = message(decodeMessage(frameOf(10, option(24, number)), 'isc'));
    assert.ok(read.kind === 'state');
    assert.equal(read.serverState, undefined);
  }
  const read = message(decodeMessage(frameOf(4, option(2, '0a4d0064'), option(21, '63')), 'isc'));
  assert.ok(read.kind === 'bndack');
  assert.equal(read.answers[0]?.rejectReason, 'unknown');
  const disconnect = message(decodeMessage(frameOf(12), 'isc'));
  assert.ok(disconnect.kind === 'disconnect');
  assert.equal(disconnect.rejectReason, 'unknown');
});

test('a BNDACK without an address is refused, and one that echoes more is read without the rest', () => {
  assert.equal(decodeMessage(frameOf(4), 'isc').kind, 'bad');
  const echo = frameOf(4, option(2, '0a4d0064'), option(4, '01aa'), option(18, '6b048119'));
  const read = message(decodeMessage(echo, 'isc'));
  assert.deepEqual(plain(read), { kind: 'bndack', ...HEAD, answers: [{ address: ADDRESS }] });
});

const UNREADABLE: readonly (readonly [what: string, reject: string, options: readonly Uint8Array[]])[] = [
  ['no binding-status', 'missing-binding-information', [GROUP[0]!, GROUP[2]!]],
  ['binding-status 0', 'missing-binding-information', [GROUP[0]!, option(3, '00'), GROUP[2]!]],
  ['binding-status 8', 'missing-binding-information', [GROUP[0]!, option(3, '08'), GROUP[2]!]],
  ['a hardware address of 22 bytes', 'unknown', [GROUP[0]!, GROUP[1]!, option(5, '01'.repeat(22))]],
  ['hardware type 0', 'unknown', [GROUP[0]!, GROUP[1]!, option(5, '000277dd000001')]],
  ['an empty hardware address', 'unknown', [GROUP[0]!, GROUP[1]!, option(5, '')]],
  ['an empty client-identifier', 'unknown', [...GROUP, option(4, '')]],
  ['a client-identifier longer than an option', 'unknown', [...GROUP, option(4, '01'.repeat(256))]],
  ['request options without magic', 'unknown', [...GROUP, option(8, '0c0161')]],
  ['DNS data without flags', 'unknown', [...GROUP, option(9, '00')]],
];

for (const [what, reject, options] of UNREADABLE) {
  test(`an update with ${what} is answered with the reject ${reject}, and the connection lives`, () => {
    const read = updatesOf(frameOf(3, ...options));
    assert.deepEqual(read.updates, []);
    assert.equal(read.unreadable?.length, 1);
    assert.equal(read.unreadable[0]!.rejectReason, reject);
    assert.equal(read.unreadable[0]!.address, ADDRESS);
    assert.equal(read.unreadable[0]!.index, 0);
  });
}

test('an update without address is answered with reject 3', () => {
  const read = updatesOf(frameOf(3, GROUP[1]!, GROUP[2]!));
  assert.equal(read.unreadable?.[0]?.rejectReason, 'missing-binding-information');
  assert.equal(read.unreadable[0].address, 0);
  assert.equal(updatesOf(frameOf(3)).unreadable?.length, 1);
});

test('a bad update among good ones keeps its place', () => {
  const other = [option(2, '0a4d0065'), option(3, '09')];
  const last = [option(2, '0a4d0066'), option(3, '01')];
  const read = updatesOf(frameOf(3, ...GROUP, ...other, ...last), 'twinlease');
  assert.deepEqual(
    read.updates.map((update) => [update.address & 0xff, update.state]),
    [
      [0x64, 'active'],
      [0x66, 'free'],
    ],
  );
  assert.deepEqual(
    read.unreadable?.map((update) => [update.address & 0xff, update.index]),
    [[0x65, 1]],
  );
});

test('a single update may have its address anywhere; with several, an option before the first address is refused', () => {
  const read = updatesOf(frameOf(3, GROUP[1]!, GROUP[2]!, GROUP[0]!));
  assert.equal(read.updates[0]?.address, ADDRESS);
  const two = frameOf(3, GROUP[1]!, GROUP[0]!, option(2, '0a4d0065'), option(3, '01'));
  assert.equal(decodeMessage(two, 'twinlease').kind, 'bad');
});

test('an option twice in one update is refused, once in each of two is not', () => {
  assert.equal(decodeMessage(frameOf(3, ...GROUP, option(3, '02')), 'twinlease').kind, 'bad');
  const next = [option(2, '0a4d0065'), ...GROUP.slice(1)];
  assert.equal(updatesOf(frameOf(3, ...GROUP, ...next), 'twinlease').updates.length, 2);
});

const FULL: BindingUpdate = {
  address: ADDRESS,
  state: 'active',
  clientId: hex('01aa'),
  hardware: HARDWARE,
  leaseEndAt: 1 as EpochSec,
  potentialEndAt: 2 as EpochSec,
  stateSinceAt: 3 as EpochSec,
  lastTransactionAt: 4 as EpochSec,
  ipFlags: 1,
  ddns: { flags: 3, name: hex('0161 00') },
  requestOptions: hex('0c0161'),
  replyOptions: hex('3a0400000001'),
  vendorUse: new Map([[40, hex('70')]]),
};
const ISC_PART =
  '00020004 0a4d0064 00030001 02 00040002 01aa 00050007 010277dd000001 000d0004 00000001 00120004 00000002' +
  ' 00190004 00000003 00060004 00000004 000c0002 0001';

test('toward dhcpd an update has the options that dhcpd sends, in its order, and never option 9', () => {
  assert.equal(bndupd('isc', FULL), ISC_PART.replaceAll(' ', ''));
});

test('the draft’s dialect adds DNS data and the client’s options, our own also the policy', () => {
  const more = ' 00090005 0003 016100 00080007 63825363 0c0161 0007000a 63825363 3a0400000001';
  assert.equal(bndupd('draft', FULL), (ISC_PART + more).replaceAll(' ', ''));
  assert.equal(bndupd('twinlease', FULL), `${ISC_PART}${more} 00280001 70`.replaceAll(' ', ''));
});

test('an abandoned address goes to dhcpd without its client, which dhcpd would reject', () => {
  const abandoned: BindingUpdate = { address: ADDRESS, state: 'abandoned', hardware: HARDWARE, clientId: hex('01aa') };
  for (const profile of ['isc', 'draft'] as const)
    assert.equal(bndupd(profile, abandoned), '000200040a4d00640003000105');
  assert.match(bndupd('twinlease', abandoned), /010277dd000001/);
});

test('a long reject text is cut between characters and has no NUL', () => {
  const read = message(
    decodeMessage(
      encodeMessage({ kind: 'disconnect', ...HEAD, rejectReason: 'other', message: `a\0${'é'.repeat(300)}` }, 'isc'),
      'isc',
    ),
  );
  assert.ok(read.kind === 'disconnect');
  assert.equal(read.message, `a${'é'.repeat((MESSAGE_TEXT_BYTES_MAX - 1) / 2)}`);
});

test('a relationship name that is no UTF-8 is read and equals no name', () => {
  const read = message(decodeMessage(frameOf(5, option(22, '62fc726f')), 'isc'));
  assert.ok(read.kind === 'connect');
  assert.equal(read.relationshipName, 'b\ufffdro');
});

test('between Twinlease servers CONNECT and STATE carry the store mark, the STATE also unserved scopes', () => {
  const store = { storeId: hex('000102030405060708090a0b0c0d0e0f'), sequence: 2 ** 40 + 5 };
  const state: FailoverMessage = {
    kind: 'state',
    ...HEAD,
    serverState: 'normal',
    serverFlags: 0,
    stateSinceAt: 1 as EpochSec,
    store,
    unservedScopeIds: [parseIp4('10.77.0.0')!],
  };
  const bytes = toHex(encodeMessage(state, 'twinlease')).slice(24);
  assert.equal(
    bytes,
    (
      '00180001 02 00170001 00 00190004 00000001 001c000b 7477696e6c656173652f31' +
      ' 001d0024 00010018 000102030405060708090a0b0c0d0e0f 0000010000000005 00020004 0a4d0000'
    ).replaceAll(' ', ''),
  );
  assert.doesNotMatch(toHex(encodeMessage(state, 'isc')), /7477696e6c656173652f31/);
});

test('option 29 counts only beside our vendor class, and a malformed one is refused', () => {
  const mark = `00010018${'11'.repeat(16)}0000000000000009`;
  const foreign = message(decodeMessage(frameOf(5, option(28, '69'), option(29, mark)), 'twinlease'));
  assert.ok(foreign.kind === 'connect');
  assert.equal(foreign.store, undefined);
  const own = option(28, toHex(new TextEncoder().encode(VENDOR_CLASS)));
  const read = message(decodeMessage(frameOf(5, own, option(29, `0063000100${mark}`)), 'twinlease'));
  assert.ok(read.kind === 'connect');
  assert.equal(read.store?.sequence, 9);
  const beyond = `00010018${'11'.repeat(16)}0020000000000000`;
  for (const wrong of [mark.slice(2), mark + mark, beyond, '0002000311aabb', '0002000400000001 0002000400000001']) {
    assert.equal(decodeMessage(frameOf(5, own, option(29, wrong)), 'twinlease').kind, 'bad', wrong);
  }
});

test('more unserved scopes than a STATE can name are cut, and the message still leaves', () => {
  const unservedScopeIds = Array.from({ length: 1000 }, (_, i) => i as Ip4);
  const state: FailoverMessage = {
    kind: 'state',
    ...HEAD,
    serverState: 'normal',
    serverFlags: 0,
    stateSinceAt: 1 as EpochSec,
    unservedScopeIds,
  };
  const read = message(decodeMessage(encodeMessage(state, 'twinlease'), 'twinlease'));
  assert.ok(read.kind === 'state');
  assert.deepEqual(read.unservedScopeIds, unservedScopeIds.slice(0, UNSERVED_SCOPES_MAX));
});

test('a request for more scopes than fit asks for everything instead', () => {
  const scopeIds = Array.from({ length: SCOPE_IDS_MAX + 1 }, (_, i) => i as Ip4);
  const kindOf = (ids: readonly Ip4[]) =>
    message(decodeMessage(encodeMessage({ kind: 'updreq', ...HEAD, scopeIds: ids }, 'twinlease'), 'twinlease')).kind;
  assert.equal(kindOf(scopeIds.slice(1)), 'updreq');
  assert.equal(kindOf(scopeIds), 'updreqall');
});

test('Windows: payload offset 8, names in UTF-16LE, scopes little-endian', () => {
  const connect = encodeMessage({ kind: 'connect', ...HEAD, relationshipName: 'aß', vendorClass: 'W' }, 'msft');
  assert.equal(toHex(connect), '001a05086b04811900000007001600046100df00001c00025700');
  assert.equal(detectProfile(connect), 'msft');
  const scopes = encodeMessage({ kind: 'updreq', ...HEAD, scopeIds: [parseIp4('192.168.1.0')!] }, 'msft');
  assert.equal(toHex(scopes).slice(24), '001e00040001a8c0');
});

test('Windows: a reject text is read in UTF-8 and in UTF-16LE', () => {
  for (const text of ['6e6f', '6e006f00']) {
    const read = message(decodeMessage(frameOf(12, option(21, 'fe'), option(16, text)), 'msft'));
    assert.ok(read.kind === 'disconnect');
    assert.equal(read.message, 'no');
  }
});

test('Windows: RECOVER-WAIT is announced as RECOVER', () => {
  const state: FailoverMessage = {
    kind: 'state',
    ...HEAD,
    serverState: 'recover-wait',
    serverFlags: 0,
    stateSinceAt: 1 as EpochSec,
  };
  assert.equal(encodeMessage(state, 'msft')[16], 6);
  assert.equal(encodeMessage(state, 'isc')[16], 254);
});

const MSFT_STATES: readonly (readonly [status: number, flags: number, hasClient: boolean, state: string])[] = [
  [0x00, 0, true, 'active'],
  [0x01, 0, true, 'active'],
  [0xf9, 0, true, 'active'],
  [0x02, 0, true, 'expired'],
  [0x03, 0, true, 'expired'],
  [0x03, 1, true, 'expired'],
  [0x01, 2, true, 'released'],
  [0x01, 2, false, 'released'],
  [1, 0, false, 'free'],
  [2, 0, false, 'backup'],
  [4, 0, false, 'free'],
  [5, 0, false, 'free'],
  [6, 0, false, 'backup'],
];

for (const [status, flags, hasClient, state] of MSFT_STATES) {
  const of = hasClient ? 'a lease' : 'an ownership move';
  test(`Windows: binding-status ${status} of ${of} with IP-flags ${flags} means ${state}`, () => {
    const client = hasClient ? [option(5, '00004d0a 010277dd000001')] : [];
    const two = (n: number) => n.toString(16).padStart(2, '0');
    const frame = frameOf(3, GROUP[0]!, option(3, two(status)), option(12, two(flags)), ...client);
    const read = updatesOf(frame, 'msft');
    assert.equal(read.updates[0]?.state, state);
    assert.equal(read.updates[0].vendorFlags, flags);
    assert.equal(read.updates[0].ipFlags, undefined);
  });
}

test('Windows: an ownership number that is none is answered with reject 3', () => {
  for (const status of ['00', '03', '07', 'ff']) {
    const read = updatesOf(frameOf(3, GROUP[0]!, option(3, status), option(12, '00')), 'msft');
    assert.equal(read.unreadable?.[0]?.rejectReason, 'missing-binding-information', status);
  }
});

test('Windows: a hardware address shorter than its scope is answered with reject 6', () => {
  for (const data of ['00004d0a', '00', '00004d0a01', '00004d0a 00 0277dd000001']) {
    const read = updatesOf(frameOf(3, GROUP[0]!, GROUP[1]!, option(5, data), option(12, '00')), 'msft');
    assert.equal(read.unreadable?.[0]?.rejectReason, 'unknown', data);
  }
});

test('Windows: the hardware address follows the scope, taken from the mask when not given', () => {
  const vendorUse = windowsVendorUse(parseIp4('255.255.255.0')!, parseIp4('10.77.0.1')!);
  const update: BindingUpdate = { address: ADDRESS, state: 'active', hardware: HARDWARE, vendorUse };
  const vendor = '00210004 ffffff00 00220004 0a4d0001 00240001 01 00250001 00 00260004 00000000 00270001 00';
  const expected = `00020004 0a4d0064 00030001 01 0005000b 00004d0a 010277dd000001 000c0001 00 ${vendor}`;
  assert.equal(bndupd('msft', update), expected.replaceAll(' ', ''));
  const scopeId = parseIp4('10.64.0.0')!;
  assert.match(bndupd('msft', { ...update, scopeId }), /0005000b0000400a010277dd000001/);
});

test('Windows: each state is written in its vocabulary', () => {
  const written = (state: BindingUpdate['state']) => bndupd('msft', { address: ADDRESS, state, hardware: HARDWARE });
  const lease = (status: string, flags: string) =>
    `000200040a4d0064 00030001${status} 0005000b00000000010277dd000001 000c0001${flags}`.replaceAll(' ', '');
  assert.equal(written('active'), lease('01', '00'));
  assert.equal(written('released'), lease('01', '02'));
  assert.equal(written('expired'), lease('03', '00'));
  assert.equal(written('reset'), lease('03', '01'));
  assert.equal(written('abandoned'), lease('02', '00'));
  assert.equal(written('free'), '000200040a4d006400030001010 00c000100'.replace(' ', ''));
  assert.equal(written('backup'), '000200040a4d006400030001020 00c000100'.replace(' ', ''));
});

test('Windows: an abandoned address without client is not taken for an ownership move', () => {
  const frame = encodeMessage({ kind: 'bndupd', ...HEAD, updates: [{ address: ADDRESS, state: 'abandoned' }] }, 'msft');
  const read = updatesOf(frame, 'msft');
  assert.equal(read.updates[0]?.state, 'expired');
  assert.equal(read.updates[0].hardware, undefined);
});

test('the dialect is told by payload offset and vendor class', () => {
  const connect = (vendorClass: string | undefined, profile: WireProfile) =>
    detectProfile(encodeMessage({ kind: 'connect', ...HEAD, relationshipName: 'p', vendorClass }, profile));
  assert.equal(connect('isc-4.4.3', 'isc'), 'isc');
  assert.equal(connect(VENDOR_CLASS, 'twinlease'), 'twinlease');
  assert.equal(connect('twinlease/2', 'twinlease'), 'twinlease');
  assert.equal(connect(undefined, 'draft'), 'draft');
  assert.equal(connect('other', 'draft'), 'draft');
  assert.equal(detectProfile(hex('0001')), 'draft');
});

test('every option of the catalogue but 10 and 17 belongs to a message', () => {
  const used = new Set<number>(Object.values(MESSAGE_OPTIONS).flat());
  const unused = Object.keys(FAILOVER_OPTIONS)
    .map(Number)
    .filter((code) => !used.has(code));
  assert.deepEqual(unused, [10, 17]);
});
