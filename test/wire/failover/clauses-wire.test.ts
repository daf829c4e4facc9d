/** Specification 1.2 to 1.5, 1.7, 1.14, 3.2 to 3.4, 8.1 to 8.3: each row of what lies on the wire. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  type Decoded,
  decodeMessage,
  detectProfile,
  encodeMessage,
  readHead,
} from '../../../src/wire/failover/codec.ts';
import { Framer } from '../../../src/wire/failover/framer.ts';
import { bucketKey, bucketOf, hashBucketsForSplit, inverted, isSet } from '../../../src/wire/failover/hash-buckets.ts';
import {
  BINDING_STATES,
  type BindingState,
  type BindingUpdate,
  type FailoverMessage,
  MESSAGE_NUMBERS,
  type MessageKind,
  REJECT_REASONS,
  type RejectReason,
  SERVER_STATES,
  type ServerState,
  type WireProfile,
} from '../../../src/wire/failover/messages.ts';
import { FAILOVER_OPTIONS, listOptions, MESSAGE_OPTIONS } from '../../../src/wire/failover/options.ts';
import { type EpochSec, INFINITE_AT, type Ip4, type Sec, toHex } from '../../../src/wire/units.ts';
import { PROFILES } from '../../clauses/parties.ts';
import { MESSAGES, OPTIONS, SPLITS, VECTORS } from '../../clauses/wire.ts';
import { hex } from './vectors.ts';

const HEAD = { sentAt: 0x9b048119 as EpochSec, xid: 0x80000007 };
const ADDRESS = 0x0a4d0064 as Ip4;
const at = (time: number): EpochSec => time as EpochSec;

function frameOf(type: number, body: string, payloadOffset = 12): Uint8Array {
  const options = hex(body);
  const size = 12 + options.length;
  return Uint8Array.of(size >> 8, size, type, payloadOffset, 0x9b, 4, 0x81, 0x19, 0x80, 0, 0, 7, ...options);
}

const option = (code: number, data: string): string =>
  code.toString(16).padStart(4, '0') + (data.length / 2).toString(16).padStart(4, '0') + data;

function message(read: Decoded): FailoverMessage {
  assert.ok(read.kind === 'ok', JSON.stringify(read));
  return read.value;
}

/** Data of an option as it lies in the encoded message, in hexadecimal. */
function dataOf(sent: FailoverMessage, profile: WireProfile, code: number): string | undefined {
  const frame = encodeMessage(sent, profile);
  const listed = listOptions(frame, 12);
  assert.ok(listed.kind === 'ok');
  const found = listed.value.find((one) => one.code === code);
  return found === undefined ? undefined : toHex(frame.subarray(found.dataAt, found.end));
}

const UPDATE: BindingUpdate = {
  address: ADDRESS,
  state: 'active',
  clientId: hex('01aabb'),
  hardware: hex('010277dd000001'),
  leaseEndAt: at(0xf0000001),
  potentialEndAt: at(0xf0000002),
  stateSinceAt: at(0xf0000003),
  lastTransactionAt: at(0xf0000004),
  ipFlags: 1,
  ddns: { flags: 3, name: hex('016100') },
  requestOptions: hex('0c0161'),
  replyOptions: hex('3a0400000001'),
  vendorUse: new Map(
    [31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41].map((code) => [code, Uint8Array.of(code, 1)] as const),
  ),
  scopeId: 0x0a4d0000 as Ip4,
};
const CONNECT: FailoverMessage = {
  kind: 'connect',
  ...HEAD,
  relationshipName: 'ré1',
  maxUnacked: 0x1020304,
  receiveTimerSec: 60 as Sec,
  vendorClass: 'twinlease/1',
  protocolVersion: 1,
  tlsRequest: 0,
  mcltSec: 3600 as Sec,
  hashBuckets: hashBucketsForSplit(9),
  store: { storeId: new Uint8Array(16).fill(5), sequence: 9 },
};
const STATE: FailoverMessage = {
  kind: 'state',
  ...HEAD,
  serverState: 'normal',
  serverFlags: 1,
  stateSinceAt: at(0xf0000005),
};
const bndupd = (update: Partial<BindingUpdate> = {}): FailoverMessage => ({
  kind: 'bndupd',
  ...HEAD,
  updates: [{ ...UPDATE, ...update }],
});
const reject: FailoverMessage = { kind: 'disconnect', ...HEAD, rejectReason: 'no-traffic', message: 'ab' };

