/** Specification 1.1, 1.4, 1.6 to 1.11, 1.13, 1.14, 3.1, 3.5, 3.7, 3.8: connections and messages of the real endpoint, in every dialect. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitsOf } from '../../../src/core/failover/endpoint.ts';
import type { EndpointConfig } from '../../../src/core/failover/endpoint-types.ts';
import {

  type BindingState,
  type BindingUpdate,
  type MessageKind,
  type OutMessage,
  REJECT_REASONS,
  type RejectReason,
  type WireProfile,
} from '../../../src/wire/failover/messages.ts';
import type { EpochSec, Ip4, Sec } from '../../../src/wire/units.ts';
import {
  type Form,
  REQUIREMENTS,
  type StatusColumn,
  UPDATE_REQUIREMENTS,
  WINDOWS_COLUMNS,
  WINDOWS_PRINTED,
} from '../../clauses/link.ts';
import { BINDING_STATES_ALL, PROFILES, ROLES } from '../../clauses/parties.ts';
import { MESSAGES } from '../../clauses/wire.ts';
import {
  address,
  CLIENT,
  eventsOf,
  FIRST,
  isClosed,
  kindsOf,
  OTHER_CLIENT,
  optionCodes,
  Rig,
  type RigOptions,
  sentOf,
  WALL,
} from './rig.ts';

const at = (offset: number): EpochSec => (WALL + offset) as EpochSec;

/** One binding of each status, with everything that a binding can have. */
function everyBinding(): RigOptions['bindings'] {
  return BINDING_STATES_ALL.map((state, index) => ({
    address: address(FIRST + index),
    state,
    clientId: Uint8Array.of(1, 9, index),
    hardware: Uint8Array.of(1, 2, 2, 2, 2, 2, index),
    leaseEndAt: at(500),
    sentPotentialAt: at(900),
    ackedPotentialAt: at(800),
    recvPotentialAt: at(700),
    lastTransactionAt: at(-50),
    stateSinceAt: at(-50),
    hostName: Uint8Array.of(0x61),
    ipFlags: 0x8000,
    told: true,
    dirty: true,
  }));
}

/** Everything that an endpoint of a dialect can be brought to say, by both roles. */
function everything(profile: WireProfile): { rig: Rig; sent: OutMessage[] }[] {
  const full: RigOptions = { profile, bindings: everyBinding() ?? [], poolSize: 20 };
  const talks = ROLES.map((role) => {
    const rig = new Rig({ role, ...full }).into('normal');
    rig.told({ address: address(FIRST + 1), state: 'active' });
    rig.told({ address: address(9999), state: 'free' });
    rig.answerAll();
    rig.hear({ kind: 'poolreq' });
    rig.hear({ kind: 'updreqall' });
    rig.answerAll().waitInContact(70);
    for (const change of everyBinding() ?? []) rig.change(change);
    rig.answerAll();
    rig.wait(rig.limits.receiveTimerSec + 1);
    return rig;
  });
  const refusing = new Rig({ role: 'secondary', profile, record: { state: 'normal' } }).start();
  refusing.link({ relationshipName: 'other', tlsRequest: 0 });
  const lost = ROLES.map((role) => {
    const rig = new Rig({ role, profile, record: 'none', isLostStore: true }).start().link();
    rig.says('partner-down');
    return rig;
  });
  const conflict = ROLES.map((role) => {
    const rig = new Rig({ role, profile, record: { state: 'partner-down' } }).into('potential-conflict');
    rig.says('potential-conflict');
    if (role === 'secondary') rig.says('conflict-done');
    return rig;
  });
  return [...talks, refusing, ...lost, ...conflict].map((rig) => ({ rig, sent: rig.sent }));
}

const SAID = new Map(PROFILES.map((profile) => [profile, everything(profile)]));

function formOf(message: OutMessage): Form | undefined {
  switch (message.kind) {
    case 'connect':
      return 'CONNECT';
    case 'connectack':
      return message.rejectReason === undefined ? 'CONNECTACK accepting' : 'CONNECTACK rejecting';
    case 'state':
      return 'STATE';
    case 'poolresp':
      return 'POOLRESP';
    case 'bndack':
      return message.answers.every((answer) => answer.rejectReason === undefined)
        ? 'BNDACK accepting'
        : 'BNDACK rejecting';
    case 'disconnect':
      return 'DISCONNECT';
    default:
      return undefined;
  }
}

for (const { id, code, form, demand } of REQUIREMENTS)
  test(`option ${code} in ${form}: ${demand} [${id}]`, () => {
    for (const profile of PROFILES) {
      const found = SAID.get(profile)!.flatMap(({ sent }) => sent.filter((message) => formOf(message) === form));
      // Windows gets neither POOLRESP nor DISCONNECT.
      if (profile === 'msft' && (form === 'POOLRESP' || form === 'DISCONNECT')) {
        assert.equal(found.length, 0);
        continue;
      }
      assert.ok(found.length > 0, `${profile} says ${form}`);
      for (const message of found) {
        const has = optionCodes(message, profile).includes(code);
        // The reason of a BNDACK is a number; its text is for people, and may give way.
        if (demand === 'S' && form === 'BNDACK rejecting') continue;
        assert.equal(has, demand !== 'N', `${profile}: ${JSON.stringify(message)}`);
      }
    }
  });

test('TLS-request is in CONNECT toward others, and absent inside the TLS of our own links [1.6 TLS-request/CONNECT] [1.12 tls-own]', () => {
  for (const profile of PROFILES)
    for (const { sent } of SAID.get(profile)!)
      for (const message of sent)
        if (message.kind === 'connect')
          assert.equal(optionCodes(message, profile).includes(27), profile !== 'twinlease', profile);
});

test('TLS-reply is in CONNECTACK if and only if TLS-request came, accepting and rejecting [1.6 TLS-reply/CONNECTACK] [1.12 tls-refused]', () => {
  for (const profile of PROFILES)
    for (const tlsRequest of [undefined, 0, 1, 2])
      for (const relationshipName of ['pair', 'other']) {
        const rig = new Rig({ role: 'secondary', profile }).start().link({ tlsRequest, relationshipName });
        const answer = rig.last('connectack');
        assert.equal(answer?.tlsReply, tlsRequest === undefined ? undefined : 0);
        const reason = tlsRequest === 2 ? 'tls-not-configured' : relationshipName === 'other' ? 'invalid-partner' : undefined;
        assert.equal(answer?.rejectReason, reason);
      }
});

test('BNDACK has nothing but address, reason and text [1.6 bndack-only]', () => {
  for (const profile of PROFILES)
    for (const { sent } of SAID.get(profile)!)
      for (const message of sent)
        if (message.kind === 'bndack') {
          const codes = optionCodes(message, profile);
          assert.equal(codes[0], 2, 'the address is first');
          assert.ok(codes.every((code) => [2, 21, 16].includes(code)));
        }
});

