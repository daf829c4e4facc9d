/** Specification 5.1 to 5.3: binding states, duels, ownership and reservations, against the real endpoint. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Binding } from '../../../src/core/bindings/binding.ts';
import type { BindingState, BindingUpdate } from '../../../src/wire/failover/messages.ts';
import { PROFILES, ROLES } from '../../clauses/parties.ts';
import { at, calm, KNOWN, LESS, OLD, ours, theirs } from './clauses-fixtures.ts';
import { differences, Pair, SCOPE, SIDES } from './pair.ts';
import { address, CLIENT, FIRST, isClosed, kindsOf, OTHER_CLIENT, Rig, type RigOptions, sentOf, WALL } from './rig.ts';

/* 5.2, duels */

/** Our update for the address, in this status, is under way. */
function duelling(mine: Partial<Binding>, options: RigOptions = {}): Rig {
  const rig = new Rig({ poolSize: 1, bindings: [{ ...mine, dirty: true }], ...options }).into('normal');
  assert.ok(
    rig.unanswered.some((update) => update.address === address(FIRST)),
    'ours is under way',
  );
  return rig.quiet();
}
const said = (rig: Rig, update: BindingUpdate): string => rig.told(update);

test('ACTIVE against ACTIVE of the same client: both are merged [5.2 duel/ACTIVE/ACTIVE same client]', () => {
  for (const role of ROLES) {
    const rig = duelling(ours('active'), { role });
    assert.equal(
      said(rig, theirs('active', { lastTransactionAt: at(KNOWN + 10), leaseEndAt: at(WALL + 700) })),
      'accept',
    );
    assert.equal(rig.find().leaseEndAt, WALL + 700);
    const older = duelling(ours('active', { leaseEndAt: at(WALL + 800) }), { role });
    assert.equal(
      said(older, theirs('active', { lastTransactionAt: at(KNOWN - 10), leaseEndAt: at(WALL + 700) })),
      'accept',
    );
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
        assert.equal(
          said(duelling(ours('active'), { role, profile }), later),
          give ? 'accept' : LESS,
          `${profile} ${state}`,
        );
        assert.equal(
          said(duelling(ours('active'), { role, profile }), theirs(state)),
          LESS,
          `${state} at the same time`,
        );
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
        const binding = {
          ...rig.find(FIRST + 7),
          ...ours(state, { leaseEndAt: at(1) }),
          address: address(FIRST + 7),
        } as Binding;
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
    const rig = new Rig({ role, poolSize: 1, bindings: [ours('active', { leaseEndAt: at(WALL + 20) })] }).into(
      'normal',
    );
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
    assert.equal(
      rig.unanswered.some((update) => update.state === 'expired'),
      role === 'primary',
      role,
    );
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
    const rig = new Rig({ role, profile: 'isc', poolSize: 1, bindings: [ours('active')] })
      .into('normal')
      .answerAll()
      .quiet();
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
    const rig = new Rig({ role, owner, poolSize: 1, record: { state: 'communications-interrupted' } }).into(
      'communications-interrupted',
    );
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
  for (const updates of [
    [],
    [theirs('active')],
    [theirs('active'), theirs('free', { address: address(FIRST + 1), hardware: undefined })],
  ]) {
    const effects = rig.hear({ kind: 'bndupd', xid: 71, updates });
    const [answer] = sentOf(effects);
    assert.ok(answer?.kind === 'bndack' && answer.xid === 71 && answer.answers.length === updates.length);
    assert.ok(!isClosed(effects));
    assert.deepEqual(kindsOf(effects), ['bndack']);
  }
});