/** One message of each kind with everything in it. */
const SAMPLES: Readonly<Record<MessageKind, FailoverMessage>> = {
  poolreq: { kind: 'poolreq', ...HEAD },
  poolresp: { kind: 'poolresp', ...HEAD, addressesTransferred: 5 },
  bndupd: bndupd(),
  bndack: { kind: 'bndack', ...HEAD, answers: [{ address: ADDRESS, rejectReason: 'unknown', message: 'x' }] },
  connect: CONNECT,
  connectack: { kind: 'connectack', ...HEAD, relationshipName: 'p', protocolVersion: 1, tlsReply: 0, vendorClass: 'v' },
  updreqall: { kind: 'updreqall', ...HEAD },
  upddone: { kind: 'upddone', ...HEAD },
  updreq: { kind: 'updreq', ...HEAD, scopeIds: [0x0a4d0000 as Ip4] },
  state: STATE,
  contact: { kind: 'contact', ...HEAD },
  disconnect: reject,
};

/* 1.2 */

test('a message is 12 to 2048 octets, and its length is that of the whole message [1.2 length]', () => {
  for (const [size, kind] of [
    [11, 'bad'],
    [12, 'frame'],
    [2048, 'frame'],
    [2049, 'bad'],
  ] as const) {
    const framer = new Framer();
    const bytes = new Uint8Array(Math.max(size, 12));
    bytes.set([size >> 8, size]);
    framer.push(bytes);
    assert.equal(framer.next().kind, kind, `${size}`);
  }
  for (const profile of PROFILES)
    for (const sample of Object.values(SAMPLES)) {
      const frame = encodeMessage(sample, profile);
      assert.equal((frame[0]! << 8) | frame[1]!, frame.length);
    }
});

test('type, time and xid stand in their places, unsigned and big-endian [1.2 type] [1.2 time] [1.2 xid] [D 6.1 fixed-fields]', () => {
  for (const profile of PROFILES)
    for (const sample of Object.values(SAMPLES)) {
      const frame = encodeMessage(sample, profile);
      assert.equal(frame[2], MESSAGE_NUMBERS[sample.kind]);
      assert.equal(toHex(frame.subarray(4, 12)), '9b04811980000007');
      const head = readHead(frame);
      assert.ok(head.kind === 'ok' && head.value.sentAt === 0x9b048119 && head.value.xid === 0x80000007);
    }
});

for (const [profile, offset] of [
  ['twinlease', 12],
  ['draft', 12],
  ['isc', 12],
  ['msft', 8],
] as const) {
  const tag = profile === 'twinlease' ? '[1.2 payload-offset-sent]' : `[1.14 payload-offset/${profile}]`;
  const windows = profile === 'msft' ? ' [3.3 payload-offset]' : '';
  test(`${profile}: the payload offset sent is ${offset} ${tag}${windows}`, () => {
    for (const sample of Object.values(SAMPLES)) assert.equal(encodeMessage(sample, profile)[3], offset);
  });
}

test('payload offset 8 means 12, more is skipped, anything else is an error [1.2 payload-offset-received]', () => {
  const body = option(24, '02') + option(23, '00') + option(25, '6b048119');
  const plain = message(decodeMessage(frameOf(10, body), 'isc'));
  for (const [offset, text] of [
    [8, body],
    [12, body],
    [16, `deadbeef${body}`],
  ] as const)
    assert.deepEqual(message(decodeMessage(frameOf(10, text, offset), 'isc')), plain, `${offset}`);
  for (const offset of [0, 1, 7, 9, 10, 11, 200])
    assert.equal(decodeMessage(frameOf(10, body, offset), 'isc').kind, 'bad', `${offset}`);
});