test('a rejecting CONNECTACK with all that dhcpd puts in it is understood as a reject [1.6 reject-column]', () => {
  for (const profile of ['isc', 'draft'] as const) {
    const rig = new Rig({ profile }).start().link({ rejectReason: 'hba-conflict', message: 'invalid HBA', tlsReply: 0 });
    assert.ok(isClosed(rig.effects));
    assert.ok(eventsOf(rig.effects).includes('failover/refused-by-partner'));
  }
});

for (const [option, field, reason] of [
  [22, 'relationshipName', 'invalid-partner'],
  [14, 'maxUnacked', 'other'],
  [19, 'receiveTimerSec', 'other'],
  [28, 'vendorClass', undefined],
  [20, 'protocolVersion', 'version-mismatch'],
  [15, 'mcltSec', 'invalid-mclt'],
  [11, 'hashBuckets', 'hba-conflict'],
] as const)
  test(`CONNECT without option ${option}: ${reason ?? 'accepted'} [1.6 missing/CONNECT/${option}]`, () => {
    for (const profile of PROFILES) {
      const rig = new Rig({ role: 'secondary', profile }).start().link({ [field]: undefined });
      const isForgiven = profile === 'msft' && field !== 'relationshipName';
      assert.equal(rig.last('connectack')?.rejectReason, isForgiven ? undefined : reason, profile);
      assert.equal(isClosed(rig.effects), !isForgiven && reason !== undefined);
    }
  });

test('CONNECTACK with nothing in it is accepted with defaults [1.6 missing/CONNECTACK]', () => {
  const nothing = { relationshipName: undefined, maxUnacked: undefined, receiveTimerSec: undefined, vendorClass: undefined };
  const rig = new Rig().start().link({ ...nothing, protocolVersion: undefined });
  rig.says('communications-interrupted');
  assert.equal(rig.state, 'normal');
  const other = new Rig().start().link({ relationshipName: 'other' });
  assert.equal(other.last('disconnect')?.rejectReason, 'invalid-partner');
});

test('STATE without a state is no information [1.6 missing/STATE] [1.7 server-state/1-sent]', () => {
  const rig = new Rig().into('normal');
  rig.quiet().says(undefined);
  rig.says('startup');
  assert.equal(rig.state, 'normal');
  assert.equal(rig.endpoint.record().partnerState, 'communications-interrupted');
  for (const profile of PROFILES)
    for (const { sent } of SAID.get(profile)!)
      for (const message of sent)
        if (message.kind === 'state') assert.notEqual(message.serverState, 'startup');
});

test('an update without address or status is answered with reject 3 [1.6 missing/BNDUPD/2] [1.6 missing/BNDUPD/3]', () => {
  const rig = new Rig().into('normal').quiet();
  const unreadable = [
    { index: 0, address: 0 as Ip4, rejectReason: 'missing-binding-information', message: 'no address' },
    { index: 1, address: address(FIRST), rejectReason: 'missing-binding-information', message: 'no status' },
  ];
  rig.hear({ kind: 'bndupd', updates: [], unreadable });
  assert.deepEqual(
    rig.last('bndack')?.answers.map((answer) => answer.rejectReason),
    ['missing-binding-information', 'missing-binding-information'],
  );
});

test('a status that needs a client, without one: reject 3 [1.6 missing/BNDUPD/client] [3.5 missing]', () => {
  for (const profile of PROFILES)
    for (const state of BINDING_STATES_ALL) {
      const rig = new Rig({ profile }).into('normal');
      const needs = state === 'active' || state === 'expired' || state === 'released';
      const said = rig.told({ state, leaseEndAt: at(5), potentialEndAt: at(5) });
      assert.equal(said === 'missing-binding-information', needs, `${profile} ${state}: ${said}`);
    }
});

test('ACTIVE without the end of the lease: reject 3; without potential expiration the end counts [1.6 missing/BNDUPD/13] [1.6 missing/BNDUPD/18]', () => {
  const rig = new Rig().into('normal');
  const lease = { address: address(FIRST + 7), state: 'active', hardware: CLIENT, lastTransactionAt: at(0) } as const;
  assert.equal(rig.told({ ...lease, potentialEndAt: at(900) }), 'missing-binding-information');
  assert.equal(rig.told({ ...lease, leaseEndAt: at(600) }), 'accept');
  assert.equal(rig.find(FIRST + 7).recvPotentialAt, at(600));
});

test('DISCONNECT closes the connection, with a reason or without [1.6 missing/DISCONNECT/21]', () => {
  const rig = new Rig().into('normal').quiet();
  assert.ok(isClosed(rig.hear({ kind: 'disconnect', rejectReason: 'unknown' })));
  assert.equal(rig.state, 'communications-interrupted');
});

/* 1.6, BNDUPD */

function columnOf(state: BindingState): StatusColumn {
  if (state === 'active') return 'ACTIVE';
  if (state === 'expired') return 'EXPIRED';
  if (state === 'released') return 'RELEASED';
  return state === 'abandoned' ? 'ABANDONED' : 'FREE, BACKUP, RESET';
}

/** Each update that a dialect sends, with the codes of its options. */
function updatesOf(profile: WireProfile): { update: BindingUpdate; codes: number[] }[] {
  return SAID.get(profile)!.flatMap(({ sent }) =>
    sent.flatMap((message) =>
      message.kind === 'bndupd'
        ? message.updates.map((update) => ({
            update,
            codes: optionCodes({ kind: 'bndupd', xid: 1, updates: [update] }, profile),
          }))
        : [],
    ),
  );
}
const TOLD = new Map(PROFILES.map((profile) => [profile, updatesOf(profile)]));

for (const { id, code, column, demand } of UPDATE_REQUIREMENTS)
  test(`option ${code} in BNDUPD ${column}: ${demand} [${id}]`, () => {
    for (const profile of ['draft', 'twinlease', 'isc'] as const) {
      const found = TOLD.get(profile)!.filter(({ update }) => columnOf(update.state) === column);
      assert.ok(found.length > 0, `${profile} tells ${column}`);
      for (const { update, codes } of found) {
        const has = codes.includes(code);
        const label = `${profile} ${update.state}`;
        if (code === 2) assert.equal(codes[0], 2, `${label}: first`);
        // An address that was never used has neither a time of its own nor a client.
        const isUsed = update.hardware !== undefined || update.stateSinceAt !== undefined;
        if (code === 25 && !isUsed) continue;
        if (code === 12) {
          assert.equal(has, (update.ipFlags ?? 0) !== 0, label);
          continue;
        }
        if (code === 4 && demand === 'M') {
          assert.equal(has, update.clientId !== undefined, label);
          continue;
        }
        if (demand !== 'N') {
          // The draft's SHOULD for what clients asked does not concern dhcpd, which has no use for it.
          if (profile !== 'isc' || code !== 8) assert.ok(has || code === 8, label);
          continue;
        }
        const isToldAnyway =
          (profile === 'isc' && (code === 13 || code === 18)) || (profile === 'twinlease' && code === 18 && column === 'ABANDONED');
        if (!isToldAnyway) assert.ok(!has, label);
      }
    }
  });

