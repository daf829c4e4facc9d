import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, detectProfile, encodeMessage } from '../../../src/wire/failover/codec.ts';
import { Framer } from '../../../src/wire/failover/framer.ts';
import type { FailoverMessage } from '../../../src/wire/failover/messages.ts';
import { INFINITE_AT, toHex } from '../../../src/wire/units.ts';
import { capturedFrames, goldenMessages, plain } from './vectors.ts';

const golden = goldenMessages();
const captured = capturedFrames();

function decoded(name: string): unknown {
  const read = decodeMessage(golden.find((message) => message.name === name)!.bytes, 'isc');
  assert.ok(read.kind === 'ok', JSON.stringify(read));
  return plain(read.value);
}

test('there are sixteen golden messages and captured frames of both dhcpd servers', () => {
  assert.equal(golden.length, 16);
  for (const sender of ['primary', 'secondary', 'probe']) {
    assert.ok(captured.filter((frame) => frame.sender === sender).length >= 60, sender);
  }
});

for (const { name, about, bytes } of golden) {
  test(`${name} is read and written back byte for byte: ${about}`, () => {
    const read = decodeMessage(bytes, 'isc');
    assert.ok(read.kind === 'ok', JSON.stringify(read));
    assert.equal(toHex(encodeMessage(read.value, 'isc')), toHex(bytes));
  });
}

test('every frame that dhcpd sent is read and written back byte for byte', () => {
  const kinds = new Set<FailoverMessage['kind']>();
  for (const { capture, sender, bytes } of captured) {
    if (sender === 'probe') continue;
    const read = decodeMessage(bytes, 'isc');
    assert.ok(read.kind === 'ok', `${capture} ${toHex(bytes)} ${JSON.stringify(read)}`);
    if (read.value.kind === 'bndupd') assert.equal(read.value.unreadable, undefined, toHex(bytes));
    assert.equal(toHex(encodeMessage(read.value, 'isc')), toHex(bytes), capture);
    kinds.add(read.value.kind);
  }
  // dhcpd never sent a DISCONNECT in these captures.
  assert.equal(kinds.size, 11, [...kinds].join(' '));
});

test('the captured frames laid end to end come apart again', () => {
  const framer = new Framer();
  for (const { bytes } of captured) framer.push(bytes);
  for (const { bytes } of captured) {
    const framed = framer.next();
    assert.ok(framed.kind === 'frame');
    assert.equal(toHex(framed.bytes), toHex(bytes));
  }
  assert.equal(framer.next().kind, 'need-more');
});

test('a CONNECT of dhcpd tells its dialect', () => {
  const connects = captured.filter((frame) => frame.sender !== 'probe' && frame.bytes[2] === 5);
  assert.ok(connects.length > 0);
  for (const { bytes } of connects) assert.equal(detectProfile(bytes), 'isc');
});

test('G1 is the CONNECT it says', () => {
  assert.deepEqual(decoded('G1'), {
    kind: 'connect',
    sentAt: 0x6b04806d,
    xid: 0,
    relationshipName: 'fotest',
    maxUnacked: 10,
    receiveTimerSec: 15,
    vendorClass: 'isc-4.4.3-P1',
    protocolVersion: 1,
    tlsRequest: 0,
    mcltSec: 20,
    hashBuckets: 'ff'.repeat(16) + '00'.repeat(16),
  });
});

test('G5 rejects one address with a reason and a text', () => {
  assert.deepEqual(decoded('G5'), {
    kind: 'bndack',
    sentAt: 0x6b04806d,
    xid: 4,
    answers: [
      {
        address: 0x0a4d0064,
        rejectReason: 'less-critical-binding-information',
        message: 'incoming update is less critical than outgoing update',
      },
    ],
  });
});

test('G7 is an active lease with client-identifier and all times', () => {
  assert.deepEqual(decoded('G7'), {
    kind: 'bndupd',
    sentAt: 0x6b048119,
    xid: 26,
    updates: [
      {
        address: 0x0a4d006d,
        state: 'active',
        clientId: '010277aa000000',
        hardware: '010277aa000000',
        leaseEndAt: 0x6b048119 + 12,
        potentialEndAt: 0x6b048119 + 30,
        stateSinceAt: 0x6b048119,
        lastTransactionAt: 0x6b048119,
      },
    ],
  });
});

test('G12 is reserved and without end', () => {
  const message = decoded('G12') as { updates: { ipFlags: number; potentialEndAt: number }[] };
  assert.equal(message.updates[0]!.ipFlags, 1);
  assert.equal(message.updates[0]!.potentialEndAt, INFINITE_AT);
});

test('G14 is RECOVER-WAIT, G3 RECOVER with the STARTUP flag', () => {
  assert.deepEqual(decoded('G14'), {
    kind: 'state',
    sentAt: 0x6b04820e,
    xid: 4,
    serverState: 'recover-wait',
    serverFlags: 0,
    stateSinceAt: 0x6b04820e,
  });
  assert.deepEqual(decoded('G3'), {
    kind: 'state',
    sentAt: 0x6b04806d,
    xid: 0,
    serverState: 'recover',
    serverFlags: 1,
    stateSinceAt: 0x6b04806d,
  });
});

test('G15 is a rejecting CONNECTACK that still carries the vendor class', () => {
  assert.deepEqual(decoded('G15'), {
    kind: 'connectack',
    sentAt: 0x6b048597,
    xid: 100,
    relationshipName: 'other',
    vendorClass: 'isc-4.4.3-P1',
    protocolVersion: 1,
    tlsReply: 0,
    rejectReason: 'invalid-partner',
    message: 'unknown failover relationship name',
  });
});

test('what the scripted partner sent is judged as the specification says, and never throws', () => {
  const counts = new Map<string, number>();
  for (const { sender, bytes } of captured) {
    if (sender !== 'probe') continue;
    const read = decodeMessage(bytes, 'isc');
    counts.set(read.kind, (counts.get(read.kind) ?? 0) + 1);
    if (read.kind === 'ok') encodeMessage(read.value, 'isc');
    // Type 200 is passed over, type 13 is not; an option past the end or twice ends the connection.
    if (bytes[2] === 200) assert.equal(read.kind, 'ignored');
    if (bytes[2] === 13) assert.equal(read.kind, 'bad');
  }
  assert.equal(counts.get('ignored'), 1);
  assert.ok((counts.get('bad') ?? 0) >= 3, JSON.stringify([...counts]));
});
