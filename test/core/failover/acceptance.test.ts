/** Specification 5.4 and 5.2: accepting received updates, cell by cell. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Binding, emptyBinding } from '../../../src/core/bindings/binding.ts';
import { type Judging, judge } from '../../../src/core/failover/acceptance.ts';
import { applied } from '../../../src/core/failover/update-values.ts';
import { BINDING_STATES, type BindingState, type BindingUpdate } from '../../../src/wire/failover/messages.ts';
import type { EpochSec, Ip4 } from '../../../src/wire/units.ts';

const NOW = 1_800_000_000;
const STATES = Object.keys(BINDING_STATES) as BindingState[];
const CLIENT = Uint8Array.of(1, 2, 2, 2, 2, 2, 2);
const OTHER = Uint8Array.of(1, 3, 3, 3, 3, 3, 3);
const at = (t: number): EpochSec => (NOW + t) as EpochSec;

const HOW: Judging = {
  nowAt: at(0),
  sentAt: at(0),
  role: 'primary',
  profile: 'twinlease',
  inFlight: undefined,
  isReservedHere: false,
  isRecovering: false,
  isRecoveringAll: false,
  marginSec: 0,
  mayReset: true,
};

/** Our lease still runs, its last transaction was 100 s ago, its state began 100 s ago. */
function ours(state: BindingState, change: Partial<Binding> = {}): Binding {
  return {
    ...emptyBinding(9 as Ip4, 'free'),
    state,
    hardware: CLIENT,
    leaseEndAt: at(500),
    lastTransactionAt: at(-100),
    stateSinceAt: at(-100),
    ...change,
  };
}

function update(state: BindingState, change: Partial<BindingUpdate> = {}): BindingUpdate {
  return {
    address: 9 as Ip4,
    state,
    hardware: CLIENT,
    leaseEndAt: at(600),
    potentialEndAt: at(900),
    stateSinceAt: at(-50),
    lastTransactionAt: at(-50),
    ...change,
  };
}

function outcome(mine: Binding | undefined, theirs: BindingUpdate, how: Partial<Judging> = {}): string {
  const verdict = judge(theirs, mine, { ...HOW, ...how });
  return verdict.kind === 'reject' ? verdict.reason : verdict.kind;
}

const OLD = 'outdated-binding-information';
const LESS = 'less-critical-binding-information';
/** What happens when the message is newer than ours, and when it is older; our lease runs. */
const TABLE: Readonly<Record<BindingState, Partial<Record<BindingState, readonly [string, string]>>>> = {
  active: { expired: [OLD, OLD], released: ['accept', OLD], free: [OLD, OLD], backup: [OLD, OLD] },
  expired: { active: ['accept', OLD] },
  released: { active: ['accept', OLD], expired: ['accept', OLD] },
  reset: { active: ['accept', OLD] },
  free: {},
  backup: {},
  abandoned: {
    active: [LESS, LESS],
    expired: [LESS, LESS],
    released: [LESS, LESS],
    free: [LESS, LESS],
    backup: [LESS, LESS],
  },
};

for (const mine of STATES)
  test(`5.4 ours is ${mine}: every received state, newer and older`, () => {
    for (const theirs of STATES) {
      const [newer, older] = TABLE[mine][theirs] ?? ['accept', 'accept'];
      for (const role of ['primary', 'secondary'] as const) {
        assert.equal(
          outcome(ours(mine), update(theirs), { role, profile: 'draft' }),
          newer,
          `${mine} x ${theirs} newer`,
        );
        assert.equal(
          outcome(ours(mine), update(theirs, { lastTransactionAt: at(-200) }), { role, profile: 'draft' }),
          older,
          `${mine} x ${theirs} older`,
        );
      }
    }
  });

test('5.4 t1 and t3 accept on equality', () => {
  assert.equal(outcome(ours('active'), update('released', { lastTransactionAt: at(-100) })), 'accept');
  assert.equal(
    outcome(ours('reset'), update('active', { lastTransactionAt: at(-100) }), { profile: 'draft' }),
    'accept',
  );
});

test('own profile: an address set aside and a lease, whoever knows more wins, and both sides say the same', () => {
  for (const aside of ['abandoned', 'reset'] as const) {
    for (const [asideAt, leaseAt] of [
      [-50, -60],
      [-50, -50],
      [-50, -40],
    ] as const) {
      const isLeaseNewer = leaseAt > asideAt;
      const asideTimes = { lastTransactionAt: at(asideAt), stateSinceAt: at(asideAt) };
      const told = aside === 'abandoned' ? { stateSinceAt: at(asideAt), lastTransactionAt: undefined } : asideTimes;
      const lease = { lastTransactionAt: at(leaseAt) };
      const toLease = outcome(ours('active', lease), update(aside, told));
      const toAside = outcome(ours(aside, asideTimes), update('active', lease));
      assert.equal(toLease, isLeaseNewer ? OLD : 'accept', `${aside} at ${asideAt} told to a lease at ${leaseAt}`);
      assert.equal(toAside, isLeaseNewer ? 'accept' : OLD, `a lease at ${leaseAt} told to ${aside} at ${asideAt}`);
      const duels = [
        outcome(ours('active', lease), update(aside, told), { inFlight: 'active' }),
        outcome(ours(aside, asideTimes), update('active', lease), { inFlight: aside }),
      ];
      assert.deepEqual(duels, isLeaseNewer ? [LESS, 'give-way'] : ['give-way', LESS]);
    }
  }
});