for (const [codes, cells] of WINDOWS_PRINTED)
  for (const [index, column] of WINDOWS_COLUMNS.entries()) {
    const demand = cells[index];
    if (demand === '-') continue;
    test(`for Windows options ${codes.join(', ')} in ${column}: ${demand} [3.5 ${codes.join(', ')}/${column}]`, () => {
      const of = (state: BindingState): string =>
        state === 'free' || state === 'backup' ? 'FREE/BACKUP' : state === 'reset' ? 'EXPIRED' : state.toUpperCase();
      const found = TOLD.get('msft')!.filter(({ update }) => of(update.state) === column);
      assert.ok(found.length > 0);
      for (const one of found)
        for (const code of codes) assert.equal(one.codes.includes(code), demand !== 'N', `${one.update.state} ${code}`);
    });
  }

/* 1.4 */

for (const [kind, [sender, answer]] of Object.entries(MESSAGES) as [MessageKind, (typeof MESSAGES)['state']][]) {
  const number = { poolreq: 1, poolresp: 2, bndupd: 3, bndack: 4, connect: 5, connectack: 6, updreqall: 7, upddone: 8, updreq: 9, state: 10, contact: 11, disconnect: 12 }[kind];
  test(`${kind.toUpperCase()}: who says it, and what it is answered with [1.4 ${number} ${kind.toUpperCase()}]`, () => {
    for (const profile of PROFILES) {
      const roles = SAID.get(profile)!.filter(({ sent }) => sent.some((message) => message.kind === kind)).map(({ rig }) => rig.role);
      const isFree = kind === 'poolreq' || kind === 'poolresp';
      if (sender !== 'either' && (profile === 'draft' ? kind !== 'poolresp' : !isFree))
        assert.ok(roles.every((role) => role === sender), `${profile}: only by the ${sender}`);
      if (profile === 'twinlease' && kind !== 'poolreq') assert.ok(roles.length > 0, 'it is said at all');
      if (sender === 'either' && profile === 'twinlease')
        for (const role of ROLES) assert.ok(roles.includes(role), `by the ${role}`);
    }
    if (answer === undefined || kind === 'connect') return;
    const rig = new Rig().into('normal').quiet();
    rig.hear({ kind, xid: 4242, ...(kind === 'bndupd' ? { updates: [{ address: address(FIRST + 7), state: 'free' }] } : {}) });
    rig.answerAll();
    assert.equal(rig.last(answer)?.xid, 4242);
  });
}

/* 1.7, reasons */

for (const [reason, number] of Object.entries(REJECT_REASONS) as [RejectReason, number][])
  test(`${reason} heard: CONNECTACK and DISCONNECT end the connection, a BNDACK frees its place in the window [1.7 received/${number}]`, () => {
    const refused = new Rig().start().link({ rejectReason: reason });
    assert.ok(isClosed(refused.effects) && eventsOf(refused.effects).includes('failover/refused-by-partner'));
    const closed = new Rig().into('normal');
    assert.ok(isClosed(closed.hear({ kind: 'disconnect', rejectReason: reason })));
    assert.equal(closed.state, 'communications-interrupted');
    const rig = new Rig({ poolSize: 2 }).into('normal').answerAll();
    const own = [FIRST, FIRST + 1].find((offset) => rig.find(offset).state === 'free')!;
    rig.lease(own, CLIENT, 60);
    const before = rig.endpoint.status(rig.now).unackedUpdates;
    let effects = rig.answer(reason);
    if (reason === 'ip-not-reserved') {
      // The partner must know the lease all the same: once more, without the flag.
      assert.ok(kindsOf(effects).includes('bndupd'));
      effects = rig.answer(reason);
    }
    assert.ok(!kindsOf(effects).includes('bndupd'), 'not sent again at once');
    const status = rig.endpoint.status(rig.now);
    assert.equal(status.unackedUpdates, before - 1);
    assert.equal(status.lastReject?.reason, reason);
    assert.equal(rig.find(own).state, 'active', 'the lease is kept');
    const isLater = reason === 'outdated-binding-information' || reason === 'less-critical-binding-information' || reason === 'fatal-conflict';
    const isAlarm = reason !== 'outdated-binding-information' && reason !== 'less-critical-binding-information';
    assert.equal(eventsOf(effects).includes('failover/update-rejected'), isAlarm);
    rig.quiet().waitInContact(31);
    assert.equal(rig.all('bndupd').length > 0, isLater, 'compared again after 30 s');
  });

