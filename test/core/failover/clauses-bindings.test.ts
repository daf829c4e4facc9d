/** Specification 5.1 to 5.4: binding states, duels and acceptance, against the real endpoint. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Binding } from '../../../src/core/bindings/binding.ts';
import type { BindingState, BindingUpdate, RejectReason } from '../../../src/wire/failover/messages.ts';
import type { EpochSec, Ip4 } from '../../../src/wire/units.ts';
import { ACCEPTANCE_CELLS, isAsideAgainstLease } from '../../clauses/bindings.ts';
import { PROFILES, ROLES } from '../../clauses/parties.ts';
import { differences, Pair, SCOPE, SIDES } from './pair.ts';
import { address, CLIENT, eventsOf, FIRST, isClosed, kindsOf, OTHER_CLIENT, Rig, type RigOptions, sentOf, WALL } from './rig.ts';

const OLD: RejectReason = 'outdated-binding-information';
const LESS: RejectReason = 'less-critical-binding-information';
/** Moment of the client's last word and of the start of the state here. */
const KNOWN = WALL - 100;
const at = (time: number): EpochSec => time as EpochSec;

/** A lease that runs on, agreed with the partner, in whatever status. */
function ours(state: BindingState, change: Partial<Binding> = {}): Partial<Binding> {
  return {
    address: address(FIRST),
    state,
    hardware: state === 'abandoned' ? undefined : CLIENT,
    leaseEndAt: at(WALL + 500),
    lastTransactionAt: at(KNOWN),
    stateSinceAt: at(KNOWN),
    told: true,
    ...change,
  };
}

function theirs(state: BindingState, change: Partial<BindingUpdate> = {}): BindingUpdate {
  return {
    address: address(FIRST),
    state,
    hardware: state === 'abandoned' ? undefined : CLIENT,
    leaseEndAt: state === 'active' ? at(WALL + 600) : undefined,
    potentialEndAt: state === 'active' ? at(WALL + 900) : undefined,
    stateSinceAt: at(KNOWN),
    lastTransactionAt: at(KNOWN),
    ...change,
  };
}

/** In contact with a partner that changes nothing by itself, so that no gift is under way. */
function calm(bindings: readonly Partial<Binding>[], options: RigOptions = {}): Rig {
  const rig = new Rig({ ...options, bindings, record: { state: 'communications-interrupted' } });
  rig.into('communications-interrupted').says('paused');
  return rig.quiet();
}

/* 5.4, the table */

for (const { id, ours: mine, theirs: told, how } of ACCEPTANCE_CELLS)
  test(`ours ${mine.toUpperCase()}, told ${told.toUpperCase()}: ${how} [${id}]`, () => {
    for (const role of ROLES) {
      const say = (change: Partial<BindingUpdate>, own: Partial<Binding> = {}): string =>
        calm([ours(mine, own)], { role, profile: 'draft' }).told(theirs(told, change));
      const older = { lastTransactionAt: at(KNOWN - 1), stateSinceAt: at(KNOWN - 1) };
      switch (how) {
        case 'accept':
          assert.equal(say({}), 'accept', role);
          assert.equal(say(older), 'accept', role);
          break;
        case 'reject 16':
          assert.equal(say({}), LESS, role);
          assert.equal(say({ lastTransactionAt: at(WALL) }), LESS, role);
          break;
        case 'same client':
          assert.equal(say(older), 'accept', role);
          assert.equal(say({ hardware: OTHER_CLIENT }), role === 'primary' ? 'fatal-conflict' : 'accept', role);
          break;
        case 't1':
        case 't3':
          assert.equal(say(older), OLD, role);
          assert.equal(say({}), 'accept', role);
          break;
        case 't2': {
          assert.equal(say({}), OLD, role);
          for (const [late, verdict] of [
            [2, OLD],
            [3, 'accept'],
          ] as const) {
            const rig = calm([ours(mine)], { role, profile: 'draft' });
            rig.nowMs = (500 + late) * 1000;
            assert.equal(rig.told(theirs(told)), verdict, `${role}: ${late} s after the end`);
          }
          break;
        }
        default:
          how satisfies never;
      }
    }
    if (!isAsideAgainstLease(mine, told)) return;
    // Between our own servers: whoever knows more, on both sides the same.
    const said = (time: number): string =>
      calm([ours(mine)]).told(theirs(told, { lastTransactionAt: at(time), stateSinceAt: at(time) }));
    assert.equal(said(KNOWN - 1), OLD);
    assert.equal(said(KNOWN), mine === 'active' ? 'accept' : OLD);
    assert.equal(said(KNOWN + 1), 'accept');
  });

/* 5.4, order */

const FAULTS: readonly (readonly [name: string, change: Partial<BindingUpdate>, reason: RejectReason])[] = [
  ['1', { hardware: undefined }, 'missing-binding-information'],
  ['2', { address: 1 as Ip4 }, 'illegal-ip-address'],
  ['3', { hardware: Uint8Array.of(0, 1, 2) }, 'unknown'],
];
for (const [name, change, reason] of FAULTS)
  test(`test ${name}: ${reason} [5.4 order/${name}]`, () => {
    for (const profile of PROFILES) assert.equal(calm([], { profile }).told(theirs('active', change)), reason, profile);
  });

test('test 4: BACKUP of a reservation that is not here: 19; with it accepted [5.4 order/4] [5.3 reserved/rejected]', () => {
  for (const profile of ['twinlease', 'draft', 'isc'] as const) {
    const backup = { address: address(FIRST), state: 'backup', ipFlags: 1 } as const;
    assert.equal(calm([], { profile }).told(backup), 'ip-not-reserved', profile);
    assert.equal(calm([], { profile, reserved: [FIRST] }).told(backup), 'accept', profile);
  }
});