test('a length that ends inside an option is an error [1.2 cut-option]', () => {
  for (const body of ['0018000202', '001800', '00'])
    for (const profile of PROFILES) assert.equal(decodeMessage(frameOf(10, body), profile).kind, 'bad', body);
});

test('unknown types close the connection below 128 and are passed over from 128 on [1.2 unknown-type] [D 6.1 types]', () => {
  for (const profile of PROFILES)
    for (const type of [0, 13, 127, 128, 255])
      assert.equal(decodeMessage(frameOf(type, ''), profile).kind, type < 128 ? 'bad' : 'ignored', `${type}`);
});

/* 1.3 */

test('options are code, length, data and nothing else [1.3 form]', () => {
  const frame = encodeMessage(STATE, 'draft');
  assert.equal(toHex(frame.subarray(12)), option(24, '02') + option(23, '01') + option(25, 'f0000005'));
});

test('unknown options are ignored in every message of every dialect [1.3 unknown] [D 6.1 unknown-options]', () => {
  for (const profile of PROFILES)
    for (const sample of Object.values(SAMPLES)) {
      const frame = encodeMessage(sample, profile);
      const body = toHex(frame.subarray(12)) + option(500, 'abcd') + option(77, '');
      const longer = frameOf(frame[2]!, body, frame[3]);
      assert.deepEqual(decodeMessage(longer, profile), decodeMessage(frame, profile), `${profile} ${sample.kind}`);
    }
});

test('an option twice is an error; in BNDUPD and BNDACK once per group [1.3 twice]', () => {
  for (const sample of Object.values(SAMPLES)) {
    const kind = sample.kind;
    const listed = listOptions(encodeMessage(sample, 'draft'), 12);
    assert.ok(listed.kind === 'ok');
    const frame = encodeMessage(sample, 'draft');
    for (const one of listed.value) {
      if (one.code === 2) continue;
      const again = toHex(frame.subarray(12)) + toHex(frame.subarray(one.at, one.end));
      // An option that the message has no use for is passed over, however often.
      const isUsed = (MESSAGE_OPTIONS[kind] as readonly number[]).includes(one.code);
      assert.equal(
        decodeMessage(frameOf(frame[2]!, again), 'draft').kind,
        isUsed ? 'bad' : 'ok',
        `${kind} ${one.code}`,
      );
    }
  }
  const two = option(2, '0a4d0064') + option(3, '01') + option(2, '0a4d0065') + option(3, '01');
  assert.equal(decodeMessage(frameOf(3, two), 'draft').kind, 'ok');
});

test('times are absolute and unsigned over all 32 bits [1.3 times]', () => {
  for (const profile of PROFILES) {
    const read = message(decodeMessage(encodeMessage(bndupd(), profile), profile));
    assert.ok(read.kind === 'bndupd');
    const { leaseEndAt, potentialEndAt, stateSinceAt, lastTransactionAt } = read.updates[0]!;
    assert.deepEqual(
      [leaseEndAt, potentialEndAt, stateSinceAt, lastTransactionAt],
      [0xf0000001, 0xf0000002, 0xf0000003, 0xf0000004],
    );
  }
});

test('a lone update may have its address anywhere; of several, each opens with its own [1.3 order] [D 6.3 delimited]', () => {
  const lone = message(decodeMessage(frameOf(3, option(3, '01') + option(2, '0a4d0064')), 'isc'));
  assert.ok(lone.kind === 'bndupd' && lone.updates[0]?.address === ADDRESS);
  const two = option(3, '01') + option(2, '0a4d0064') + option(2, '0a4d0065') + option(3, '01');
  assert.equal(decodeMessage(frameOf(3, two), 'draft').kind, 'bad');
  for (const profile of PROFILES) {
    const listed = listOptions(encodeMessage(bndupd(), profile), 12);
    assert.ok(listed.kind === 'ok' && listed.value[0]?.code === 2, profile);
  }
});