const active = (change: Omit<Partial<BindingUpdate>, 'state'> = {}): Partial<BindingUpdate> & { state: 'active' } => ({
  address: address(FIRST),
  state: 'active',
  hardware: CLIENT,
  leaseEndAt: at(500),
  potentialEndAt: at(900),
  lastTransactionAt: at(100),
  ...change,
});
const OURS = { address: address(FIRST), state: 'active', hardware: CLIENT, leaseEndAt: at(500), lastTransactionAt: at(50), stateSinceAt: at(50) } as const;
const SENT: readonly (readonly [RejectReason, string, () => RejectReason | 'accept' | 'none' | undefined])[] = [
  ['illegal-ip-address', 'an address of no pool', () => new Rig().into('normal').told(active({ address: 1 as Ip4 }))],
  [
    'fatal-conflict',
    'another client’s lease, told to the primary',
    () => new Rig({ bindings: [OURS] }).into('normal').told(active({ hardware: OTHER_CLIENT })),
  ],
  ['missing-binding-information', 'no client', () => new Rig().into('normal').told(active({ hardware: undefined }))],
  ['unknown', 'a malformed hardware address', () => new Rig().into('normal').told(active({ hardware: Uint8Array.of(0, 1) }))],
  [
    'outdated-binding-information',
    'a release older than the lease',
    () => new Rig({ bindings: [OURS] }).into('normal').told({ ...active({ lastTransactionAt: at(40) }), state: 'released' as const }),
  ],
  [
    'less-critical-binding-information',
    'an address set aside here',
    () =>
      new Rig({ profile: 'draft', bindings: [{ ...OURS, state: 'abandoned', hardware: undefined }] }).into('normal').told(active()),
  ],
  [
    'ip-not-reserved',
    'BACKUP of a reservation that is not here',
    () => new Rig({ poolSize: 1 }).into('normal').told({ state: 'backup', ipFlags: 1 }),
  ],
  ['time-mismatch', 'clocks 61 s apart', () => refusal({}, 61)],
  ['invalid-mclt', 'MCLT 0', () => refusal({ mcltSec: 0 })],
  ['invalid-partner', 'another name', () => refusal({ relationshipName: 'x' })],
  ['tls-not-configured', 'TLS demanded', () => refusal({ tlsRequest: 2 })],
  ['version-mismatch', 'version 2', () => refusal({ protocolVersion: 2 })],
  ['hba-conflict', 'no hash buckets', () => refusal({ hashBuckets: undefined })],
  ['other', 'no window', () => refusal({ maxUnacked: undefined })],
  [
    'no-traffic',
    'silence',
    () => {
      const rig = new Rig().into('normal');
      rig.wait(11);
      return rig.last('disconnect')?.rejectReason;
    },
  ],
  [
    'duplicate-connection',
    'a CONNECT on a connection that has one',
    () => {
      const rig = new Rig({ role: 'secondary' }).into('normal');
      rig.hear({ kind: 'connect', relationshipName: 'pair' });
      return rig.last('disconnect')?.rejectReason;
    },
  ],
];
function refusal(change: Record<string, unknown>, skewSec = 0): RejectReason | undefined {
  const rig = new Rig({ role: 'secondary' }).start();
  rig.partnerSkewSec = skewSec;
  return rig.link(change).last('connectack')?.rejectReason;
}
for (const [reason, when, provoke] of SENT)
  test(`${reason} is said for ${when} [1.7 sent/${REJECT_REASONS[reason]}]`, () => {
    assert.equal(provoke(), reason);
  });

test('reasons 9 and 11 are never said: nobody can ask [1.7 sent/9] [1.7 sent/11]', () => {
  for (const profile of PROFILES)
    for (const tlsRequest of [undefined, 0, 1, 2]) {
      const rig = new Rig({ role: 'secondary', profile }).start().link({ tlsRequest });
      const reason = rig.last('connectack')?.rejectReason;
      assert.ok(reason !== 'tls-not-supported' && reason !== 'tls-required');
    }
});

/* 1.1, 1.8 */

test('who opens the connection [1.1 who-opens/twinlease] [1.1 who-opens/isc] [1.1 who-opens/msft]', () => {
  for (const [profile, role, opens] of [
    ['twinlease', 'primary', true],
    ['twinlease', 'secondary', false],
    ['draft', 'primary', true],
    ['draft', 'secondary', true],
    ['isc', 'primary', true],
    ['isc', 'secondary', true],
    ['msft', 'primary', true],
    ['msft', 'secondary', false],
  ] as const) {
    const rig = new Rig({ profile, role }).start();
    assert.equal(rig.effects.some((effect) => effect.kind === 'dial'), opens, `${profile} ${role}`);
  }
  const called = new Rig({ profile: 'isc' }).start();
  called.step({ kind: 'connected', dialled: false });
  assert.equal(called.all('connect').length, 1, 'CONNECT on a connection that dhcpd opened');
});

test('by the draft a primary uses only what it opened: another one is a hint to call [1.1 who-opens/draft] [D 8.2 primary-uses-own]', () => {
  const rig = new Rig({ profile: 'draft' }).start();
  rig.step({ kind: 'dial-failed', why: 'refused' });
  rig.quiet();
  const effects = rig.step({ kind: 'connected', dialled: false });
  assert.ok(isClosed(effects) && effects.some((effect) => effect.kind === 'dial'));
  assert.equal(rig.all('connect').length, 0);
});

test('only the primary sends CONNECT, as the first message of its connection [1.1 who-connects] [D 7.8 first-message]', () => {
  for (const profile of PROFILES)
    for (const role of ROLES) {
      const rig = new Rig({ profile, role }).start();
      rig.step({ kind: 'connected', dialled: role === 'primary' });
      assert.deepEqual(rig.sent.map((message) => message.kind), role === 'primary' ? ['connect'] : [], `${profile} ${role}`);
    }
});

test('it is opened again after a loss, and later after a reject or a DISCONNECT of ours [1.1 retry]', () => {
  const until = (rig: Rig): number => {
    const from = rig.nowMs;
    for (let i = 0; i < 100; i++) {
      rig.quiet().wait(1);
      if (rig.effects.some((effect) => effect.kind === 'dial')) return (rig.nowMs - from) / 1000;
    }
    return Number.POSITIVE_INFINITY;
  };
  for (const profile of ['twinlease', 'isc'] as const) {
    const plainSec = limitsOf(profile).redialMs / 1000;
    const lost = new Rig({ profile }).into('normal');
    lost.step({ kind: 'disconnected', why: 'cut' });
    assert.equal(until(lost), plainSec);
    lost.step({ kind: 'dial-failed', why: 'no route' });
    assert.equal(until(lost), plainSec);
    const refused = new Rig({ profile }).start().link({ rejectReason: 'hba-conflict' });
    assert.equal(until(refused), plainSec * 5);
  }
});

test('a connection on which nothing comes is closed after the time of the handshake [1.1 first-message] [1.8 primary/limited-wait]', () => {
  for (const role of ROLES) {
    const rig = new Rig({ role }).start();
    rig.step({ kind: 'connected', dialled: role === 'primary' });
    rig.quiet().wait(rig.limits.handshakeMs / 1000 - 1);
    assert.ok(!isClosed(rig.effects));
    rig.wait(1);
    assert.ok(isClosed(rig.effects));
  }
});

test('a living connection is not replaced, a dead one is, by way of COMMUNICATIONS-INTERRUPTED [1.1 one-connection] [1.8 step-10] [D 9.9.3 new-connection]', () => {
  const rig = new Rig({ role: 'secondary' }).into('normal');
  assert.equal(rig.endpoint.mayReplaceLink(rig.now), false);
  rig.nowMs += 4999;
  assert.equal(rig.endpoint.mayReplaceLink(rig.now), false);
  rig.nowMs += 1;
  assert.equal(rig.endpoint.mayReplaceLink(rig.now), true);
  rig.quiet();
  rig.step({ kind: 'connected', dialled: false });
  assert.equal(rig.state, 'communications-interrupted');
  assert.equal(rig.endpoint.isCommunicating, false);
});

test('CONNECT has a fresh xid, and only a CONNECTACK with that one counts [1.8 primary/fresh-xid] [D 7.9.1 xid]', () => {
  const rig = new Rig().start();
  rig.step({ kind: 'connected', dialled: true });
  const xid = rig.last('connect')!.xid;
  const ack = { kind: 'connectack', relationshipName: 'pair', protocolVersion: 1, maxUnacked: 10, receiveTimerSec: 10 } as const;
  assert.deepEqual(rig.hear({ ...ack, xid: xid + 1 }), []);
  assert.ok(kindsOf(rig.hear({ ...ack, xid })).includes('state'));
});