test('test 5 and 6: with an update of ours under way the duel decides, without one the table [5.4 order/5] [5.4 order/6]', () => {
  const lease = ours('active', { dirty: true });
  const duelling = new Rig({ profile: 'draft', poolSize: 1, bindings: [lease] }).into('normal');
  assert.equal(duelling.told(theirs('expired')), LESS);
  assert.equal(calm([lease], { profile: 'draft' }).told(theirs('expired')), OLD);
});

test('test 7: a client with two addresses keeps both until they end [5.4 order/7]', () => {
  const rig = calm([ours('active')]);
  assert.equal(rig.told(theirs('active', { address: address(FIRST + 1) })), 'accept');
  assert.equal(rig.find(FIRST).state, 'active');
  assert.equal(rig.find(FIRST + 1).state, 'active');
});

test('of several faults the first of the order is told [5.4 order]', () => {
  for (let first = 0; first < FAULTS.length; first++) {
    const change = Object.assign({}, ...FAULTS.slice(first).map(([, one]) => one));
    // A missing client hides a malformed one; the address comes before it.
    const hidden = first === 0 ? { ...change, hardware: undefined } : change;
    assert.equal(calm([]).told(theirs('active', hidden)), FAULTS[first]![2]);
  }
});

/* 5.4, tests and adjustments */

test('t1 to the second, in each cell that has it [5.4 t1/boundary]', () => {
  for (const { ours: mine, theirs: told, how } of ACCEPTANCE_CELLS) {
    if (how !== 't1') continue;
    const say = (time: number): string =>
      calm([ours(mine)], { profile: 'draft' }).told(theirs(told, { lastTransactionAt: at(time) }));
    assert.deepEqual([say(KNOWN - 1), say(KNOWN), say(KNOWN + 1)], [OLD, 'accept', 'accept'], `${mine} ${told}`);
  }
});

test('t2 to the second: 2 s after the end it is too early, 3 s after not [5.4 t2/boundary]', () => {
  for (const profile of ['twinlease', 'draft', 'msft'] as const) {
    const rig = calm([ours('active', { leaseEndAt: at(WALL + 60) })], { profile, role: 'secondary' });
    rig.nowMs = 62_999;
    assert.equal(rig.told(theirs('expired')), OLD, profile);
    rig.nowMs = 63_000;
    assert.equal(rig.told(theirs('expired')), 'accept', profile);
  }
});

test('t3 to the second [5.4 t3/boundary]', () => {
  const say = (time: number): string =>
    calm([ours('reset')], { profile: 'draft' }).told(theirs('active', { lastTransactionAt: at(time) }));
  assert.deepEqual([say(KNOWN - 1), say(KNOWN), say(KNOWN + 1)], [OLD, 'accept', 'accept']);
});

test('a missing last transaction is made up from what is there [5.4 cltt-missing] [D 7.1.3 missing-not-later]', () => {
  const bare = { lastTransactionAt: undefined };
  const draft = (own: Partial<Binding>, update: BindingUpdate, sentAt?: number): string =>
    calm([own], { profile: 'draft' }).told(update, sentAt);
  // RELEASED: the end of the lease.
  assert.equal(draft(ours('active'), theirs('released', { ...bare, leaseEndAt: at(KNOWN) })), 'accept');
  assert.equal(draft(ours('active'), theirs('released', { ...bare, leaseEndAt: at(KNOWN - 1) })), OLD);
  // Else: the start of the state.
  assert.equal(draft(ours('expired'), theirs('active', { ...bare, stateSinceAt: at(KNOWN) })), 'accept');
  assert.equal(draft(ours('expired'), theirs('active', { ...bare, stateSinceAt: at(KNOWN - 1) })), OLD);
  assert.equal(draft(ours('expired'), theirs('active', { ...bare, stateSinceAt: undefined })), OLD, 'nothing is never later');
  // ABANDONED and RESET: the header, seen in a duel.
  for (const state of ['reset', 'abandoned'] as const) {
    const duel = (sentAt: number): string => {
      const rig = new Rig({ profile: 'draft', poolSize: 1, bindings: [ours('active', { dirty: true })] }).into('normal');
      return rig.told(theirs(state, { ...bare, stateSinceAt: undefined }), sentAt);
    };
    assert.equal(duel(WALL), 'accept', state);
  }
});

test('ours missing, whatever comes is later [5.4 cltt-ours-missing] [D 7.1.3 ours-missing]', () => {
  for (const { ours: mine, theirs: told, how } of ACCEPTANCE_CELLS) {
    if (how !== 't1') continue;
    const own = ours(mine, { lastTransactionAt: at(0), stateSinceAt: at(0) });
    assert.equal(calm([own], { profile: 'draft' }).told(theirs(told, { lastTransactionAt: at(1) })), 'accept');
  }
});

test('of dhcpd’s RELEASED the end counts when it is later than the last transaction [5.4 cltt-isc-released]', () => {
  const release = theirs('released', { lastTransactionAt: at(KNOWN - 300), leaseEndAt: at(KNOWN + 10) });
  assert.equal(calm([ours('active')], { profile: 'isc' }).told(release), 'accept');
  assert.equal(calm([ours('active')], { profile: 'draft' }).told(release), OLD);
});