test('while we recover, what the partner did with an address set aside counts where it is newer', () => {
  const aside = ours('abandoned', { stateSinceAt: at(-100) });
  const freed = update('free', { lastTransactionAt: undefined, stateSinceAt: at(-50) });
  assert.equal(outcome(aside, freed, { isRecovering: true }), 'accept');
  assert.equal(outcome(aside, freed), LESS);
  assert.equal(outcome(aside, { ...freed, stateSinceAt: at(-150) }, { isRecovering: true }), LESS);
});

test('5.4 t2: over only 2 s after the lease end', () => {
  for (const state of ['expired', 'free', 'backup'] as const) {
    assert.equal(outcome(ours('active', { leaseEndAt: at(-2) }), update(state)), OLD);
    assert.equal(outcome(ours('active', { leaseEndAt: at(-3) }), update(state)), 'accept');
  }
});

test('5.4 ACTIVE over ACTIVE of another client: the secondary accepts, the primary rejects with 2', () => {
  const theirs = update('active', { hardware: OTHER });
  assert.equal(outcome(ours('active'), theirs, { role: 'secondary' }), 'accept');
  assert.equal(outcome(ours('active'), theirs, { role: 'primary' }), 'fatal-conflict');
  assert.equal(outcome(ours('active'), theirs, { role: 'primary', isRecovering: true }), 'accept');
});

test('a lease that is over neither defends against another client nor displaces one', () => {
  const over = ours('active', { leaseEndAt: at(-10) });
  assert.equal(outcome(over, update('active', { hardware: OTHER }), { role: 'primary' }), 'accept');
  const stale = update('active', { hardware: OTHER, leaseEndAt: at(-10), lastTransactionAt: at(-200) });
  assert.equal(outcome(ours('active'), stale, { role: 'secondary' }), OLD);
});

test('a release by another client than the present one is refused whatever its time', () => {
  assert.equal(outcome(ours('active'), update('released', { hardware: OTHER })), OLD);
});

test('5.4 tests 1 to 4 in their order', () => {
  assert.equal(outcome(ours('free'), update('active', { hardware: undefined })), 'missing-binding-information');
  assert.equal(outcome(ours('free'), update('active', { leaseEndAt: undefined })), 'missing-binding-information');
  assert.equal(outcome(undefined, update('released', { hardware: undefined })), 'missing-binding-information');
  assert.equal(outcome(undefined, update('active')), 'illegal-ip-address');
  assert.equal(outcome(ours('free'), update('active', { hardware: Uint8Array.of(0, 1) })), 'unknown');
  assert.equal(outcome(ours('free'), update('active', { hardware: new Uint8Array(18).fill(1) })), 'unknown');
  assert.equal(outcome(ours('free'), update('backup', { ipFlags: 1 })), 'ip-not-reserved');
  assert.equal(outcome(ours('free'), update('backup', { ipFlags: 1 }), { isReservedHere: true }), 'accept');
});

test('5.4 effective CLTT: dhcpd puts the moment of release into LET', () => {
  const release = update('released', { lastTransactionAt: at(-300), leaseEndAt: at(-50) });
  assert.equal(outcome(ours('active'), release, { profile: 'isc' }), 'accept');
  assert.equal(outcome(ours('active'), release, { profile: 'twinlease' }), OLD);
  assert.equal(
    outcome(ours('active'), update('released', { lastTransactionAt: undefined, leaseEndAt: at(-50) })),
    'accept',
  );
});

test('a whole store to recover accepts everything from the partner', () => {
  for (const mine of STATES)
    for (const theirs of STATES) assert.equal(outcome(ours(mine), update(theirs), { isRecoveringAll: true }), 'accept');
});