/* 1.4 */

for (const kind of Object.keys(MESSAGES) as MessageKind[]) {
  if (kind === 'contact' || kind === 'updreqall' || kind === 'upddone' || kind === 'poolreq')
    test(`${kind.toUpperCase()} carries no options, and is read with any [1.6 no-options/${kind}]`, () => {
      for (const profile of PROFILES) {
        assert.equal(encodeMessage(SAMPLES[kind], profile).length, 12);
        const read = message(decodeMessage(frameOf(MESSAGE_NUMBERS[kind], option(24, '02')), profile));
        assert.deepEqual(read, SAMPLES[kind]);
      }
    });
}

/* 1.5, 3.2 */

const TEXT = toHex(new TextEncoder().encode('ré1'));
const WIDE = toHex(Buffer.from('ré1', 'utf16le'));
/** The message that carries an option, and its data in our own and the draft's form, and in Windows's. */
const CARRIED: Readonly<Record<number, readonly [FailoverMessage, string, string?]>> = {
  1: [SAMPLES.poolresp, '00000005'],
  2: [bndupd(), '0a4d0064'],
  3: [bndupd(), '02', '01'],
  4: [bndupd(), '01aabb'],
  5: [bndupd(), '010277dd000001', '00004d0a010277dd000001'],
  6: [bndupd(), 'f0000004'],
  7: [bndupd(), '638253633a0400000001'],
  8: [bndupd(), '638253630c0161'],
  9: [bndupd(), '0003016100'],
  11: [CONNECT, toHex(hashBucketsForSplit(9))],
  12: [bndupd(), '0001', '00'],
  13: [bndupd(), 'f0000001'],
  14: [CONNECT, '01020304'],
  15: [CONNECT, '00000e10'],
  16: [reject, '6162'],
  18: [bndupd(), 'f0000002'],
  19: [CONNECT, '0000003c'],
  20: [CONNECT, '01'],
  21: [reject, '11'],
  22: [CONNECT, TEXT, WIDE],
  23: [STATE, '01'],
  24: [STATE, '02'],
  25: [STATE, 'f0000005'],
  26: [SAMPLES.connectack, '00'],
  27: [CONNECT, '00'],
  28: [{ ...CONNECT, vendorClass: 'ré1' }, TEXT, WIDE],
  30: [SAMPLES.updreq, '0a4d0000', '00004d0a'],
  40: [bndupd(), '2801'],
};

for (const { code, name, only } of OPTIONS) {
  const tags = `[1.5 ${code} ${name}]${code >= 30 ? ` [3.2 ${code} ${name}]` : ''}`;
  if (code === 10)
    test(`option 10 is in no message, and passed over where it comes ${tags}`, () => {
      for (const kind of Object.keys(MESSAGE_OPTIONS) as MessageKind[])
        assert.ok(!(MESSAGE_OPTIONS[kind] as readonly number[]).includes(10));
      const frame = encodeMessage(CONNECT, 'isc');
      const more = frameOf(5, toHex(frame.subarray(12)) + option(10, '05'));
      assert.deepEqual(decodeMessage(more, 'isc'), decodeMessage(frame, 'isc'));
    });
  else if (code === 17 || code === 29)
    test(`option ${code} ${name} has its place ${tags}`, () => {
      assert.equal(FAILOVER_OPTIONS[code].codec.size(hex('01aa')), 2);
      const used = (Object.keys(MESSAGE_OPTIONS) as MessageKind[]).filter((kind) =>
        (MESSAGE_OPTIONS[kind] as readonly number[]).includes(code),
      );
      assert.deepEqual(used, code === 17 ? [] : ['connect', 'connectack', 'state']);
      if (code !== 29) return;
      const withVendor = dataOf(CONNECT, 'twinlease', 29);
      assert.ok(withVendor?.includes('05'.repeat(16)));
      const without = encodeMessage({ ...CONNECT, vendorClass: undefined }, 'twinlease');
      const listed = listOptions(without, 12);
      assert.ok(listed.kind === 'ok');
      const codes = listed.value.map((one) => one.code);
      assert.equal(codes.includes(29), codes.includes(28), '29 only beside 28');
    });
  else
    test(`option ${code} ${name} in every dialect that has it ${tags}`, () => {
      for (const profile of PROFILES) {
        const [sent, plain, wide] = CARRIED[code] ?? [bndupd(), toHex(Uint8Array.of(code, 1))];
        // Never to dhcpd (2.2): 7, 8, 9; and 30 on is Microsoft's, of which our own dialect uses two.
        const isLeftOut =
          (profile === 'isc' && code >= 7 && code <= 9) ||
          (only === 'msft' && profile !== 'msft') ||
          (code >= 30 && (profile === 'draft' || profile === 'isc'));
        const data = profile === 'msft' && wide !== undefined ? wide : plain;
        const expected = code === 11 && profile === 'draft' ? toHex(inverted(hashBucketsForSplit(9))) : data;
        assert.equal(dataOf(sent, profile, code), isLeftOut ? undefined : expected, profile);
        if (isLeftOut) continue;
        const frame = encodeMessage(sent, profile);
        const read = decodeMessage(frame, profile);
        assert.equal(toHex(encodeMessage(message(read), profile)), toHex(frame), `${profile} and back`);
      }
    });
}