test('the checks of CONNECT in their order: the first failing one gives the reason [1.8 order]', () => {
  const faults = [
    [{ protocolVersion: 2 }, 'version-mismatch'],
    [{ tlsRequest: 2 }, 'tls-not-configured'],
    [{ relationshipName: 'x' }, 'invalid-partner'],
    [{}, 'time-mismatch'],
    [{ mcltSec: undefined }, 'invalid-mclt'],
    [{ hashBuckets: undefined }, 'hba-conflict'],
  ] as const;
  for (const [first, [, reason]] of faults.entries()) {
    const change = Object.assign({}, ...faults.slice(first).map(([one]) => one));
    assert.equal(refusal(change, first <= 3 ? 61 : 0), reason);
  }
});

test('step 1: the clocks are compared at receipt [1.8 step-1] [D 5.10 tagged]', () => {
  const rig = new Rig({ role: 'secondary' }).start();
  rig.partnerSkewSec = -7;
  rig.link();
  assert.equal(rig.endpoint.status(rig.now).skewSec, 7);
  assert.equal(rig.endpoint.record().skewSec, 7);
});

for (const [step, change, reason] of [
  [2, { protocolVersion: 0 }, 'version-mismatch'],
  [3, { tlsRequest: 2 }, 'tls-not-configured'],
] as const)
  test(`step ${step}: ${reason}, and our own version is in the answer [1.8 step-${step}]`, () => {
    const rig = new Rig({ role: 'secondary' }).start().link(change);
    assert.equal(rig.last('connectack')?.rejectReason, reason);
    assert.equal(rig.last('connectack')?.protocolVersion, 1);
  });

test('step 5: another name, another case, a NUL, or we the primary: 8 [1.8 step-5]', () => {
  for (const relationshipName of ['other', 'Pair', 'pair\0', 'pair ', ''])
    assert.equal(refusal({ relationshipName }), 'invalid-partner', JSON.stringify(relationshipName));
  const primary = new Rig().start();
  primary.step({ kind: 'connected', dialled: true });
  primary.hear({ kind: 'connect', relationshipName: 'pair', protocolVersion: 1 });
  assert.equal(primary.last('connectack')?.rejectReason, 'invalid-partner');
});

test('step 6: 60 s are borne, 61 are not, in both directions [1.8 step-6] [1.11 refuse]', () => {
  for (const sign of [1, -1]) {
    assert.equal(refusal({}, sign * 60), undefined);
    assert.equal(refusal({}, sign * 61), 'time-mismatch');
    const rig = new Rig().into('normal');
    rig.partnerSkewSec = sign * 61;
    const effects = rig.hear({ kind: 'contact' });
    assert.ok(isClosed(effects));
    assert.equal(rig.last('disconnect')?.rejectReason, 'time-mismatch');
  }
});

test('step 7: the primary’s MCLT is adopted, kept, and used without contact and after a restart [1.8 step-7] [D 7.8.2 mclt]', () => {
  const rig = new Rig({ role: 'secondary', profile: 'draft' }).start().link({ mcltSec: 20 });
  rig.says('communications-interrupted');
  const granted = (one: Rig): number => one.endpoint.rights.grantSec(one.now, 5000 as Sec, undefined);
  assert.equal(granted(rig), 20);
  rig.step({ kind: 'disconnected', why: 'cut' });
  assert.equal(granted(rig), 20);
  const again = new Rig({ role: 'secondary', profile: 'draft', record: rig.endpoint.record() }).start();
  assert.equal(granted(again), 20);
  assert.equal(refusal({ mcltSec: 0 }), 'invalid-mclt');
});

test('step 8: the hash buckets of CONNECT hold in NORMAL [1.8 step-8] [D 7.8.2 hba]', () => {
  const rig = new Rig({ role: 'secondary', owner: 'free' }).start().link({ hashBuckets: new Uint8Array(32).fill(0x01) });
  rig.says('communications-interrupted');
  rig.told({ address: address(FIRST), state: 'backup' });
  for (let bucket = 0; bucket < 16; bucket++) {
    const { yes } = rig.endpoint.rights.answers(rig.now, { scopeId: rig.config.scopeIds[0]!, bucket, secs: 0, unansweredMs: 0 });
    assert.equal(yes, bucket % 8 !== 0, `bucket ${bucket}`);
  }
});

test('after a rejecting CONNECTACK the sender closes [1.8 secondary/after-reject]', () => {
  const rig = new Rig({ role: 'secondary' }).start().link({ relationshipName: 'x' });
  const last = rig.effects.filter((effect) => effect.kind === 'send' || effect.kind === 'close').slice(-2);
  assert.ok(last[0]?.kind === 'send' && last[0].message.kind === 'connectack' && last[1]?.kind === 'close');
});

test('after an accepting CONNECTACK STATE follows at once [1.8 secondary/after-accept] [D 7.10 after-connectack]', () => {
  for (const profile of ['twinlease', 'draft', 'msft'] as const) {
    const rig = new Rig({ role: 'secondary', profile }).start().link();
    assert.deepEqual(rig.sent.map((message) => message.kind), ['connectack', 'state'], profile);
  }
  // Toward dhcpd the first STATE waits for its own (2.14-5, 6).
  const isc = new Rig({ role: 'secondary', profile: 'isc' }).start().link();
  assert.deepEqual(isc.sent.map((message) => message.kind), ['connectack']);
  isc.says('communications-interrupted');
  assert.ok(isc.all('state').length > 0);
});

test('a rejecting CONNECTACK is reported and the connection closed [1.8 primary/reject] [D 7.9.2 close]', () => {
  const rig = new Rig().start().link({ rejectReason: 'invalid-mclt', message: 'MCLT' });
  const told = rig.effects.find((effect) => effect.kind === 'event' && effect.code === 'failover/refused-by-partner');
  assert.ok(told?.kind === 'event' && told.slots['reason'] === 'invalid-mclt' && told.slots['message'] === 'MCLT');
  assert.ok(isClosed(rig.effects));
});

test('TLS-reply 1, which was not asked for, ends the connection with 10 [1.8 primary/tls-reply]', () => {
  const rig = new Rig({ profile: 'draft' }).start().link({ tlsReply: 1 });
  assert.equal(rig.last('disconnect')?.rejectReason, 'tls-not-configured');
  assert.ok(isClosed(rig.effects));
  const usual = new Rig({ profile: 'draft' }).start().link({ tlsReply: 0 });
  assert.ok(!isClosed(usual.effects));
});