test('same client: the later end, or that of the later transaction; and the greatest potential end [5.4 same-client-merge]', () => {
  const own = ours('active', { leaseEndAt: at(WALL + 500), recvPotentialAt: at(WALL + 950) });
  for (const [time, end, expected] of [
    [KNOWN - 10, WALL + 700, WALL + 700],
    [KNOWN - 10, WALL + 300, WALL + 500],
    [KNOWN + 10, WALL + 300, WALL + 300],
    [KNOWN + 10, WALL + 700, WALL + 700],
  ] as const) {
    const rig = calm([own], { profile: 'draft' });
    assert.equal(rig.told(theirs('active', { lastTransactionAt: at(time), leaseEndAt: at(end) })), 'accept');
    assert.equal(rig.find().leaseEndAt, expected);
    assert.equal(rig.find().recvPotentialAt, WALL + 950);
  }
});

test('a repetition is accepted and changes nothing [5.4 idempotent]', () => {
  for (const profile of PROFILES)
    for (const state of ['active', 'expired', 'released', 'free', 'backup', 'reset', 'abandoned'] as const) {
      const rig = calm([], { profile });
      const update = theirs(state);
      assert.equal(rig.told(update), 'accept', `${profile} ${state}`);
      const once = rig.find();
      assert.equal(rig.told(update), 'accept', `${profile} ${state} again`);
      assert.deepEqual(rig.find(), once);
    }
});

test('FREE and BACKUP over a lease of ours that is over are taken [5.4 free-over-lease]', () => {
  for (const state of ['free', 'backup'] as const) {
    const rig = calm([ours('active', { leaseEndAt: at(WALL - 10) })], { profile: 'draft', role: 'secondary' });
    assert.equal(rig.told(theirs(state, { hardware: undefined })), 'accept');
    assert.equal(rig.find().state, state);
    assert.equal(rig.find().leaseEndAt, 0);
  }
});

test('Windows’s IP-flags 0x4: completeness is not asked for [5.4 msft-0x4] [3.5 flag-0x4]', () => {
  const bare = { hardware: undefined, leaseEndAt: undefined, lastTransactionAt: undefined } as const;
  for (const state of ['expired', 'released'] as const) {
    assert.equal(calm([], { profile: 'msft' }).told(theirs(state, bare)), 'missing-binding-information', state);
    assert.equal(calm([], { profile: 'msft' }).told(theirs(state, { ...bare, vendorFlags: 0x4 })), 'accept', state);
  }
});

test('ownership updates of a reservation from Windows: 15 [5.4 msft-reserved]', () => {
  for (const state of ['free', 'backup'] as const) {
    const update = { address: address(FIRST), state } as const;
    assert.equal(calm([], { profile: 'msft', reserved: [FIRST] }).told(update), OLD, state);
    assert.equal(calm([], { profile: 'msft' }).told(update), 'accept', state);
  }
});

test('EXPIRED, RELEASED and RESET are stored as FREE with the last client and without times [5.4 accepted/free] [5.4 accepted/times] [5.2 transitory/free-receiver]', () => {
  for (const state of ['expired', 'released', 'reset'] as const)
    for (const role of ROLES) {
      const lease = ours('active', {
        leaseEndAt: at(WALL - 50),
        sentPotentialAt: at(WALL),
        ackedPotentialAt: at(WALL),
        recvPotentialAt: at(WALL),
        ownedAs: 'backup',
      });
      const rig = calm([lease], { role });
      assert.equal(rig.told(theirs(state)), 'accept');
      const { state: now, hardware, leaseEndAt, sentPotentialAt, ackedPotentialAt, recvPotentialAt, ownedAs } = rig.find();
      assert.equal(now, 'free', `${state}: the primary’s, whoever had leased it`);
      assert.equal(ownedAs, 'free');
      assert.deepEqual(hardware, CLIENT);
      assert.deepEqual([leaseEndAt, sentPotentialAt, ackedPotentialAt, recvPotentialAt], [0, 0, 0, 0]);
    }
});

test('an accepted update is saved before its answer [5.4 accepted/durable] [6.3 received] [D 5.2.1 stable-before-bndack]', () => {
  const rig = calm([]);
  const effects = rig.hear({ kind: 'bndupd', updates: [theirs('active')] });
  const saved = effects.findIndex((effect) => effect.kind === 'save-binding' && effect.address === address(FIRST));
  const answered = effects.findIndex((effect) => effect.kind === 'send' && effect.message.kind === 'bndack');
  assert.ok(saved >= 0 && answered > saved);
});

test('what is only applied causes no update of ours [5.4 accepted/quiet] [D 5.5 no-echo]', () => {
  for (const profile of PROFILES) {
    const rig = new Rig({ profile, role: 'secondary', poolSize: 8 }).into('normal').answerAll().quiet();
    for (const state of ['active', 'released', 'backup', 'free', 'abandoned', 'reset'] as const) rig.told(theirs(state));
    rig.waitInContact(5);
    assert.deepEqual(rig.all('bndupd'), [], profile);
    assert.equal(rig.find().dirty, false);
  }
});

/* 5.4, a reject received */

function rejectedLease(reason: RejectReason, options: RigOptions = {}): Rig {
  const rig = new Rig({ poolSize: 1, bindings: [ours('active', { dirty: true, sentPotentialAt: at(WALL + 900) })], ...options });
  rig.into('normal').answerAll(reason);
  return rig.quiet();
}

test('15 and 16: ours is kept and compared again after 30 s, not at once [5.4 rejected/15-16] [D 7.2.2 no-immediate-resend] [D 7.2.1 no-ping-pong]', () => {
  for (const reason of [OLD, LESS]) {
    const rig = rejectedLease(reason);
    rig.waitInContact(29);
    assert.deepEqual(rig.all('bndupd'), []);
    assert.equal(rig.find().state, 'active');
    rig.waitInContact(2);
    assert.equal(rig.all('bndupd').length, 1);
    const heard = rejectedLease(reason, { role: 'secondary' });
    assert.equal(heard.told(theirs('released', { lastTransactionAt: at(WALL) })), 'accept', 'the partner’s update counts');
    heard.waitInContact(60);
    assert.deepEqual(heard.all('bndupd'), []);
  }
});