test('5.2 duel: for no pair of states and times do both give way', () => {
  for (const mine of STATES)
    for (const theirs of STATES)
      for (const offset of [-50, 0, 50]) {
        // The primary has `mine` in flight at -100, the secondary `theirs` at -100 + offset.
        const a = ours(mine);
        const b = ours(theirs, { lastTransactionAt: at(-100 + offset), stateSinceAt: at(-100 + offset) });
        const say = (x: Binding): BindingUpdate => ({
          address: x.address,
          state: x.state,
          hardware: CLIENT,
          leaseEndAt: x.leaseEndAt,
          stateSinceAt: x.stateSinceAt,
          lastTransactionAt: x.lastTransactionAt,
        });
        const atPrimary = outcome(a, say(b), { inFlight: mine, role: 'primary' });
        const atSecondary = outcome(b, say(a), { inFlight: theirs, role: 'secondary' });
        const label = `${mine} against ${theirs} at ${offset}: ${atPrimary}, ${atSecondary}`;
        if (mine === 'active' && theirs === 'active')
          assert.equal(`${atPrimary} ${atSecondary}`, 'accept accept', label);
        else assert.ok(!(atPrimary === 'give-way' && atSecondary === 'give-way'), label);
      }
});

test('5.2 duel of two clients: the later transaction wins, a tie is the primary’s', () => {
  const later = update('active', { hardware: OTHER, lastTransactionAt: at(-50) });
  const same = update('active', { hardware: OTHER, lastTransactionAt: at(-100) });
  for (const role of ['primary', 'secondary'] as const)
    assert.equal(outcome(ours('active'), later, { inFlight: 'active', role }), 'give-way');
  assert.equal(outcome(ours('active'), same, { inFlight: 'active', role: 'primary' }), LESS);
  assert.equal(outcome(ours('active'), same, { inFlight: 'active', role: 'secondary' }), 'give-way');
});

test('5.2 duel toward isc: an outstanding ACTIVE never gives way to what is not ACTIVE', () => {
  for (const theirs of ['released', 'reset', 'abandoned'] as const) {
    assert.equal(outcome(ours('active'), update(theirs), { inFlight: 'active', profile: 'isc' }), LESS);
    assert.equal(outcome(ours('active'), update(theirs), { inFlight: 'active' }), 'give-way');
  }
});

test('I14 applying an update twice gives the same binding and nothing to tell', () => {
  for (const theirs of STATES) {
    const once = applied(ours('free'), update(theirs), at(0), 'twinlease', 5);
    const twice = applied(once, update(theirs), at(0), 'twinlease', 5);
    assert.deepEqual(twice, once);
    assert.equal(once.dirty, false);
  }
});

test('5.4 same client: the later end of two unordered grants is kept, and told when it is ours', () => {
  const mine = ours('active', { dirty: true, leaseEndAt: at(700), lastTransactionAt: at(-52) });
  const merged = applied(mine, update('active'), at(0), 'twinlease', 5);
  assert.equal(merged.leaseEndAt, at(700));
  assert.equal(merged.dirty, true);
  const clear = applied({ ...mine, lastTransactionAt: at(-90) }, update('active'), at(0), 'twinlease', 5);
  assert.equal(clear.leaseEndAt, at(600));
  assert.equal(clear.dirty, false);
});

test('5.2 the receiver stores EXPIRED, RELEASED and RESET as FREE with all times cleared', () => {
  for (const state of ['expired', 'released', 'reset'] as const) {
    const next = applied(
      ours('active', { recvPotentialAt: at(50), sentPotentialAt: at(60) }),
      update(state),
      at(0),
      'twinlease',
      5,
    );
    assert.equal(next.state, 'free');
    assert.deepEqual(
      [next.leaseEndAt, next.sentPotentialAt, next.ackedPotentialAt, next.recvPotentialAt],
      [0, 0, 0, 0],
    );
    assert.deepEqual(next.hardware, CLIENT);
  }
});

test('I3 a lease that comes back to an address set aside here is not thought shorter than the partner was told before', () => {
  const promised = { sentPotentialAt: at(900), ackedPotentialAt: at(700), leaseEndAt: at(0), hardware: undefined };
  const back = update('active', { leaseEndAt: at(200), potentialEndAt: at(300) });
  for (const state of ['abandoned', 'reset'] as const) {
    const next = applied(ours(state, promised), back, at(0), 'twinlease', 5);
    assert.equal(next.sentPotentialAt, at(900), state);
    // Grants go by the other two, which are of the lease as the partner knows it.
    assert.deepEqual([next.ackedPotentialAt, next.recvPotentialAt], [0, at(300)], state);
  }
  // A partner of another make knows no such promise of an abandoned address.
  assert.equal(applied(ours('abandoned', promised), back, at(0), 'isc', 0).sentPotentialAt, 0);
});

test('RESET of an address set aside here waits while a forgotten lease may run, unless this server is the one that forgot', () => {
  const aside = ours('abandoned');
  assert.equal(outcome(aside, update('reset'), { mayReset: true }), 'accept');
  assert.equal(outcome(aside, update('reset'), { mayReset: false }), OLD);
  assert.equal(outcome(aside, update('reset'), { mayReset: false, isRecoveringAll: true }), 'accept');
  assert.equal(outcome(ours('reset'), update('reset'), { mayReset: false }), 'accept');
});