test('another version in CONNECTACK ends the connection with 14 [1.8 primary/version]', () => {
  assert.equal(new Rig().start().link({ protocolVersion: 2 }).last('disconnect')?.rejectReason, 'version-mismatch');
});

test('a CONNECTACK of a clock too far away ends the connection with DISCONNECT 4 [1.8 primary/skew]', () => {
  const rig = new Rig().start();
  rig.partnerSkewSec = 61;
  rig.link();
  assert.equal(rig.last('disconnect')?.rejectReason, 'time-mismatch');
});

test('the primary sends STATE on CONNECTACK, and both timers run [1.8 primary/state] [D 7.9.2 timers] [D 7.10 after-connectack-received]', () => {
  const rig = new Rig().start().link();
  assert.deepEqual(rig.sent.map((message) => message.kind), ['connect', 'state']);
  rig.says('communications-interrupted');
  rig.quiet().wait(10);
  assert.ok(rig.last('disconnect') !== undefined, 'the receive timer');
});

test('communications are OK only with the partner’s STATE [1.8 comm-ok]', () => {
  for (const role of ROLES) {
    const rig = new Rig({ role }).start().link();
    assert.equal(rig.endpoint.isCommunicating, false);
    assert.equal(rig.endpoint.status(rig.now).isConnected, true);
    rig.says('communications-interrupted');
    assert.equal(rig.endpoint.isCommunicating, true);
  }
});

/* 1.9 */

test('the receive timer: any message restarts it, its end is DISCONNECT 17 [1.9 receive-timer] [D 8.3 dropped] [D 8.6 disconnect-last]', () => {
  for (const message of [{ kind: 'contact' }, { kind: 'poolresp' }, { kind: 'upddone' }] as const) {
    const rig = new Rig().into('normal');
    rig.wait(9);
    rig.hear(message);
    rig.quiet().wait(9);
    assert.ok(!isClosed(rig.effects), message.kind);
    rig.wait(1);
    assert.equal(rig.sent.at(-1)?.kind, 'disconnect');
    assert.equal(rig.last('disconnect')?.rejectReason, 'no-traffic');
    const order = rig.effects.flatMap((effect) => (effect.kind === 'close' ? ['close'] : effect.kind === 'send' ? [effect.message.kind] : []));
    assert.deepEqual(order.slice(-2), ['disconnect', 'close']);
  }
});

test('CONTACT a third of the partner’s receive timer after the last message [1.9 send-timer] [D 5.1 contact] [D 7.9.1 timers]', () => {
  for (const [receiveTimerSec, everySec] of [
    [10, 3],
    [15, 5],
    [60, 20],
    [100, 33],
  ] as const) {
    const rig = new Rig({ limits: { receiveTimerSec: 1000 as Sec, lastOperationalEverySec: 5000 as Sec, balanceEveryMs: 5_000_000 } }).start().link({ receiveTimerSec });
    rig.says('paused');
    rig.quiet().wait(everySec * 10);
    assert.ok(rig.all('contact').length >= 9 && rig.all('contact').length <= 10, `${rig.all('contact').length} in ten thirds`);
  }
});

test('what is advertised: 10 s to our own kind, 60 s and more to others, never below 3 [1.9 defaults/twinlease] [1.9 defaults/foreign] [1.9 never-below-3]', () => {
  for (const [profile, sec] of [
    ['twinlease', 10],
    ['draft', 60],
    ['isc', 60],
    ['msft', 180],
  ] as const) {
    for (const role of ROLES) {
      const rig = new Rig({ profile, role }).start().link();
      const said = rig.last('connect') ?? rig.last('connectack');
      assert.equal(said?.receiveTimerSec, sec, `${profile} ${role}`);
    }
  }
  // A partner that says less than 3 must not be flooded.
  const rig = new Rig().start().link({ receiveTimerSec: 1 });
  rig.says('paused');
  rig.quiet().wait(9);
  assert.ok(rig.all('contact').length <= 3);
});

test('Windows gets a CONTACT at least every 60 s whatever it said, and its silence is borne for 180 s [1.9 defaults/msft] [3.8 2]', () => {
  const rig = new Rig({ profile: 'msft', role: 'secondary' }).start().link({ receiveTimerSec: 3000 });
  rig.says('communications-interrupted');
  rig.quiet().wait(179);
  assert.equal(rig.all('contact').length, 2);
  assert.ok(!isClosed(rig.effects));
  rig.wait(1);
  assert.ok(isClosed(rig.effects));
});

/* 1.10 */

test('never more unanswered BNDUPD than allowed, in every dialect, also after a reconnect [1.10 window] [D 7.3.2 window] [3.7 window]', () => {
  for (const profile of PROFILES)
    for (const maxUnacked of [1, 3]) {
      const bindings = Array.from({ length: 40 }, (_, i) => ({
        address: address(FIRST + i),
        state: 'active' as const,
        hardware: Uint8Array.of(1, 1, 1, 1, 1, 1, i),
        leaseEndAt: at(5000),
        sentPotentialAt: at(5000),
        dirty: true,
      }));
      const limits = { updatesPerMessageMax: 1 };
      const rig = new Rig({ profile, poolSize: 40, bindings, limits }).start().link({ maxUnacked });
      rig.says('communications-interrupted');
      const allowed = profile === 'msft' ? 10 : maxUnacked;
      assert.equal(rig.endpoint.status(rig.now).unackedUpdates, allowed, profile);
      for (let i = 0; i < 10; i++) {
        rig.answer();
        assert.ok(rig.endpoint.status(rig.now).unackedUpdates <= allowed);
      }
      rig.step({ kind: 'disconnected', why: 'cut' });
      rig.link({ maxUnacked }).says('communications-interrupted');
      assert.equal(rig.endpoint.status(rig.now).unackedUpdates, allowed);
    }
});

test('with a full window everything else is acted on [1.10 always-read] [D 8.5 accepted]', () => {
  const rig = new Rig({ bindings: everyBinding() ?? [], limits: { updatesPerMessageMax: 1 } }).start().link({ maxUnacked: 1 });
  rig.says('communications-interrupted');
  assert.equal(rig.endpoint.status(rig.now).unackedUpdates, 1);
  assert.equal(rig.told({ address: address(FIRST + 7), state: 'free' }), 'accept');
  rig.hear({ kind: 'updreq', xid: 77 });
  rig.says('recover');
  assert.equal(rig.state, 'communications-interrupted');
  rig.answerAll();
  assert.equal(rig.last('upddone')?.xid, 77);
});