test('2: an alarm; the secondary takes the primary’s data when they come [5.4 rejected/2]', () => {
  const rig = new Rig({ role: 'secondary', poolSize: 1, bindings: [ours('active', { dirty: true })] }).into('normal');
  rig.answerAll('fatal-conflict');
  assert.ok(eventsOf(rig.effects).includes('failover/update-rejected'));
  assert.equal(rig.told(theirs('active', { hardware: OTHER_CLIENT })), 'accept');
  assert.deepEqual(rig.find().hardware, OTHER_CLIENT);
  assert.equal(rig.find().dirty, false);
});

test('1: an alarm, and silence for the address until the configuration changes [5.4 rejected/1]', () => {
  const rig = rejectedLease('illegal-ip-address');
  rig.waitInContact(200);
  assert.deepEqual(rig.all('bndupd'), []);
  rig.step({ kind: 'reconfigured', config: rig.config, newScopeIds: [] });
  rig.step({ kind: 'binding-changed', address: address(FIRST) });
  assert.equal(rig.all('bndupd').length, 1);
});

test('3 and 6: an alarm, and no repetition [5.4 rejected/3-6]', () => {
  for (const reason of ['missing-binding-information', 'unknown'] as const) {
    const rig = new Rig({ poolSize: 1, bindings: [ours('active', { dirty: true })] }).into('normal');
    rig.answerAll(reason);
    assert.ok(eventsOf(rig.effects).includes('failover/update-rejected'));
    rig.quiet().waitInContact(100);
    assert.deepEqual(rig.all('bndupd'), []);
  }
});

test('19 for a gift: an alarm, and the address stays the giver’s [5.4 rejected/19]', () => {
  const rig = new Rig({ poolSize: 2 }).into('normal');
  const [gift] = rig.unanswered;
  assert.equal(gift?.state, 'backup');
  rig.answerAll('ip-not-reserved');
  assert.ok(eventsOf(rig.effects).includes('failover/update-rejected'));
  assert.equal(rig.table.find(gift!.address)?.state, 'free');
});

/* 5.2, duels */

/** Our update for the address, in this status, is under way. */
function duelling(mine: Partial<Binding>, options: RigOptions = {}): Rig {
  const rig = new Rig({ poolSize: 1, bindings: [{ ...mine, dirty: true }], ...options }).into('normal');
  assert.ok(rig.unanswered.some((update) => update.address === address(FIRST)), 'ours is under way');
  return rig.quiet();
}
const said = (rig: Rig, update: BindingUpdate): string => rig.told(update);

test('ACTIVE against ACTIVE of the same client: both are merged [5.2 duel/ACTIVE/ACTIVE same client]', () => {
  for (const role of ROLES) {
    const rig = duelling(ours('active'), { role });
    assert.equal(said(rig, theirs('active', { lastTransactionAt: at(KNOWN + 10), leaseEndAt: at(WALL + 700) })), 'accept');
    assert.equal(rig.find().leaseEndAt, WALL + 700);
    const older = duelling(ours('active', { leaseEndAt: at(WALL + 800) }), { role });
    assert.equal(said(older, theirs('active', { lastTransactionAt: at(KNOWN - 10), leaseEndAt: at(WALL + 700) })), 'accept');
    assert.equal(older.find().leaseEndAt, WALL + 800);
  }
});

test('ACTIVE against ACTIVE of another client: the later wins, a tie is the primary’s [5.2 duel/ACTIVE/ACTIVE other client]', () => {
  for (const profile of ['twinlease', 'draft', 'isc'] as const)
    for (const role of ROLES)
      for (const [time, wins] of [
        [KNOWN - 1, true],
        [KNOWN, role === 'primary'],
        [KNOWN + 1, false],
      ] as const) {
        const rig = duelling(ours('active'), { role, profile });
        const answer = said(rig, theirs('active', { hardware: OTHER_CLIENT, lastTransactionAt: at(time) }));
        assert.equal(answer, wins ? LESS : 'accept', `${profile} ${role} ${time - KNOWN}`);
        assert.deepEqual(rig.find().hardware, wins ? CLIENT : OTHER_CLIENT);
      }
});

test('ACTIVE against what is not: 16; way only for a later end by the client or an operator, never toward dhcpd [5.2 duel/ACTIVE/not ACTIVE]', () => {
  for (const profile of ['draft', 'isc'] as const)
    for (const role of ROLES)
      for (const state of ['expired', 'released', 'reset', 'abandoned', 'free', 'backup'] as const) {
        const give = profile === 'draft' && (state === 'released' || state === 'reset' || state === 'abandoned');
        const later = theirs(state, { lastTransactionAt: at(KNOWN + 1), stateSinceAt: at(KNOWN + 1) });
        assert.equal(said(duelling(ours('active'), { role, profile }), later), give ? 'accept' : LESS, `${profile} ${state}`);
        assert.equal(said(duelling(ours('active'), { role, profile }), theirs(state)), LESS, `${state} at the same time`);
      }
});

for (const mine of ['free', 'backup'] as const)
  test(`an ownership move (${mine}) gives way to ACTIVE; against anything else the primary’s wins [5.2 duel/ownership move/ACTIVE] [5.2 duel/ownership move/not ACTIVE]`, () => {
    for (const role of ROLES)
      for (const state of ['active', 'expired', 'released', 'reset', 'abandoned', 'free', 'backup'] as const) {
        const rig = duelling(ours(mine, { leaseEndAt: at(0) }), { role, profile: 'draft' });
        const wins = state !== 'active' && role === 'primary';
        assert.equal(said(rig, theirs(state)), wins ? LESS : 'accept', `${role} ${state}`);
      }
  });