test('for ever is 0x7fffffff toward dhcpd, both ways, and that value alone [6.1 infinite-isc]', () => {
  assert.equal(dataOf(bndupd({ potentialEndAt: INFINITE_AT }), 'isc', 18), '7fffffff');
  assert.equal(dataOf(bndupd({ potentialEndAt: INFINITE_AT }), 'draft', 18), 'ffffffff');
  for (const [value, expected] of [
    [0x7fffffff, INFINITE_AT],
    [0x7ffffffe, 0x7ffffffe],
    [0x80000000, 0x80000000],
    [0xffffffff, INFINITE_AT],
  ] as const) {
    const read = message(decodeMessage(encodeMessage(bndupd({ leaseEndAt: at(value) }), 'isc'), 'isc'));
    assert.ok(read.kind === 'bndupd');
    assert.equal(read.updates[0]?.leaseEndAt, expected, `${value}`);
  }
});

/* 1.7 */

for (const [state, number] of Object.entries(BINDING_STATES) as [BindingState, number][])
  test(`binding-status ${number} is ${state.toUpperCase()} [1.7 binding-status/${number}]`, () => {
    for (const profile of ['twinlease', 'draft', 'isc'] as const) {
      const sent = bndupd({ state });
      assert.equal(dataOf(sent, profile, 3), number.toString(16).padStart(2, '0'));
      const read = message(decodeMessage(encodeMessage(sent, profile), profile));
      assert.ok(read.kind === 'bndupd' && read.updates[0]?.state === state);
    }
  });

test('any other binding-status is answered with reject 3 and nothing else [1.7 binding-status/other]', () => {
  for (const number of ['00', '08', '63', 'ff']) {
    const body = option(2, '0a4d0064') + option(3, number) + option(5, '010277dd000001');
    const read = message(decodeMessage(frameOf(3, body), 'isc'));
    assert.ok(read.kind === 'bndupd' && read.updates.length === 0);
    assert.equal(read.unreadable?.[0]?.rejectReason, 'missing-binding-information');
  }
});

for (const [state, number] of Object.entries(SERVER_STATES) as [ServerState, number][])
  test(`server-state ${number} is ${state.toUpperCase()} [1.7 server-state/${number}]`, () => {
    for (const profile of ['twinlease', 'draft', 'isc'] as const) {
      const sent: FailoverMessage = { ...STATE, serverState: state };
      assert.equal(dataOf(sent, profile, 24), number.toString(16).padStart(2, '0'));
      const read = message(decodeMessage(encodeMessage(sent, profile), profile));
      assert.ok(read.kind === 'state' && read.serverState === state);
    }
  });

