/** Why a client got what it got: found by every name of the client, newest first, bounded; and the counters. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PacketReport } from '../../src/core/pipeline/server-core.ts';
import type { Decision, ReplyPlan } from '../../src/core/serving/serving-types.ts';
import { TRACES_MAX, Traces } from '../../src/server/traces.ts';
import type { DhcpPacket, MessageType } from '../../src/wire/dhcp/packet.ts';
import { type EpochSec, type MonoMs, type Now, parseIp4 } from '../../src/wire/units.ts';

const STARTED_AT = 1_800_000_000 as EpochSec;

function now(sec = 0): Now {
  return { monoMs: (sec * 1000) as MonoMs, wallAt: (STARTED_AT + sec) as EpochSec };
}

interface Told {
  readonly last?: number;
  readonly clientId?: Uint8Array;
  readonly messageType?: MessageType;
  readonly reply?: { readonly messageType: MessageType; readonly address: string };
  readonly drop?: 'no-scope' | 'partners-client';
}

function report({ last = 1, clientId, messageType = 'discover', reply, drop }: Told): PacketReport {
  const packet = {
    chaddr: Uint8Array.of(0xaa, 0xbb, 0, 0, last >>> 8, last & 0xff),
    giaddr: parseIp4('10.0.9.1'),
    options: new Map(clientId === undefined ? [] : [[61, clientId]]),
  } as unknown as DhcpPacket;
  const common = { messageType, scopeId: parseIp4('10.0.0.0'), reason: 'because', steps: ['one', 'two'], changed: [] };
  if (drop !== undefined) return { packet, decision: { ...common, kind: 'drop', code: drop } as Decision };
  if (reply === undefined) return { packet, decision: { ...common, kind: 'done' } as Decision };
  const plan = { messageType: reply.messageType, address: parseIp4(reply.address) } as ReplyPlan;
  return { packet, decision: { ...common, kind: 'reply', reply: plan } as Decision };
}

test('a client is found by its hardware address in any writing, by its identifier and by the address it got', () => {
  const traces = new Traces(STARTED_AT);
  const offer = { messageType: 'offer', address: '10.0.0.7' } as const;
  traces.note(now(), report({ last: 0x10f, clientId: Uint8Array.of(1, 0xfe), reply: offer }));
  traces.note(now(), report({ last: 2 }));
  for (const name of ['aa:bb:00:00:01:0f', 'AA-BB-00-00-01-0F', 'aabb0000010f', '01fe', '01-FE', '10.0.0.7']) {
    assert.equal(traces.of(name).length, 1, name);
  }
  assert.deepEqual(traces.of('10.0.0.7')[0], {
    at: STARTED_AT,
    messageType: 'discover',
    hardware: 'aa:bb:00:00:01:0f',
    clientId: '01fe',
    relay: '10.0.9.1',
    scopeId: '10.0.0.0',
    outcome: 'offer',
    reason: 'because',
    steps: ['one', 'two'],
  });
  for (const name of ['', 'aabb', '10.0.0.8']) assert.deepEqual(traces.of(name), [], name);
});

test('the newest decision comes first, and no more than fifty are shown', () => {
  const traces = new Traces(STARTED_AT);
  for (let sec = 0; sec < 60; sec++) traces.note(now(sec), report({ drop: 'no-scope' }));
  const found = traces.of('aabb00000001');
  assert.equal(found.length, 50);
  assert.deepEqual([found[0]?.at, found[49]?.at], [STARTED_AT + 59, STARTED_AT + 10]);
  assert.equal(found[0]?.outcome, 'dropped (no-scope)');
});

test('the oldest decisions make room for new ones', () => {
  const traces = new Traces(STARTED_AT);
  for (let n = 0; n < TRACES_MAX + 5; n++) traces.note(now(), report({ last: n & 0xffff }));
  assert.equal(traces.of('aabb00000004').length, 0);
  assert.equal(traces.of('aabb00000005').length, 1);
});

test('a packet that could not be read is counted and belongs to no client', () => {
  const traces = new Traces(STARTED_AT);
  const decision = { ...report({ drop: 'no-scope' }).decision, messageType: 'unknown' } as Decision;
  traces.note(now(), { decision, packet: undefined });
  assert.deepEqual(traces.counters(0).drops, { 'no-scope': 1 });
  assert.deepEqual(traces.of(''), []);
});

test('every kind of packet and of reply has its counter', () => {
  const traces = new Traces(STARTED_AT);
  for (const messageType of ['discover', 'request', 'decline', 'release', 'inform'] as const) {
    traces.note(now(), report({ messageType }));
  }
  for (const messageType of ['offer', 'ack', 'nak'] as const) {
    traces.note(now(), report({ messageType: 'request', reply: { messageType, address: '10.0.0.7' } }));
  }
  traces.note(now(), report({ drop: 'partners-client' }));
  traces.note(now(), report({ drop: 'partners-client' }));
  assert.deepEqual(traces.counters(6), {
    startedAt: STARTED_AT,
    discovers: 3,
    offers: 1,
    requests: 4,
    acks: 1,
    naks: 1,
    declines: 1,
    releases: 1,
    informs: 1,
    delayedOffers: 6,
    drops: { 'partners-client': 2 },
  });
});