for (const mine of ['released', 'expired', 'reset'] as const)
  test(`${mine.toUpperCase()} gives way to an ACTIVE that t1 or t3 would accept; else the primary’s wins [5.2 duel/RELEASED, EXPIRED, RESET/ACTIVE] [5.2 duel/RELEASED, EXPIRED, RESET/not ACTIVE]`, () => {
    for (const role of ROLES) {
      const duel = (update: BindingUpdate): string => said(duelling(ours(mine), { role, profile: 'draft' }), update);
      if (role === 'primary' || mine !== 'reset') {
        assert.equal(duel(theirs('active', { lastTransactionAt: at(KNOWN - 1) })), LESS, role);
        assert.equal(duel(theirs('active', { lastTransactionAt: at(KNOWN) })), 'accept', role);
      }
      for (const state of ['expired', 'released', 'reset', 'abandoned', 'free', 'backup'] as const)
        assert.equal(duel(theirs(state)), role === 'primary' ? LESS : 'accept', `${role} ${state}`);
    }
  });

test('ABANDONED: 16 against ACTIVE; against anything else the primary’s wins; our own kind goes by the later knowledge [5.2 duel/ABANDONED/ACTIVE] [5.2 duel/ABANDONED/not ACTIVE]', () => {
  for (const role of ROLES) {
    const duel = (update: BindingUpdate, profile: 'draft' | 'twinlease' = 'draft'): string =>
      said(duelling(ours('abandoned', { leaseEndAt: at(0) }), { role, profile }), update);
    assert.equal(duel(theirs('active', { lastTransactionAt: at(WALL) })), LESS, role);
    assert.equal(duel(theirs('active', { lastTransactionAt: at(KNOWN + 1) }), 'twinlease'), 'accept', role);
    assert.equal(duel(theirs('active', { lastTransactionAt: at(KNOWN) }), 'twinlease'), LESS, role);
    for (const state of ['expired', 'released', 'reset', 'abandoned', 'free', 'backup'] as const)
      assert.equal(duel(theirs(state)), role === 'primary' ? LESS : 'accept', `${role} ${state}`);
  }
});

test('the winner answers 16 and keeps its own, and nothing more is sent until it is answered [5.2 duel/winner]', () => {
  const rig = duelling(ours('active'));
  const before = rig.find();
  assert.equal(said(rig, theirs('expired')), LESS);
  assert.deepEqual(rig.find(), before);
  assert.deepEqual(rig.all('bndupd'), []);
  rig.answerAll();
  assert.equal(rig.find().dirty, false);
});

test('what gave way and was accepted all the same: the present state is told once more [5.2 duel/repair] [2.14 19]', () => {
  for (const profile of ['twinlease', 'isc'] as const) {
    const rig = duelling(ours('active'), { profile });
    assert.equal(said(rig, theirs('active', { hardware: OTHER_CLIENT, lastTransactionAt: at(WALL) })), 'accept');
    rig.answer();
    const [again] = rig.unanswered;
    assert.deepEqual(again?.hardware, OTHER_CLIENT, 'the present state');
    rig.answerAll();
    assert.equal(rig.find().dirty, false);
    const rejected = duelling(ours('active'), { profile });
    said(rejected, theirs('active', { hardware: OTHER_CLIENT, lastTransactionAt: at(WALL) }));
    rejected.answerAll(LESS);
    assert.deepEqual(rejected.all('bndupd'), [], 'a reject is what the winner says: no repair');
  }
});

/* 5.1 */

test('FREE is the primary’s and BACKUP the secondary’s, outside PARTNER-DOWN nobody else’s [5.1 free] [5.1 backup] [D 9.9.2 own-addresses]', () => {
  for (const role of ROLES)
    for (const mine of ['normal', 'communications-interrupted', 'resolution-interrupted'] as const) {
      const rig = new Rig({ role, record: { state: mine } }).into(mine);
      const may = (state: BindingState): boolean =>
        rig.endpoint.rights.mayAllocate(rig.now, { ...rig.find(FIRST + 7), state });
      assert.equal(may('free'), role === 'primary', `${role} ${mine}`);
      assert.equal(may('backup'), role === 'secondary', `${role} ${mine}`);
    }
});

for (const state of ['active', 'expired', 'released', 'reset', 'abandoned'] as const)
  test(`${state.toUpperCase()} goes to nobody new outside PARTNER-DOWN [5.1 ${state}]`, () => {
    for (const role of ROLES)
      for (const mine of ['normal', 'communications-interrupted'] as const) {
        const rig = new Rig({ role, record: { state: mine } }).into(mine);
        const binding = { ...rig.find(FIRST + 7), ...ours(state, { leaseEndAt: at(1) }), address: address(FIRST + 7) } as Binding;
        assert.equal(rig.endpoint.rights.mayAllocate(rig.now, binding), false, `${role} ${mine}`);
      }
    if (state !== 'abandoned' && state !== 'active') return;
    const down = new Rig({ record: { state: 'partner-down', partnerDownAt: at(WALL - 100_000) } }).into('partner-down');
    const binding = { ...down.find(FIRST + 7), ...ours(state, { leaseEndAt: at(1) }) } as Binding;
    assert.equal(down.endpoint.rights.mayAllocate(down.now, binding), false, 'not even there');
  });