test('server-state 0 and all that are not in the table are no information [1.7 server-state/0] [1.7 server-state/other]', () => {
  for (const number of ['00', '0c', '63', 'fd', 'ff']) {
    const read = message(decodeMessage(frameOf(10, option(24, number)), 'isc'));
    assert.ok(read.kind === 'state' && read.serverState === undefined, number);
  }
});

for (const [reason, number] of Object.entries(REJECT_REASONS) as [RejectReason, number][])
  test(`reject-reason ${number} is ${reason} [1.7 reject-reason/${number}]`, () => {
    for (const profile of PROFILES) {
      const sent: FailoverMessage = { kind: 'disconnect', ...HEAD, rejectReason: reason };
      assert.equal(dataOf(sent, profile, 21), number.toString(16).padStart(2, '0'));
      const read = message(decodeMessage(encodeMessage(sent, profile), profile));
      assert.ok(read.kind === 'disconnect' && read.rejectReason === reason);
    }
  });

test('a reserved reject-reason is a reject all the same [1.7 reject-reason/other]', () => {
  for (const number of ['00', '16', 'fd', 'ff']) {
    const read = message(decodeMessage(frameOf(4, option(2, '0a4d0064') + option(21, number)), 'isc'));
    assert.ok(read.kind === 'bndack' && read.answers[0]?.rejectReason === 'unknown', number);
  }
});

/* 1.14 */

test('a dialect is told by payload offset, then by vendor class [1.14 detection/draft] [1.14 detection/isc] [1.14 detection/msft]', () => {
  const connect = (vendorClass: string, profile: WireProfile): Uint8Array =>
    encodeMessage({ ...CONNECT, vendorClass, store: undefined }, profile);
  assert.equal(detectProfile(connect('isc-4.4.3-P1', 'isc')), 'isc');
  assert.equal(detectProfile(connect('isc-4.4.3-P1', 'msft')), 'msft');
  assert.equal(detectProfile(connect('somebody', 'draft')), 'draft');
  assert.equal(detectProfile(connect('twinlease/1', 'twinlease')), 'twinlease');
});

for (const profile of ['draft', 'isc', 'msft'] as const) {
  const isWindows = profile === 'msft';
  test(`${profile}: names are ${isWindows ? 'UTF-16LE' : 'UTF-8'} [1.14 names/${profile}]${isWindows ? ' [3.3 names]' : ''}`, () => {
    assert.equal(dataOf(CONNECT, profile, 22), isWindows ? WIDE : TEXT);
    const read = message(decodeMessage(encodeMessage(CONNECT, profile), profile));
    assert.ok(read.kind === 'connect' && read.relationshipName === 'ré1');
  });

  test(`${profile}: the hardware address [1.14 hardware/${profile}]${isWindows ? ' [3.3 hardware]' : ''}`, () => {
    assert.equal(dataOf(bndupd(), profile, 5), `${isWindows ? '00004d0a' : ''}010277dd000001`);
    const read = message(decodeMessage(encodeMessage(bndupd(), profile), profile));
    assert.ok(read.kind === 'bndupd');
    assert.equal(toHex(read.updates[0]!.hardware!), '010277dd000001');
  });

  test(`${profile}: the IP-flags [1.14 ip-flags/${profile}]${isWindows ? ' [3.3 ip-flags]' : ''}`, () => {
    if (isWindows) {
      for (const state of Object.keys(BINDING_STATES) as BindingState[]) {
        const data = dataOf(bndupd({ state, ipFlags: undefined }), profile, 12);
        assert.equal(data, state === 'released' ? '02' : state === 'reset' ? '01' : '00', state);
      }
      return;
    }
    assert.equal(dataOf(bndupd(), profile, 12), '0001');
    assert.equal(dataOf(bndupd({ ipFlags: undefined }), profile, 12), undefined);
  });

  test(`${profile}: the binding-status [1.14 status/${profile}]${isWindows ? ' [3.3 binding-status] [3.4 sent]' : ''}`, () => {
    const expected = isWindows
      ? { active: '01', released: '01', expired: '03', reset: '03', abandoned: '02', free: '01', backup: '02' }
      : { active: '02', released: '04', expired: '03', reset: '06', abandoned: '05', free: '01', backup: '07' };
    for (const [state, number] of Object.entries(expected) as [BindingState, string][])
      assert.equal(dataOf(bndupd({ state }), profile, 3), number, state);
  });

  test(`${profile}: RECOVER-WAIT is announced as ${isWindows ? 'RECOVER' : '254'} [1.14 recover-wait/${profile}]`, () => {
    assert.equal(dataOf({ ...STATE, serverState: 'recover-wait' }, profile, 24), isWindows ? '06' : 'fe');
  });

  test(`${profile}: UPDREQ ${isWindows ? 'names the scopes meant' : 'has no options'} [1.14 updreq/${profile}]`, () => {
    assert.equal(dataOf(SAMPLES.updreq, profile, 30), isWindows ? '00004d0a' : undefined);
  });
}

