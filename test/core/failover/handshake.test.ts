/** CONNECT, CONNECTACK and the keep-alive of one endpoint against a scripted partner (specification 1.8, 1.9, 1.11). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS, initialRecord, makeEndpoint } from '../../../src/core/failover/endpoint.ts';
import type { Effect, Endpoint, EndpointConfig, EndpointInput } from '../../../src/core/failover/endpoint-types.ts';
import type { FailoverMessage, OutMessage } from '../../../src/wire/failover/messages.ts';
import type { EpochSec, MonoMs, Now, Sec } from '../../../src/wire/units.ts';
import { makeFakeTable } from './fake-table.ts';
import { poolOf, SCOPE } from './pair.ts';

const WALL = 1_800_000_000;

interface One {
  readonly endpoint: Endpoint;
  nowMs: number;
  step(input: EndpointInput): readonly Effect[];
  hear(message: object, sentAt?: number): readonly Effect[];
}

function one(role: 'primary' | 'secondary', change: Partial<EndpointConfig> = {}): One {
  const config: EndpointConfig = {
    name: 'pair',
    id: 'id-1',
    role,
    mode: 'LoadBalance',
    isActive: true,
    percentage: 50,
    mcltSec: 60 as Sec,
    autoPartnerDownSec: undefined,
    profile: 'twinlease',
    scopeIds: [SCOPE],
    loadBalanceMaxSec: 3 as Sec,
    ...change,
  };
  const table = makeFakeTable();
  table.setPool(poolOf(4), 'free');
  const now = (ms: number): Now => ({ monoMs: ms as MonoMs, wallAt: (WALL + Math.floor(ms / 1000)) as EpochSec });
  const record = {
    ...initialRecord(config, now(0), { holdsAllData: false, wantsAll: false }),
    state: 'normal' as const,
  };
  const store = { storeId: new Uint8Array(16).fill(7), sequence: () => 500, isLostStore: false };
  const endpoint = makeEndpoint(config, record, table, DEFAULT_LIMITS, store);
  const self: One = {
    endpoint,
    nowMs: 0,
    step: (input) => endpoint.step(now(self.nowMs), input),
    hear: (message, sentAt = WALL + Math.floor(self.nowMs / 1000)) =>
      endpoint.step(now(self.nowMs), {
        kind: 'message',
        message: { sentAt: sentAt as EpochSec, xid: 1, ...message } as FailoverMessage,
      }),
  };
  self.step({ kind: 'start' });
  return self;
}

function sent(effects: readonly Effect[]): OutMessage[] {
  return effects.flatMap((effect) => (effect.kind === 'send' || effect.kind === 'send-now' ? [effect.message] : []));
}

function closes(effects: readonly Effect[]): boolean {
  return effects.some((effect) => effect.kind === 'close');
}

const CONNECT = {
  kind: 'connect',
  relationshipName: 'pair',
  maxUnacked: 10,
  receiveTimerSec: 10,
  vendorClass: 'twinlease/1',
  protocolVersion: 1,
  mcltSec: 60,
  hashBuckets: new Uint8Array(32),
};
const ACK = { kind: 'connectack', relationshipName: 'pair', maxUnacked: 10, receiveTimerSec: 10, protocolVersion: 1 };

test('1.8 the primary puts all it must into CONNECT', () => {
  const a = one('primary');
  const [connect] = sent(a.step({ kind: 'connected', dialled: true }));
  assert.equal(connect?.kind, 'connect');
  if (connect?.kind !== 'connect') return;
  assert.equal(connect.relationshipName, 'pair');
  assert.equal(connect.maxUnacked, DEFAULT_LIMITS.unackedMax);
  assert.equal(connect.receiveTimerSec, 10);
  assert.equal(connect.protocolVersion, 1);
  assert.equal(connect.mcltSec, 60);
  assert.equal(connect.hashBuckets?.length, 32);
  assert.equal(connect.tlsRequest, undefined);
  assert.equal(connect.store?.sequence, 500);
});

test('1.8 the secondary accepts with CONNECTACK of the same xid, then STATE', () => {
  const b = one('secondary');
  assert.deepEqual(sent(b.step({ kind: 'connected', dialled: false })), []);
  const [ack, state] = sent(b.hear({ ...CONNECT, xid: 77 }));
  assert.equal(ack?.kind, 'connectack');
  assert.equal(ack?.xid, 77);
  assert.ok(ack?.kind === 'connectack' && ack.rejectReason === undefined);
  assert.ok(state?.kind === 'state' && state.serverFlags === 1 && state.serverState === 'communications-interrupted');
});

const REFUSALS: readonly [string, object, number, string][] = [
  ['version', { protocolVersion: 2 }, 0, 'version-mismatch'],
  ['TLS demanded inside', { tlsRequest: 2 }, 0, 'tls-not-configured'],
  ['another name', { relationshipName: 'other' }, 0, 'invalid-partner'],
  ['a name with a NUL', { relationshipName: 'pair\0' }, 0, 'invalid-partner'],
  ['no name', { relationshipName: undefined }, 0, 'invalid-partner'],
  ['clocks apart', {}, 61, 'time-mismatch'],
  ['MCLT 0', { mcltSec: 0 }, 0, 'invalid-mclt'],
  ['no MCLT', { mcltSec: undefined }, 0, 'invalid-mclt'],
  ['no hash buckets', { hashBuckets: undefined }, 0, 'hba-conflict'],
  ['31 octets of hash buckets', { hashBuckets: new Uint8Array(31) }, 0, 'hba-conflict'],
];
for (const [name, change, skew, reason] of REFUSALS)
  test(`1.8 CONNECT refused: ${name}`, () => {
    const b = one('secondary');
    b.step({ kind: 'connected', dialled: false });
    const effects = b.hear({ ...CONNECT, ...change }, WALL + skew);
    const [ack] = sent(effects);
    assert.ok(ack?.kind === 'connectack' && ack.rejectReason === reason, JSON.stringify(ack));
    assert.ok(closes(effects));
    assert.equal(b.endpoint.status({ monoMs: 0 as MonoMs, wallAt: WALL as EpochSec }).isConnected, false);
  });

test('1.8 a primary that is sent a CONNECT refuses with 8', () => {
  const a = one('primary');
  a.step({ kind: 'connected', dialled: true });
  const [ack] = sent(a.hear(CONNECT));
  assert.ok(ack?.kind === 'connectack' && ack.rejectReason === 'invalid-partner');
});

test('1.8 a CONNECTACK with another xid is ignored, a rejecting one is reported and ends the connection', () => {
  const a = one('primary');
  const [connect] = sent(a.step({ kind: 'connected', dialled: true }));
  assert.deepEqual(a.hear({ ...ACK, xid: connect!.xid + 1 }), []);
  const effects = a.hear({ ...ACK, xid: connect!.xid, rejectReason: 'invalid-partner' });
  assert.ok(closes(effects));
  assert.ok(effects.some((effect) => effect.kind === 'event' && effect.code === 'failover/refused-by-partner'));
});

test('a refused primary dials again, later than after a plain loss', () => {
  const a = one('primary');
  a.step({ kind: 'dial-failed', why: 'refused' });
  assert.equal(a.endpoint.deadlineMs, DEFAULT_LIMITS.redialMs);
  a.nowMs = 1000;
  assert.ok(a.step({ kind: 'timer' }).some((effect) => effect.kind === 'dial'));
  const [connect] = sent(a.step({ kind: 'connected', dialled: true }));
  a.hear({ ...ACK, xid: connect!.xid, rejectReason: 'hba-conflict' });
  a.nowMs = 1000 + DEFAULT_LIMITS.redialMs;
  assert.ok(!a.step({ kind: 'timer' }).some((effect) => effect.kind === 'dial'));
});

test('1.8 a message before CONNECT ends the connection', () => {
  const b = one('secondary');
  b.step({ kind: 'connected', dialled: false });
  assert.ok(closes(b.hear({ kind: 'contact' })));
});

test('a peer that says nothing is let go after the handshake time', () => {
  const b = one('secondary');
  b.step({ kind: 'connected', dialled: false });
  b.nowMs = DEFAULT_LIMITS.handshakeMs;
  assert.ok(closes(b.step({ kind: 'timer' })));
});

function communicating(): One {
  const b = one('secondary');
  b.step({ kind: 'connected', dialled: false });
  b.hear(CONNECT);
  b.hear({ kind: 'state', serverState: 'communications-interrupted', serverFlags: 0, stateSinceAt: WALL });
  assert.ok(b.endpoint.rights.isNormal());
  return b;
}

test('1.9 CONTACT leaves at once every third of the partner’s receive timer', () => {
  const b = communicating();
  b.nowMs = 2999;
  assert.deepEqual(sent(b.step({ kind: 'timer' })), []);
  b.nowMs = 3000;
  const effects = b.step({ kind: 'timer' });
  assert.ok(effects.some((effect) => effect.kind === 'send-now' && effect.message.kind === 'contact'));
});

test('1.9 a partner that vanished is noticed within the receive timer: DISCONNECT 17, COMMUNICATIONS-INTERRUPTED', () => {
  const b = communicating();
  b.nowMs = 9999;
  assert.ok(!closes(b.step({ kind: 'timer' })));
  b.nowMs = 10_000;
  const effects = b.step({ kind: 'timer' });
  assert.ok(sent(effects).some((message) => message.kind === 'disconnect' && message.rejectReason === 'no-traffic'));
  assert.ok(closes(effects));
  assert.equal(b.endpoint.record().state, 'communications-interrupted');
});

test('1.11 skew on any message: an event above 5 s, kept durably, and the end above 60 s', () => {
  const b = communicating();
  const effects = b.hear({ kind: 'contact' }, WALL + 6);
  assert.ok(effects.some((effect) => effect.kind === 'event' && effect.code === 'failover/time-skew'));
  assert.equal(b.endpoint.record().skewSec, 6);
  const cut = b.hear({ kind: 'contact' }, WALL - 61);
  assert.ok(sent(cut).some((message) => message.kind === 'disconnect' && message.rejectReason === 'time-mismatch'));
  assert.ok(closes(cut));
});

test('6.3 a new state is saved before it is announced', () => {
  const b = one('secondary');
  b.step({ kind: 'connected', dialled: false });
  b.hear(CONNECT);
  const effects = b.hear({
    kind: 'state',
    serverState: 'communications-interrupted',
    serverFlags: 0,
    stateSinceAt: WALL,
  });
  const saved = effects.findIndex((effect) => effect.kind === 'save-relationship' && effect.record.state === 'normal');
  const told = effects.findIndex(
    (effect) => effect.kind === 'send' && effect.message.kind === 'state' && effect.message.serverState === 'normal',
  );
  assert.ok(saved >= 0 && told > saved);
});

test('1.7 an unknown server state is no information', () => {
  const b = communicating();
  b.hear({ kind: 'state', serverState: undefined, serverFlags: 0, stateSinceAt: WALL });
  assert.equal(b.endpoint.record().state, 'normal');
  assert.equal(b.endpoint.record().partnerState, 'communications-interrupted');
});

test('2.14-15 POOLREQ is answered even when nothing is moved', () => {
  const b = communicating();
  const [answer] = sent(b.hear({ kind: 'poolreq', xid: 9 }));
  assert.deepEqual({ ...answer }, { kind: 'poolresp', addressesTransferred: 0, xid: 9 });
});

test('an update that could not be read is answered in its place', () => {
  const b = communicating();
  const [answer] = sent(
    b.hear({
      kind: 'bndupd',
      updates: [{ address: SCOPE + 10, state: 'free' }],
      unreadable: [{ index: 0, address: SCOPE + 11, rejectReason: 'unknown', message: 'bad' }],
    }),
  );
  assert.ok(answer?.kind === 'bndack');
  assert.deepEqual(
    answer.answers.map((a) => [a.address - SCOPE, a.rejectReason]),
    [
      [11, 'unknown'],
      [10, undefined],
    ],
  );
});

test('shutdown is announced, kept out of the record, and ends all dialling', () => {
  const a = one('primary');
  const [connect] = sent(a.step({ kind: 'connected', dialled: true }));
  a.hear({ ...ACK, xid: connect!.xid });
  a.hear({ kind: 'state', serverState: 'communications-interrupted', serverFlags: 0, stateSinceAt: WALL });
  const effects = a.step({ kind: 'command', command: { kind: 'shutdown' } });
  assert.ok(sent(effects).some((message) => message.kind === 'state' && message.serverState === 'shutdown'));
  assert.equal(a.endpoint.record().state, 'normal');
  // The partner has a moment to go to PARTNER-DOWN.
  a.nowMs = a.endpoint.deadlineMs ?? 0;
  assert.ok(closes(a.step({ kind: 'timer' })));
  assert.equal(a.endpoint.record().state, 'normal');
  assert.equal(a.endpoint.deadlineMs, undefined);
});
