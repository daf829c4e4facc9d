/** Specification 5.4: accepting and rejecting updates, cell by cell, against the real endpoint. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Binding } from '../../../src/core/bindings/binding.ts';
import type { BindingUpdate, RejectReason } from '../../../src/wire/failover/messages.ts';
import type { Ip4 } from '../../../src/wire/units.ts';
import { ACCEPTANCE_CELLS, isAsideAgainstLease } from '../../clauses/bindings.ts';
import { PROFILES, ROLES } from '../../clauses/parties.ts';
import { at, calm, KNOWN, LESS, OLD, ours, theirs } from './clauses-fixtures.ts';
import { address, CLIENT, eventsOf, FIRST, OTHER_CLIENT, Rig, type RigOptions, WALL } from './rig.ts';

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
  assert.equal(
    draft(ours('expired'), theirs('active', { ...bare, stateSinceAt: undefined })),
    OLD,
    'nothing is never later',
  );
  // ABANDONED and RESET: the header, seen in a duel.
  for (const state of ['reset', 'abandoned'] as const) {
    const duel = (sentAt: number): string => {
      const rig = new Rig({ profile: 'draft', poolSize: 1, bindings: [ours('active', { dirty: true })] }).into(
        'normal',
      );
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
      const {
        state: now,
        hardware,
        leaseEndAt,
        sentPotentialAt,
        ackedPotentialAt,
        recvPotentialAt,
        ownedAs,
      } = rig.find();
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
    for (const state of ['active', 'released', 'backup', 'free', 'abandoned', 'reset'] as const)
      rig.told(theirs(state));
    rig.waitInContact(5);
    assert.deepEqual(rig.all('bndupd'), [], profile);
    assert.equal(rig.find().dirty, false);
  }
});

/* 5.4, a reject received */

function rejectedLease(reason: RejectReason, options: RigOptions = {}): Rig {
  const rig = new Rig({
    poolSize: 1,
    bindings: [ours('active', { dirty: true, sentPotentialAt: at(WALL + 900) })],
    ...options,
  });
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
    assert.equal(
      heard.told(theirs('released', { lastTransactionAt: at(WALL) })),
      'accept',
      'the partner’s update counts',
    );
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