test('a set bit is the primary’s in our dialect and dhcpd’s, the secondary’s in the draft’s [1.14 hba-polarity/draft] [1.14 hba-polarity/isc] [8.2 polarity]', () => {
  const one = hashBucketsForSplit(1);
  const connect: FailoverMessage = { kind: 'connect', ...HEAD, hashBuckets: one };
  assert.equal(dataOf(connect, 'isc', 11), `01${'00'.repeat(31)}`);
  assert.equal(dataOf(connect, 'twinlease', 11), `01${'00'.repeat(31)}`);
  assert.equal(dataOf(connect, 'draft', 11), `fe${'ff'.repeat(31)}`);
  for (const profile of ['isc', 'draft', 'twinlease'] as const) {
    const read = message(decodeMessage(encodeMessage(connect, profile), profile));
    assert.ok(read.kind === 'connect' && read.hashBuckets !== undefined);
    assert.deepEqual([isSet(read.hashBuckets, 0), isSet(read.hashBuckets, 1)], [true, false], 'the primary serves 0');
  }
});

test('bucket b is octet b >> 3, bit b & 7 [1.14 hba-order] [8.2 order]', () => {
  for (let bucket = 0; bucket < 256; bucket++) {
    const buckets = new Uint8Array(32);
    buckets[bucket >> 3] = 1 << (bucket & 7);
    for (let other = 0; other < 256; other++) assert.equal(isSet(buckets, other), other === bucket);
  }
});

test('any number of updates is read from one BNDUPD, and 16 from Windows [1.14 batch/draft] [D 6.3 receive-batch] [D 7.1 batch]', () => {
  for (const [profile, count] of [
    ['draft', 40],
    ['twinlease', 40],
    ['msft', 16],
  ] as const) {
    const updates = Array.from({ length: count }, (_, i) => ({
      address: (ADDRESS + i) as Ip4,
      state: 'free' as const,
    }));
    const read = message(decodeMessage(encodeMessage({ kind: 'bndupd', ...HEAD, updates }, profile), profile));
    assert.ok(read.kind === 'bndupd');
    assert.deepEqual(
      read.updates.map((update) => update.address - ADDRESS),
      updates.map((_, i) => i),
    );
  }
});

/* 3.4 */

function windowsState(status: number, flags: number, hasHardware: boolean): string {
  const body =
    option(2, '0a4d0064') +
    option(3, status.toString(16).padStart(2, '0')) +
    (hasHardware ? option(5, '00004d0a010277dd000001') : '') +
    option(12, flags.toString(16).padStart(2, '0'));
  const read = message(decodeMessage(frameOf(3, body, 8), 'msft'));
  assert.ok(read.kind === 'bndupd');
  return read.updates[0]?.state ?? read.unreadable?.[0]?.rejectReason ?? 'nothing';
}

for (const [name, status, state] of [
  ['offered', 0, 'active'],
  ['active', 1, 'active'],
  ['declined', 2, 'expired'],
  ['doomed', 3, 'expired'],
] as const)
  test(`Windows’s ${name} lease is ${state} [3.4 lease/${name}]`, () => {
    assert.equal(windowsState(status, 0, true), state);
  });