test('dirty until the partner agreed; told once an update about the client has left [5.1 bookkeeping]', () => {
  const rig = calm([]);
  rig.lease(FIRST, CLIENT, 60);
  assert.deepEqual([rig.find().dirty, rig.find().told], [true, false]);
  rig.says('communications-interrupted');
  assert.deepEqual([rig.find().dirty, rig.find().told], [true, true]);
  rig.answerAll();
  assert.equal(rig.find().dirty, false);
  rig.lease(FIRST, CLIENT, 60);
  assert.equal(rig.find().dirty, true);
});

test('the client is told with ACTIVE, EXPIRED and RELEASED, never with ABANDONED [5.1 client/active] [5.1 client/transitory] [5.1 client/abandoned]', () => {
  for (const profile of ['draft', 'isc', 'twinlease'] as const)
    for (const state of ['active', 'expired', 'released', 'abandoned'] as const) {
      const rig = duelling(ours(state), { profile });
      const update = rig.endpoint.status(rig.now).unackedUpdates;
      assert.equal(update, 1);
      const fresh = new Rig({ profile, poolSize: 1, bindings: [ours(state, { dirty: true })] }).into('normal');
      assert.equal(fresh.unanswered[0]?.hardware !== undefined, state !== 'abandoned', `${profile} ${state}`);
    }
});

/* 5.2, transitions */

for (const [owner, role] of [
  ['free', 'primary'],
  ['backup', 'secondary'],
] as const)
  test(`the ${role} leases a ${owner.toUpperCase()} address, and tells it ACTIVE [5.2 ${owner}/active]`, () => {
    const rig = new Rig({ role, owner, poolSize: 8 }).into('normal').answerAll().quiet();
    const own = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => FIRST + i).find((offset) => rig.find(offset).state === owner)!;
    rig.lease(own, CLIENT, 60);
    const [update] = rig.unanswered.slice(-1);
    assert.equal(update?.state, 'active');
    assert.equal(update?.leaseEndAt, rig.wallAt + 60);
    assert.equal(rig.find(own).ownedAs, owner);
  });

test('each renewal that changes the end is told, by either server [5.2 active/active]', () => {
  for (const role of ROLES) {
    const rig = new Rig({ role, poolSize: 1, bindings: [ours('active')] }).into('normal').answerAll().quiet();
    for (let i = 0; i < 3; i++) {
      rig.waitInContact(2);
      rig.lease(FIRST, CLIENT, 100);
      assert.equal(rig.unanswered.at(-1)?.leaseEndAt, rig.wallAt + 100, role);
      rig.answerAll();
    }
  }
});

test('who notices the end says EXPIRED; in NORMAL the secondary gives the primary 5 s [5.2 active/expired]', () => {
  for (const role of ROLES) {
    const rig = new Rig({ role, poolSize: 1, bindings: [ours('active', { leaseEndAt: at(WALL + 20) })] }).into('normal');
    rig.answerAll().quiet();
    const graceSec = role === 'primary' ? 2 : 7;
    rig.waitInContact(WALL + 20 + graceSec - 1 - rig.wallAt);
    assert.deepEqual(rig.all('bndupd'), [], role);
    rig.waitInContact(2);
    assert.equal(rig.unanswered[0]?.state, 'expired', role);
    rig.answerAll();
    assert.equal(rig.find().state, 'free');
  }
});

test('toward dhcpd in NORMAL only the primary says EXPIRED [5.2 active/expired-isc] [2.14 10]', () => {
  for (const role of ROLES) {
    const lease = ours('active', { leaseEndAt: at(WALL + 20) });
    const rig = new Rig({ role, profile: 'isc', poolSize: 1, bindings: [lease] }).into('normal').answerAll().quiet();
    rig.waitInContact(60);
    assert.equal(rig.unanswered.some((update) => update.state === 'expired'), role === 'primary', role);
    assert.equal(rig.find().state, role === 'primary' ? 'expired' : 'active');
    assert.equal(rig.endpoint.rights.mayAllocate(rig.now, rig.find()), false);
  }
});

test('a release is told as RELEASED with its moment as last transaction [5.2 active/released]', () => {
  for (const role of ROLES) {
    const rig = new Rig({ role, poolSize: 1, bindings: [ours('active')] }).into('normal').answerAll().quiet();
    rig.change({ state: 'released', lastTransactionAt: rig.wallAt, stateSinceAt: rig.wallAt });
    assert.equal(rig.unanswered[0]?.state, 'released');
    assert.equal(rig.unanswered[0]?.lastTransactionAt, rig.wallAt);
    rig.answerAll();
    assert.equal(rig.find().state, 'free', 'the primary’s');
  }
});

test('an operator’s RESET is told by either server [5.2 any/reset]', () => {
  for (const role of ROLES) {
    const rig = new Rig({ role, poolSize: 1, bindings: [ours('active')] }).into('normal').answerAll().quiet();
    rig.change({ state: 'reset', stateSinceAt: rig.wallAt });
    assert.equal(rig.unanswered[0]?.state, 'reset');
  }
});

test('toward dhcpd only the primary tells RESET; the secondary says RELEASED, which dhcpd as primary takes [5.2 any/reset-isc]', () => {
  for (const role of ROLES) {
    const rig = new Rig({ role, profile: 'isc', poolSize: 1, bindings: [ours('active')] }).into('normal').answerAll().quiet();
    rig.change({ state: 'reset', stateSinceAt: rig.wallAt });
    const told = rig.unanswered[0];
    assert.equal(told?.state, role === 'primary' ? 'reset' : 'released', role);
    if (role === 'secondary') assert.equal(told?.leaseEndAt, rig.wallAt);
    rig.answerAll();
    assert.equal(rig.find().state, 'free');
  }
});

