/** Specification 1.4, 1.6, 3.5: which message has which option, over everything that the real endpoint says in every dialect. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  BindingState,
  BindingUpdate,
  MessageKind,
  OutMessage,
  WireProfile,
} from '../../../src/wire/failover/messages.ts';
import type { Ip4 } from '../../../src/wire/units.ts';
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
import { at, SAID } from './clauses-fixtures.ts';
import { address, CLIENT, eventsOf, FIRST, isClosed, optionCodes, Rig, WALL } from './rig.ts';

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
        const reason =
          tlsRequest === 2 ? 'tls-not-configured' : relationshipName === 'other' ? 'invalid-partner' : undefined;
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
    const rig = new Rig({ profile })
      .start()
      .link({ rejectReason: 'hba-conflict', message: 'invalid HBA', tlsReply: 0 });
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
  const nothing = {
    relationshipName: undefined,
    maxUnacked: undefined,
    receiveTimerSec: undefined,
    vendorClass: undefined,
  };
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
      for (const message of sent) if (message.kind === 'state') assert.notEqual(message.serverState, 'startup');
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
      const said = rig.told({ state, leaseEndAt: at(WALL + 5), potentialEndAt: at(WALL + 5) });
      assert.equal(said === 'missing-binding-information', needs, `${profile} ${state}: ${said}`);
    }
});

test('ACTIVE without the end of the lease: reject 3; without potential expiration the end counts [1.6 missing/BNDUPD/13] [1.6 missing/BNDUPD/18]', () => {
  const rig = new Rig().into('normal');
  const lease = {
    address: address(FIRST + 7),
    state: 'active',
    hardware: CLIENT,
    lastTransactionAt: at(WALL + 0),
  } as const;
  assert.equal(rig.told({ ...lease, potentialEndAt: at(WALL + 900) }), 'missing-binding-information');
  assert.equal(rig.told({ ...lease, leaseEndAt: at(WALL + 600) }), 'accept');
  assert.equal(rig.find(FIRST + 7).recvPotentialAt, at(WALL + 600));
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
          (profile === 'isc' && (code === 13 || code === 18)) ||
          (profile === 'twinlease' && code === 18 && column === 'ABANDONED');
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
  const number = {
    poolreq: 1,
    poolresp: 2,
    bndupd: 3,
    bndack: 4,
    connect: 5,
    connectack: 6,
    updreqall: 7,
    upddone: 8,
    updreq: 9,
    state: 10,
    contact: 11,
    disconnect: 12,
  }[kind];
  test(`${kind.toUpperCase()}: who says it, and what it is answered with [1.4 ${number} ${kind.toUpperCase()}]`, () => {
    for (const profile of PROFILES) {
      const roles = SAID.get(profile)!
        .filter(({ sent }) => sent.some((message) => message.kind === kind))
        .map(({ rig }) => rig.role);
      const isFree = kind === 'poolreq' || kind === 'poolresp';
      if (sender !== 'either' && (profile === 'draft' ? kind !== 'poolresp' : !isFree))
        assert.ok(
          roles.every((role) => role === sender),
          `${profile}: only by the ${sender}`,
        );
      if (profile === 'twinlease' && kind !== 'poolreq') assert.ok(roles.length > 0, 'it is said at all');
      if (sender === 'either' && profile === 'twinlease')
        for (const role of ROLES) assert.ok(roles.includes(role), `by the ${role}`);
    }
    if (answer === undefined || kind === 'connect') return;
    const rig = new Rig().into('normal').quiet();
    rig.hear({
      kind,
      xid: 4242,
      ...(kind === 'bndupd' ? { updates: [{ address: address(FIRST + 7), state: 'free' }] } : {}),
    });
    rig.answerAll();
    assert.equal(rig.last(answer)?.xid, 4242);
  });
}