test('IP-flags 0x2 is RELEASED, whatever the status [3.4 lease/released]', () => {
  for (const status of [0, 1, 2, 3]) {
    assert.equal(windowsState(status, 2, true), 'released');
    assert.equal(windowsState(status, 2, false), 'released');
  }
});

test('the bits of DHCID and DNS do not matter [3.4 lease/other-bits]', () => {
  for (let high = 0; high < 64; high++) assert.equal(windowsState((high << 2) | 1, 0, true), 'active');
});

for (const [number, state] of [
  [1, 'free'],
  [2, 'backup'],
  [4, 'free'],
  [5, 'free'],
  [6, 'backup'],
] as const)
  test(`Windows’s ownership move ${number} is ${state} [3.4 move/${number}]`, () => {
    assert.equal(windowsState(number, 0, false), state);
  });

test('an ownership number that is none is answered with reject 3 [3.4 move/other]', () => {
  for (const number of [0, 3, 7, 200]) assert.equal(windowsState(number, 0, false), 'missing-binding-information');
});

test('the same number is a lease with a hardware address and a move without [3.4 by-option-5]', () => {
  assert.deepEqual([windowsState(2, 0, true), windowsState(2, 0, false)], ['expired', 'backup']);
  assert.deepEqual([windowsState(1, 0, true), windowsState(1, 0, false)], ['active', 'free']);
});

/* 8 */

for (const [key, bucket] of VECTORS)
  test(`key ${key === '' ? '(empty)' : key} falls into bucket ${bucket} [8.3 key/${key === '' ? 'empty' : key}]`, () => {
    assert.equal(bucketOf(hex(key)), bucket);
  });

for (const split of SPLITS)
  test(`split ${split} sets the first ${split} buckets [8.2 split/${split}]`, () => {
    const buckets = hashBucketsForSplit(split);
    const full = 'ff'.repeat(split >> 3);
    const rest = split % 8 === 0 ? '' : ((1 << (split % 8)) - 1).toString(16).padStart(2, '0');
    assert.equal(toHex(buckets), (full + rest).padEnd(64, '0'));
  });

test('the mixing table is that of RFC 3074 [8.1 table]', () => {
  const mixed = Uint8Array.from({ length: 256 }, (_, index) => bucketOf(Uint8Array.of(index ^ 1)));
  assert.equal(
    createHash('sha256').update(mixed).digest('hex'),
    '50015bcb049a75f57f1224b2d303a4d75485a0de3a772a30e06256daa1c873a7',
  );
});

test('a key of 256 octets begins as an empty one [8.1 long-key]', () => {
  let expected = 0;
  for (let i = 0; i < 256; i++) expected = bucketOf(Uint8Array.of(expected ^ 1));
  assert.equal(bucketOf(new Uint8Array(256)), expected);
});

test('the client identifier is hashed when there is one, else chaddr [8.1 client-id-first]', () => {
  const chaddr = hex('001122334455');
  assert.equal(bucketOf(bucketKey(undefined, chaddr)), 135);
  assert.equal(bucketOf(bucketKey(hex('01001122334455'), chaddr)), 223);
});

test('the 24 clients that dhcpd was seen to share out fall into their buckets [8.3 24-clients]', () => {
  const seen = '194 211 253 191 14 209 25 124 71 176 100 81 170 57 220 254 171 34 141 200 28 203 115 218';
  const found = Array.from({ length: 24 }, (_, client) => bucketOf(Uint8Array.of(2, 0x77, 0xbb, 0, 0, client)));
  assert.equal(found.join(' '), seen);
});

test('with split 128 one client is the primary’s by chaddr and the secondary’s by identifier [8.3 preference]', () => {
  const half = hashBucketsForSplit(128);
  const chaddr = hex('0277aa000003');
  assert.equal(isSet(half, bucketOf(bucketKey(undefined, chaddr))), true);
  assert.equal(isSet(half, bucketOf(bucketKey(hex('010277aa000003'), chaddr))), false);
});