test('ABANDONED is told without the client [5.2 any/abandoned]', () => {
  for (const profile of PROFILES) {
    const rig = new Rig({ profile, poolSize: 1, bindings: [ours('active')] }).into('normal').answerAll().quiet();
    rig.change({ state: 'abandoned', hardware: undefined, clientId: undefined, stateSinceAt: rig.wallAt });
    assert.equal(rig.unanswered[0]?.state, 'abandoned', profile);
    assert.equal(rig.unanswered[0]?.hardware, undefined);
  }
});

test('EXPIRED, RELEASED and RESET are free at the accepting answer, not before [5.2 transitory/free-sender]', () => {
  for (const state of ['expired', 'released', 'reset'] as const) {
    const rig = duelling(ours(state, { ownedAs: 'backup' }));
    assert.equal(rig.find().state, state);
    rig.answerAll();
    assert.deepEqual([rig.find().state, rig.find().ownedAs], ['free', 'free']);
  }
});

test('undo: back to its own client until the update was sent, and again once it was answered [5.2 undo]', () => {
  const rig = calm([]);
  rig.lease(FIRST, CLIENT, 1);
  rig.wait(1);
  const may = (): boolean | undefined => rig.endpoint.rights.mayRevive?.(rig.now, rig.find());
  rig.change({ state: 'released', told: true, stateSinceAt: rig.wallAt });
  assert.equal(may(), true, 'not sent yet');
  rig.says('communications-interrupted');
  assert.equal(may(), false, 'sent');
  rig.step({ kind: 'disconnected', why: 'cut' });
  assert.equal(may(), false, 'not answered');
});

test('rewind: what the partner never heard of goes back to its owner, only without contact [5.2 rewind]', () => {
  for (const [role, owner] of [
    ['primary', 'free'],
    ['secondary', 'backup'],
  ] as const) {
    const rig = new Rig({ role, owner, poolSize: 1, record: { state: 'communications-interrupted' } }).into('communications-interrupted');
    rig.step({ kind: 'disconnected', why: 'cut' });
    rig.lease(FIRST, CLIENT, 60);
    rig.change({ state: 'released', stateSinceAt: rig.wallAt });
    assert.equal(rig.find().state, owner, role);
    assert.equal(rig.find().ownedAs, owner);
    rig.lease(FIRST, CLIENT, 60);
    rig.change({ state: 'released', told: true, stateSinceAt: rig.wallAt });
    assert.equal(rig.find().state, 'released', 'the partner has heard of this one');
  }
});

test('the giver stops before the message leaves: BACKUP is saved, then sent [5.2 free/backup-giver] [5.2 ownership] [D 5.4 not-used-once-sent]', () => {
  const rig = new Rig({ poolSize: 4 });
  rig.start().link();
  const effects = rig.says('communications-interrupted');
  const sent = effects.findIndex((effect) => effect.kind === 'send' && effect.message.kind === 'bndupd');
  const gifts = rig.unanswered;
  assert.equal(gifts.length, 2);
  for (const gift of gifts) {
    assert.equal(gift.state, 'backup');
    const saved = effects.findIndex((effect) => effect.kind === 'save-binding' && effect.address === gift.address);
    assert.ok(saved >= 0 && saved < sent);
    assert.equal(rig.table.find(gift.address)?.state, 'backup');
    assert.equal(rig.endpoint.rights.mayAllocate(rig.now, rig.table.find(gift.address)!), false);
  }
});

test('the secondary has a gift once it is saved, before its answer [5.2 free/backup-taker]', () => {
  const rig = new Rig({ role: 'secondary', poolSize: 2 }).into('normal').quiet();
  const effects = rig.hear({ kind: 'bndupd', updates: [{ address: address(FIRST), state: 'backup' }] });
  const order = effects.map((effect) => (effect.kind === 'send' ? effect.message.kind : effect.kind));
  assert.ok(order.indexOf('save-binding') < order.indexOf('bndack'));
  assert.equal(rig.endpoint.rights.mayAllocate(rig.now, rig.find()), true);
});

test('the secondary gives back with FREE at the moment of sending [5.2 backup/free-giver]', () => {
  const rig = new Rig({ role: 'secondary', owner: 'backup', poolSize: 4 }).into('normal');
  const gifts = rig.unanswered.filter((update) => update.state === 'free');
  assert.equal(gifts.length, 2);
  for (const gift of gifts) assert.equal(rig.table.find(gift.address)?.state, 'free');
});

test('the primary has what is given back on acceptance [5.2 backup/free-taker]', () => {
  const rig = calm([{ address: address(FIRST), state: 'backup' }]);
  assert.equal(rig.endpoint.rights.mayAllocate(rig.now, rig.find()), false);
  assert.equal(rig.told({ state: 'free' }), 'accept');
  assert.equal(rig.endpoint.rights.mayAllocate(rig.now, rig.find()), true);
});

test('the primary takes back from Windows alone, and has the address at the accepting answer [5.2 backup/free-taken] [2.14 18]', () => {
  for (const profile of PROFILES) {
    const rig = new Rig({ profile, owner: 'backup', poolSize: 8 }).into('normal');
    const taken = rig.unanswered.filter((update) => update.state === 'free');
    assert.equal(taken.length > 0, profile === 'msft', profile);
    if (profile !== 'msft') continue;
    const first = taken[0]!.address;
    assert.equal(rig.table.find(first)?.state, 'backup', 'not before');
    rig.answerAll();
    assert.equal(rig.table.find(first)?.state, 'free');
    const refused = new Rig({ profile, owner: 'backup', poolSize: 8 }).into('normal');
    refused.answer(LESS);
    assert.equal(refused.table.counts(SCOPE).free, 0, 'a refused one stays the partner’s');
  }
});