test('a batch takes one place in the window [1.10 batch]', () => {
  const rig = new Rig({ poolSize: 40, bindings: everyBinding() ?? [] }).start().link({ maxUnacked: 1 });
  rig.says('communications-interrupted');
  assert.equal(rig.all('bndupd').length, 1);
  assert.ok(rig.last('bndupd')!.updates.length > 5);
});

test('answers that come late, or never within a minute, are no trouble before that [1.10 lazy-answers]', () => {
  const rig = new Rig({ profile: 'isc', bindings: everyBinding() ?? [] }).into('normal');
  rig.waitInContact(50);
  assert.equal(rig.state, 'normal');
  rig.answerAll();
  assert.equal(rig.endpoint.status(rig.now).unackedUpdates, 0);
});

/* 1.11 */

test('the difference is measured on every message, and reported once above 5 s [1.11 every-message] [1.11 alarm]', () => {
  const rig = new Rig().into('normal');
  for (const [skew, alarms] of [
    [5, 0],
    [6, 1],
    [7, 0],
    [2, 0],
    [-6, 1],
  ] as const) {
    rig.partnerSkewSec = skew;
    const effects = rig.hear({ kind: 'contact' });
    assert.equal(eventsOf(effects).filter((code) => code === 'failover/time-skew').length, alarms, `${skew} s`);
    assert.equal(rig.endpoint.status(rig.now).skewSec, Math.abs(skew));
  }
});

test('received times are kept as they came [1.11 never-rewritten]', () => {
  for (const profile of PROFILES) {
    const rig = new Rig({ profile, poolSize: 1 }).into('communications-interrupted');
    rig.says('paused');
    rig.partnerSkewSec = 30;
    assert.equal(rig.told(active()), 'accept');
    const { leaseEndAt, recvPotentialAt, lastTransactionAt } = rig.find();
    assert.deepEqual([leaseEndAt, recvPotentialAt, lastTransactionAt], [at(500), at(900), at(100)], profile);
  }
});

test('the allowance is 5 s, 60 s toward others, or the greatest difference, also after a restart [1.11 allowance]', () => {
  for (const [profile, least] of [
    ['twinlease', 5],
    ['isc', 60],
    ['draft', 60],
    ['msft', 60],
  ] as const) {
    const record = { state: 'partner-down', partnerDownAt: at(0) } as const;
    const rig = new Rig({ profile, record }).start().wait(60);
    assert.equal(rig.endpoint.rights.partnersUsableAt(rig.now), WALL + 60 + least, profile);
    const skewed = new Rig({ profile, record: { ...record, skewSec: 77 as Sec } }).start().wait(60);
    assert.equal(skewed.endpoint.rights.partnersUsableAt(skewed.now), WALL + 60 + 77, profile);
  }
});

/* 1.13 */

test('xids are unique per connection and begin anew on the next [1.13 unique] [1.13 across-connections] [D 6.1 unique-xid]', () => {
  const rig = new Rig({ bindings: everyBinding() ?? [] }).into('normal');
  rig.waitInContact(10);
  const own = rig.sent.filter((message) => !['bndack', 'poolresp', 'upddone', 'connectack'].includes(message.kind));
  const xids = own.map((message) => message.xid);
  assert.equal(new Set(xids).size, xids.length);
  const old = rig.last('bndupd')!;
  rig.step({ kind: 'disconnected', why: 'cut' });
  rig.quiet().link();
  assert.equal(rig.last('connect')?.xid, 1);
  const before = rig.endpoint.record();
  rig.hear({ kind: 'bndack', xid: old.xid + 5000, answers: [{ address: address(FIRST) }] });
  assert.deepEqual(rig.endpoint.record(), before);
  assert.equal(rig.find(FIRST + 1).dirty, true, 'an answer of an earlier connection agrees to nothing');
});

test('an answer has the xid of what it answers [1.13 copied] [D 7.2.1 xid] [D 7.7 xid] [D 7.5 xid]', () => {
  const rig = new Rig({ role: 'secondary' }).start();
  rig.step({ kind: 'connected', dialled: false });
  const connect = { relationshipName: 'pair', maxUnacked: 9, receiveTimerSec: 9, protocolVersion: 1, mcltSec: 60, hashBuckets: new Uint8Array(32) };
  rig.hear({ kind: 'connect', xid: 9001, ...connect });
  assert.equal(rig.last('connectack')?.xid, 9001);
  rig.says('communications-interrupted');
  rig.hear({ kind: 'poolreq', xid: 9002 });
  assert.equal(rig.last('poolresp')?.xid, 9002);
  rig.hear({ kind: 'bndupd', xid: 9003, updates: [{ address: address(FIRST), state: 'free' }] });
  assert.equal(rig.last('bndack')?.xid, 9003);
  rig.hear({ kind: 'updreq', xid: 9004 });
  assert.equal(rig.last('upddone')?.xid, 9004);
});

test('UPDDONE answers the latest request only [1.13 latest-request]', () => {
  const rig = new Rig({ bindings: everyBinding() ?? [], limits: { updatesPerMessageMax: 1 } }).into('normal');
  rig.hear({ kind: 'updreqall', xid: 501 });
  rig.hear({ kind: 'updreqall', xid: 502 });
  rig.answerAll();
  assert.deepEqual(rig.all('upddone').map((message) => message.xid), [502]);
});

/* 1.14, 3 */

test('updates in one BNDUPD: one toward dhcpd and Windows [1.14 batch/isc] [1.14 batch/msft] [3.8 5]', () => {
  for (const profile of ['isc', 'msft'] as const)
    for (const { sent } of SAID.get(profile)!)
      for (const message of sent) if (message.kind === 'bndupd') assert.equal(message.updates.length, 1, profile);
});

test('POOLREQ: the draft’s secondary asks, dhcpd is answered, Windows hears and is told nothing of it [1.14 poolreq/draft] [1.14 poolreq/isc] [1.14 poolreq/msft] [3.7 poolreq-dropped] [3.8 4]', () => {
  const asks = (profile: WireProfile, role: 'primary' | 'secondary'): Rig =>
    new Rig({ profile, role, owner: role === 'primary' ? 'backup' : 'free', record: { state: 'communications-interrupted' } }).into('communications-interrupted');
  for (const role of ROLES) {
    const draft = asks('draft', role);
    draft.says('communications-interrupted');
    assert.equal(draft.all('poolreq').length > 0, role === 'secondary', `draft ${role}`);
    const windows = asks('msft', role);
    windows.says('communications-interrupted');
    assert.equal(windows.all('poolreq').length, 0);
    assert.deepEqual(sentOf(windows.hear({ kind: 'poolreq' })).filter((message) => message.kind === 'poolresp'), []);
    const isc = asks('isc', role);
    isc.says('communications-interrupted');
    assert.ok(kindsOf(isc.hear({ kind: 'poolreq' })).includes('poolresp'), `isc ${role}`);
  }
});