test('a gift whose answer is lost stays given, and is sent again [5.2 ownership/lost-answer]', () => {
  const rig = new Rig({ poolSize: 2 }).into('normal');
  const [gift] = rig.unanswered;
  rig.step({ kind: 'disconnected', why: 'cut' });
  assert.equal(rig.table.find(gift!.address)?.state, 'backup');
  assert.equal(rig.endpoint.rights.mayAllocate(rig.now, rig.table.find(gift!.address)!), false);
  rig.quiet().link().says('communications-interrupted');
  assert.ok(rig.unanswered.some((update) => update.address === gift!.address && update.state === 'backup'));
});

test('a rejected gift returns to the giver; after 2, 15 and 16 the partner’s update is waited for [5.2 ownership/rejected]', () => {
  for (const [reason, state] of [
    ['illegal-ip-address', 'free'],
    ['unknown', 'free'],
    ['fatal-conflict', 'backup'],
    [OLD, 'backup'],
    [LESS, 'backup'],
  ] as const) {
    const rig = new Rig({ poolSize: 2 }).into('normal');
    const [gift] = rig.unanswered;
    rig.answerAll(reason);
    assert.equal(rig.table.find(gift!.address)?.state, state, reason);
  }
});

test('never two unanswered updates for one address; a newer change follows the answer, once [5.2 one-per-address] [5.2 newer-replaces]', () => {
  const rig = new Rig({ poolSize: 1, bindings: [ours('active')] }).into('normal').answerAll();
  for (const sec of [100, 200, 300]) rig.lease(FIRST, CLIENT, sec);
  assert.equal(rig.unanswered.length, 1);
  assert.equal(rig.unanswered[0]?.leaseEndAt, rig.wallAt + 100);
  rig.answer();
  assert.equal(rig.unanswered.length, 1);
  assert.equal(rig.unanswered[0]?.leaseEndAt, rig.wallAt + 300);
  rig.answer();
  assert.equal(rig.unanswered.length, 0);
});

/* 5.3 */

test('the draft’s primary keeps a reserved address and tells BACKUP with R; our own kind knows it from the configuration [5.3 reserved/shared] [D 5.13 backup-r]', () => {
  const reserved = { address: address(FIRST), state: 'free', ipFlags: 1, dirty: true } as const;
  const draft = new Rig({ profile: 'draft', reserved: [FIRST], bindings: [reserved] }).into('normal');
  const update = draft.unanswered.find((one) => one.address === address(FIRST));
  assert.deepEqual([update?.state, update?.ipFlags], ['backup', 1]);
  assert.equal(draft.find(FIRST).state, 'free');
  assert.equal(draft.endpoint.rights.mayAllocate(draft.now, draft.find(FIRST)), true);
  const own = new Rig({ reserved: [FIRST], bindings: [reserved] }).into('normal');
  assert.equal(own.unanswered.find((one) => one.address === address(FIRST))?.state, 'free');
});

test('either server may give a reserved address to its client, in NORMAL and alone [5.3 reserved/either]', () => {
  for (const role of ROLES)
    for (const mine of ['normal', 'communications-interrupted'] as const) {
      const rig = new Rig({ role, reserved: [FIRST], record: { state: mine } }).into(mine);
      for (const state of ['free', 'backup'] as const)
        assert.equal(rig.endpoint.rights.mayAllocate(rig.now, { ...rig.find(FIRST), state }), true, `${role} ${state}`);
    }
});

test('dhcpd’s FREE with R is accepted [5.3 reserved/free-r]', () => {
  for (const reserved of [[FIRST], []])
    assert.equal(calm([], { profile: 'isc', reserved }).told({ state: 'free', ipFlags: 1 }), 'accept');
});

test('the partner’s addresses of a pool with BOOTP are never used, not even in PARTNER-DOWN [5.3 bootp/never] [5.5 bootp] [D 5.14 never]', () => {
  const config = { bootpScopeIds: [SCOPE] };
  for (const role of ROLES) {
    const record = { state: 'partner-down', partnerDownAt: at(WALL - 1_000_000) } as const;
    const rig = new Rig({ role, config, record }).into('partner-down');
    const [own, partners] = role === 'primary' ? (['free', 'backup'] as const) : (['backup', 'free'] as const);
    assert.equal(rig.endpoint.rights.mayAllocate(rig.now, { ...rig.find(), state: partners }), false, role);
    assert.equal(rig.endpoint.rights.mayAllocate(rig.now, { ...rig.find(), state: own }), true, role);
  }
});

test('both servers end with equal tables after two clients, a release and an end crossed on the wire [5.2 ownership]', () => {
  const pair = new Pair({ poolSize: 12 }).start().advance(3000);
  for (const side of SIDES) assert.ok(pair.lease(side, `c${side}`) !== undefined);
  const held = pair.lease('A', 'x')!;
  pair.advance(1);
  pair.release('A', held.address);
  pair.lease('B', 'y');
  pair.advance(200_000);
  assert.deepEqual(differences(pair), []);
});

test('a message that ends nothing is answered whatever it holds [D 7.2 every-bndupd-answered]', () => {
  const rig = calm([]);
  for (const updates of [[], [theirs('active')], [theirs('active'), theirs('free', { address: address(FIRST + 1), hardware: undefined })]]) {
    const effects = rig.hear({ kind: 'bndupd', xid: 71, updates });
    const [answer] = sentOf(effects);
    assert.ok(answer?.kind === 'bndack' && answer.xid === 71 && answer.answers.length === updates.length);
    assert.ok(!isClosed(effects));
    assert.deepEqual(kindsOf(effects), ['bndack']);
  }
});