test('DISCONNECT toward the draft and dhcpd, none toward Windows; one received is obeyed [1.14 disconnect/draft] [1.14 disconnect/isc] [1.14 disconnect/msft] [3.7 no-disconnect]', () => {
  for (const profile of ['draft', 'isc', 'msft'] as const) {
    const rig = new Rig({ profile }).into('normal');
    rig.quiet().wait(rig.limits.receiveTimerSec + 1);
    assert.equal(rig.all('disconnect').length, profile === 'msft' ? 0 : 1, profile);
    assert.ok(isClosed(rig.effects));
    const other = new Rig({ profile }).into('normal');
    assert.ok(isClosed(other.hear({ kind: 'disconnect', rejectReason: 'other' })));
  }
});

test('answers to a batch are understood in any order; ours are in the order of the updates [1.14 bndack/draft] [1.14 bndack/msft] [3.5 same-order] [3.5 16-updates] [D 6.3 all-answered] [D 7.2 batch]', () => {
  const rig = new Rig({ profile: 'draft', limits: { updatesPerMessageMax: 8 }, poolSize: 8 }).into('normal');
  const gifts = rig.last('bndupd')!;
  assert.ok(gifts.updates.length > 2);
  rig.hear({ kind: 'bndack', xid: gifts.xid, answers: [...gifts.updates].reverse().map((one) => ({ address: one.address })) });
  for (const { address: given } of gifts.updates) assert.equal(rig.table.find(given)?.dirty, false);
  const windows = new Rig({ profile: 'msft', role: 'secondary', poolSize: 16 }).into('normal');
  const updates = Array.from({ length: 15 }, (_, i) => ({ address: address(FIRST + 15 - i), state: 'free' as const }));
  const unreadable = [{ index: 3, address: address(99), rejectReason: 'unknown', message: 'bad' }];
  windows.hear({ kind: 'bndupd', updates, unreadable });
  const expected = updates.map((one) => one.address);
  expected.splice(3, 0, address(99));
  assert.deepEqual(windows.last('bndack')?.answers.map((answer) => answer.address), expected);
});

test('dhcpd: exactly one answer per update, with its xid [1.14 bndack/isc]', () => {
  const rig = new Rig({ profile: 'isc', role: 'secondary', poolSize: 8 }).into('normal');
  rig.quiet();
  for (let i = 0; i < 5; i++) rig.hear({ kind: 'bndupd', xid: 700 + i, updates: [{ address: address(FIRST + i), state: 'free' }] });
  assert.deepEqual(rig.all('bndack').map((message) => [message.xid, message.answers.length]), [0, 1, 2, 3, 4].map((i) => [700 + i, 1]));
});

test('Windows’s MCLT and hash buckets are not used [1.14 hba-polarity/msft] [3.1 not-used] [3.8 6]', () => {
  const rig = new Rig({ profile: 'msft', role: 'secondary', config: { percentage: 25 } }).start();
  rig.link({ mcltSec: 7, hashBuckets: new Uint8Array(32).fill(0xff) });
  rig.says('communications-interrupted');
  assert.equal(rig.endpoint.rights.grantSec(rig.now, 5000 as Sec, undefined), 60);
  rig.told({ address: address(FIRST), state: 'backup' });
  const mine = Array.from({ length: 256 }, (_, bucket) => bucket).filter(
    (bucket) => rig.endpoint.rights.answers(rig.now, { scopeId: rig.config.scopeIds[0]!, bucket, secs: 0, unansweredMs: 0 }).yes,
  );
  assert.equal(mine.length, 192);
});

test('Windows asks for named scopes: all of them and nothing else, then UPDDONE [3.7 updreq]', () => {
  const rig = new Rig({ profile: 'msft', poolSize: 6 }).into('normal');
  rig.answerAll();
  rig.quiet().hear({ kind: 'updreq', xid: 88, scopeIds: [...rig.config.scopeIds] });
  rig.answerAll();
  const told = new Set(rig.all('bndupd').flatMap((message) => message.updates.map((update) => update.address)));
  assert.equal(told.size, 6);
  assert.equal(rig.last('upddone')?.xid, 88);
  rig.quiet().hear({ kind: 'updreq', xid: 89, scopeIds: [0x01020300 as Ip4] });
  assert.equal(rig.last('upddone')?.xid, 89);
  assert.equal(rig.all('bndupd').length, 0);
});

test('with Windows as secondary we move addresses every 5 min without being asked [3.7 ownership] [3.8 3]', () => {
  const rig = new Rig({ profile: 'msft', poolSize: 20 }).into('normal');
  rig.answerAll();
  assert.equal(rig.table.counts(rig.config.scopeIds[0]!).backup, 10);
  for (let i = 0; i < 8; i++) rig.told({ address: address(FIRST + 19 - i), state: 'free' });
  for (let offset = FIRST; offset < FIRST + 20; offset++)
    if (rig.find(offset).state === 'backup') rig.told({ ...active(), address: address(offset) });
  rig.quiet();
  rig.waitInContact(299);
  const early = rig.all('bndupd').flatMap((message) => message.updates).filter((update) => update.state === 'backup').length;
  rig.waitInContact(2);
  const moved = rig.all('bndupd').flatMap((message) => message.updates).filter((update) => update.state === 'backup').length;
  assert.ok(moved > early, `${early} then ${moved}`);
});

test('Windows never hears PAUSED or SHUTDOWN [3.7 passing-states]', () => {
  for (const kind of ['pause', 'shutdown'] as const) {
    const rig = new Rig({ profile: 'msft' }).into('normal');
    rig.quiet().command({ kind });
    assert.deepEqual(rig.all('state'), []);
    assert.ok(isClosed(rig.effects));
  }
});

test('Windows’s clock more than 60 s away on any message ends the connection [3.7 clock]', () => {
  for (const kind of ['contact', 'upddone', 'bndupd'] as const) {
    const rig = new Rig({ profile: 'msft', role: 'secondary' }).into('normal');
    rig.partnerSkewSec = 61;
    assert.ok(isClosed(rig.hear({ kind, ...(kind === 'bndupd' ? { updates: [] } : {}) })), kind);
  }
});

test('the relationship with Windows is known by its exact name and the role [3.1 name]', () => {
  const config: Partial<EndpointConfig> = { name: 'Büro-1' };
  const rig = new Rig({ profile: 'msft', role: 'secondary', config }).start().link({ relationshipName: 'Büro-1' });
  assert.equal(rig.last('connectack')?.rejectReason, undefined);
  const other = new Rig({ profile: 'msft', role: 'secondary', config }).start().link({ relationshipName: 'Büro-2' });
  assert.equal(other.last('connectack')?.rejectReason, 'invalid-partner');
});

