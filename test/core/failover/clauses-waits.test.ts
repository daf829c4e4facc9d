/** Specification 5.5, 6, 8.4, 8.5: waits, times and who answers, to the second, against the real endpoint. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Binding } from '../../../src/core/bindings/binding.ts';
import { bucketsOf } from '../../../src/core/failover/context.ts';
import type { EndpointConfig, RelationshipRecord } from '../../../src/core/failover/endpoint-types.ts';
import { initialRecord } from '../../../src/core/failover/initial-record.ts';
import { countSet } from '../../../src/wire/failover/hash-buckets.ts';
import { type EpochSec, INFINITE_AT, INFINITE_SEC, type Sec } from '../../../src/wire/units.ts';
import { PROFILES, ROLES } from '../../clauses/parties.ts';
import { SCOPE } from './pair.ts';
import { address, CLIENT, FIRST, MCLT, OTHER_CLIENT, Rig, WALL } from './rig.ts';

const at = (time: number): EpochSec => time as EpochSec;
/** Entry into PARTNER-DOWN, and the wait that every row adds. */
const P = WALL + 1000;
const WAIT = MCLT + 5;

/** In PARTNER-DOWN since P; the clock stands wherever the test puts it. */
function down(bindings: readonly Partial<Binding>[] = [], record: Partial<RelationshipRecord> = {}, config = {}): Rig {
  const kept = { state: 'partner-down', partnerDownAt: at(P), ...record } as const;
  const rig = new Rig({ record: kept, bindings, config, poolSize: 8 }).start().wait(30);
  assert.equal(rig.state, 'partner-down');
  return rig;
}

const lease = (change: Partial<Binding>): Partial<Binding> => ({
  address: address(FIRST),
  state: 'active',
  hardware: CLIENT,
  leaseEndAt: at(P - 500),
  lastTransactionAt: at(P - 900),
  stateSinceAt: at(P - 900),
  told: true,
  ...change,
});

/** Whether the address may go to a new client at a moment, asked of the rights. */
function mayAt(binding: Partial<Binding>, time: number, role: 'primary' | 'secondary' = 'primary'): boolean {
  const rig = new Rig({ role, record: { state: 'partner-down', partnerDownAt: at(P) }, bindings: [binding] })
    .start()
    .wait(30);
  rig.nowMs = (time - WALL) * 1000;
  return rig.endpoint.rights.mayAllocate(rig.now, rig.find());
}

/** One second before it may not, at the second it may. */
function fromExactly(binding: Partial<Binding>, time: number, role?: 'primary' | 'secondary'): void {
  assert.equal(mayAt(binding, time - 1, role), false, 'one second before');
  assert.equal(mayAt(binding, time, role), true, 'at the second');
}

test('our own available addresses go out at once [5.5 own]', () => {
  for (const [role, own] of [
    ['primary', 'free'],
    ['secondary', 'backup'],
  ] as const)
    assert.equal(mayAt({ address: address(FIRST), state: own }, P, role), true);
});

test('the partner’s available addresses after P + MCLT + S, not a second before [5.5 partners] [D 9.4.2 partners-addresses]', () => {
  fromExactly({ address: address(FIRST), state: 'backup' }, P + WAIT, 'primary');
  fromExactly({ address: address(FIRST), state: 'free' }, P + WAIT, 'secondary');
});

for (const [name, change, base] of [
  ['let', { leaseEndAt: at(P + 100) }, P + 100],
  ['sent', { sentPotentialAt: at(P + 200) }, P + 200],
  ['acked', { ackedPotentialAt: at(P + 300) }, P + 300],
  ['recv', { recvPotentialAt: at(P + 400) }, P + 400],
  ['p', {}, P],
] as const)
  test(`a lease of before, now over: ${name} + MCLT + S [5.5 clients/${name}] [D 9.4.2 ${name}]`, () => {
    for (const state of ['expired', 'reset'] as const) fromExactly(lease({ state, ...change }), base + WAIT);
    // And the engine itself makes it available then: an expired address is freed by its timer.
    const rig = down([lease({ state: 'expired', ...change })]);
    rig.wait(base + WAIT - 1 - rig.wallAt);
    assert.equal(rig.find().state, 'expired');
    rig.wait(2);
    assert.equal(rig.find().state, 'free');
  });

test('a release heard here waits for its moment, and for all that was promised [5.5 released]', () => {
  fromExactly(lease({ state: 'released', stateSinceAt: at(P + 50) }), P + 50 + WAIT);
  fromExactly(lease({ state: 'released', stateSinceAt: at(P - 50) }), P + WAIT);
  fromExactly(lease({ state: 'released', stateSinceAt: at(P + 50), recvPotentialAt: at(P + 300) }), P + 300 + WAIT);
});

test('a lease given here after P, of which the partner never heard: its own end [5.5 after-p]', () => {
  const rig = down();
  rig.lease(FIRST, CLIENT, 60, 60);
  const { leaseEndAt } = rig.find();
  rig.wait(leaseEndAt - rig.wallAt);
  assert.equal(rig.find().state, 'active');
  rig.wait(4);
  assert.equal(rig.find().state, 'free', 'no wait beyond the grace of 2 s');
});

test('ABANDONED goes to nobody, and its time aside ends after P + MCLT + S at the earliest where a store was lost [5.5 abandoned]', () => {
  assert.equal(mayAt(lease({ state: 'abandoned', leaseEndAt: at(0) }), P + 100_000), false);
  const rig = down([lease({ state: 'abandoned', leaseEndAt: at(0), lastTransactionAt: at(P - 10) })], {
    lossAt: at(P),
  });
  const may = (time: number): boolean | undefined => {
    rig.nowMs = (time - WALL) * 1000;
    return rig.endpoint.rights.mayReset?.(rig.now, rig.find());
  };
  assert.deepEqual([may(P + WAIT - 1), may(P + WAIT)], [false, true]);
});

test('the client that has the address renews at any time, by the same bound [5.5 same-client] [6.2 partner-down] [D 9.4.2 responds]', () => {
  const rig = down([lease({ leaseEndAt: at(P + 10), recvPotentialAt: at(P + 500) })]);
  for (const time of [P + 1, P + WAIT - 1, P + WAIT + 50]) {
    rig.nowMs = (time - WALL) * 1000;
    assert.equal(rig.endpoint.rights.service(rig.now, SCOPE).serves, 'all');
    const granted = rig.endpoint.rights.grantSec(rig.now, 5000 as Sec, rig.find());
    assert.equal(granted, P + 500 + MCLT - time);
  }
});

test('P survives a restart [5.5 restart]', () => {
  const first = down();
  const again = new Rig({ record: first.endpoint.record() }).start().wait(30);
  assert.equal(again.endpoint.rights.partnersUsableAt(again.now), P + WAIT);
});

test('contact with a recovering partner, lost again: the waits stay [5.5 contact-again]', () => {
  const rig = down();
  rig.link().says('recover');
  rig.step({ kind: 'disconnected', why: 'cut' });
  assert.equal(rig.endpoint.rights.partnersUsableAt(rig.now), P + WAIT);
  assert.equal(rig.endpoint.record().partnerDownAt, P);
});

/* 6.1 */

test('the end of a lease comes from own grants and accepted updates [6.1 let]', () => {
  const rig = new Rig({ poolSize: 1, record: { state: 'communications-interrupted' } }).into(
    'communications-interrupted',
  );
  rig.says('paused');
  rig.lease(FIRST, CLIENT, 60);
  assert.equal(rig.find().leaseEndAt, rig.wallAt + 60);
  const end = at(rig.wallAt + 300);
  rig.told({ state: 'active', hardware: CLIENT, leaseEndAt: end, lastTransactionAt: at(rig.wallAt + 1) });
  assert.equal(rig.find().leaseEndAt, end);
});

test('sentPET is the greatest sent, and saved before the update leaves [6.1 sent] [6.3 sent-pet] [D 7.1.1 recover-sent-pet]', () => {
  const rig = new Rig({ poolSize: 1, bindings: [lease({ leaseEndAt: at(WALL + 500), dirty: true, told: false })] })
    .start()
    .link();
  const effects = rig.says('communications-interrupted');
  const sent = effects.findIndex((effect) => effect.kind === 'send' && effect.message.kind === 'bndupd');
  const saved = effects.findIndex((effect) => effect.kind === 'save-binding' && effect.address === address(FIRST));
  assert.ok(saved >= 0 && saved < sent);
  assert.equal(rig.saved.get(address(FIRST))?.sentPotentialAt, rig.unanswered[0]?.potentialEndAt);
  assert.equal(rig.saved.get(address(FIRST))?.told, true);
});

test('ackedPET is the greatest acknowledged for its xid; a reject acknowledges nothing [6.1 acked]', () => {
  const before = lease({ leaseEndAt: at(WALL + 500), sentPotentialAt: at(WALL + 900), dirty: true });
  for (const [reason, acked] of [
    [undefined, WALL + 900],
    ['outdated-binding-information', 0],
  ] as const) {
    const rig = new Rig({ poolSize: 1, bindings: [before] }).into('normal');
    rig.hear({ kind: 'bndack', xid: 99_999, answers: [{ address: address(FIRST) }] });
    assert.equal(rig.find().ackedPotentialAt, 0, 'another xid');
    rig.answer(reason);
    assert.equal(rig.find().ackedPotentialAt, acked);
  }
});

test('recvPET is the greatest accepted of PET and LET [6.1 recv] [6.2 let-received]', () => {
  const rig = new Rig({ poolSize: 1, record: { state: 'communications-interrupted' } }).into(
    'communications-interrupted',
  );
  rig.says('paused');
  const told = (leaseEndAt: number, potentialEndAt: number, time: number): number => {
    rig.told({
      state: 'active',
      hardware: CLIENT,
      leaseEndAt: at(leaseEndAt),
      potentialEndAt: at(potentialEndAt),
      lastTransactionAt: at(time),
    });
    return rig.find().recvPotentialAt;
  };
  assert.equal(told(WALL + 500, WALL + 300, WALL), WALL + 500, 'LET where PET is below it');
  assert.equal(told(WALL + 500, WALL + 900, WALL + 1), WALL + 900);
  assert.equal(told(WALL + 500, WALL + 700, WALL + 2), WALL + 900, 'it never falls');
  assert.equal(rig.endpoint.rights.grantSec(rig.now, 5000 as Sec, rig.find()), WALL + 900 + MCLT - rig.wallAt);
});

test('all times are 0 by agreement, and another client begins from 0 [6.1 cleared]', () => {
  const times = {
    leaseEndAt: at(WALL + 500),
    sentPotentialAt: at(WALL + 900),
    ackedPotentialAt: at(WALL + 900),
    recvPotentialAt: at(WALL + 900),
  };
  const agreed = new Rig({ poolSize: 1, bindings: [lease({ state: 'released', ...times, dirty: true })] })
    .into('normal')
    .answerAll();
  const { leaseEndAt, sentPotentialAt, ackedPotentialAt, recvPotentialAt } = agreed.find();
  assert.deepEqual([leaseEndAt, sentPotentialAt, ackedPotentialAt, recvPotentialAt], [0, 0, 0, 0]);
  const other = new Rig({ poolSize: 1, role: 'secondary', bindings: [lease(times)] }).into('normal');
  const end = at(WALL + 100);
  assert.equal(
    other.told({
      state: 'active',
      hardware: OTHER_CLIENT,
      leaseEndAt: end,
      potentialEndAt: end,
      lastTransactionAt: at(WALL),
    }),
    'accept',
  );
  assert.deepEqual(
    [other.find().sentPotentialAt, other.find().ackedPotentialAt, other.find().recvPotentialAt],
    [0, 0, end],
  );
});

test('for ever absorbs [6.1 infinite]', () => {
  const { rights } = new Rig().start().endpoint;
  const now = { monoMs: 0, wallAt: at(WALL) } as Parameters<typeof rights.grantSec>[0];
  const binding = { ...new Rig().find(), ackedPotentialAt: INFINITE_AT };
  assert.equal(rights.grantSec(now, INFINITE_SEC, binding), INFINITE_SEC);
  assert.equal(
    rights.potentialEndAt(now, INFINITE_SEC, MCLT as Sec, { ...binding, sentPotentialAt: at(0) }),
    INFINITE_AT,
  );
  assert.equal(rights.grantSec(now, INFINITE_SEC, undefined), MCLT);
});

/* 6.2 */

const BASE = WALL + 100;
const D = 600 as Sec;
function granting(): { grant: (time: number, binding: Binding) => { granted: number; end: number; pet: number } } {
  const rig = new Rig({ record: { state: 'communications-interrupted' } }).start().wait(10);
  const { rights } = rig.endpoint;
  return {
    grant(time, binding) {
      rig.nowMs = (BASE + time - WALL) * 1000;
      const granted = rights.grantSec(rig.now, D, binding);
      const pet = rights.potentialEndAt(rig.now, D, granted, binding);
      return { granted, end: time + granted, pet: pet - BASE };
    },
  };
}

for (const [time, acked, sent, granted, end, pet] of [
  [0, 0, 0, 60, 60, 630],
  [30, 630, 630, 600, 630, 930],
  [330, 930, 930, 600, 930, 1230],
  [630, 1230, 1230, 600, 1230, 1530],
  [930, 1230, 1530, 360, 1290, 1710],
  [1110, 1230, 1710, 180, 1290, 1800],
  [1200, 1230, 1800, 90, 1290, 1845],
  [1245, 1230, 1845, 60, 1305, 1875],
] as const)
  test(`the example at ${time}: ${granted} s, up to ${end} [6.2 example/${time}]`, () => {
    const ackedPotentialAt = acked === 0 ? at(0) : at(BASE + acked);
    const sentPotentialAt = sent === 0 ? at(0) : at(BASE + sent);
    const binding = { ...new Rig().find(), ackedPotentialAt, sentPotentialAt, leaseEndAt: at(BASE + time + 5) };
    assert.deepEqual(granting().grant(time, binding), { granted, end, pet });
  });

test('the example at the partner, at 1000: 290 s [6.2 example/partner]', () => {
  const binding = { ...new Rig().find(), recvPotentialAt: at(BASE + 1230) };
  assert.equal(granting().grant(1000, binding).granted, 290);
});

test('granted = min(D, max(t, ackedPET, recvPET) + M - t), over many times [6.2 bound] [D 5.2.1 fundamental]', () => {
  const { grant } = granting();
  for (const acked of [-50, 0, 10, 539, 540, 541, 2000])
    for (const recv of [-50, 0, 30, 540, 3000]) {
      const binding = {
        ...new Rig().find(),
        ackedPotentialAt: at(BASE + 100 + acked),
        recvPotentialAt: at(BASE + 100 + recv),
      };
      assert.equal(grant(100, binding).granted, Math.min(D, Math.max(0, acked, recv) + MCLT), `${acked} ${recv}`);
    }
});

test('an end that was set here lends no reach: renewals alone stay at MCLT [6.2 let-not-in]', () => {
  const { grant } = granting();
  const binding = { ...new Rig().find(), leaseEndAt: at(0) };
  for (let time = 0; time < 1000; time += 30) {
    const { granted } = grant(time, binding);
    assert.equal(granted, MCLT);
    binding.leaseEndAt = at(BASE + time + granted);
  }
});

test('the potential end is t + D + granted/2, at least the end, never less than sent before [6.2 pet] [D 9.8.3 pet]', () => {
  const rig = new Rig().start();
  const pet = (desired: number, granted: number, sent: number): number =>
    rig.endpoint.rights.potentialEndAt(rig.now, desired as Sec, granted as Sec, {
      ...rig.find(),
      sentPotentialAt: at(sent),
    }) - WALL;
  assert.equal(pet(600, 60, 0), 630);
  assert.equal(pet(600, 61, 0), 630, 'whole seconds');
  assert.equal(pet(10, 100, 0), 100, 'at least the end');
  assert.equal(pet(600, 60, WALL + 5000), 5000);
});

/* 6.3 */

test('a release is saved before its update leaves [6.3 release]', () => {
  // Serving saves the release itself; what the engine adds is saved before it sends.
  const rig = new Rig({ poolSize: 1, bindings: [lease({ leaseEndAt: at(WALL + 500) })] }).into('normal').answerAll();
  const effects = rig.change({ state: 'released', stateSinceAt: rig.wallAt, sentPotentialAt: at(0), told: false });
  const sent = effects.findIndex((effect) => effect.kind === 'send' && effect.message.kind === 'bndupd');
  const saved = effects.findIndex((effect) => effect.kind === 'save-binding');
  assert.ok(sent >= 0 && saved >= 0 && saved < sent);
});

test('a state is saved before it is announced, in every transition there is [6.3 state]', () => {
  const rig = new Rig({ record: { state: 'recover' } }).into('recover');
  for (const partner of ['potential-conflict', 'conflict-done', 'normal'] as const) {
    const effects = rig.says(partner);
    let saved = rig.endpoint.record().state;
    for (const effect of effects) {
      if (effect.kind === 'save-relationship') saved = effect.record.state;
      if (effect.kind === 'send' && effect.message.kind === 'state') assert.equal(effect.message.serverState, saved);
    }
  }
});

/* 6.5 */

test('MCLT made shorter: waits use the longer one for its own length, durably [6.5 mclt-shortened] [6.5 mclt-durable]', () => {
  const rig = new Rig({ config: { mcltSec: 3600 as Sec }, record: { state: 'normal' } }).into('normal');
  const config: EndpointConfig = { ...rig.config, mcltSec: 60 as Sec };
  const effects = rig.step({ kind: 'reconfigured', config, newScopeIds: [] });
  const changedAt = rig.wallAt;
  assert.ok(effects.some((effect) => effect.kind === 'save-relationship' && effect.record.mcltWasSec === 3600));
  assert.equal(rig.endpoint.rights.grantSec(rig.now, 5000 as Sec, undefined), 60);
  rig.step({ kind: 'disconnected', why: 'cut' });
  rig.command({ kind: 'partner-down' });
  const downAt = rig.endpoint.record().partnerDownAt;
  assert.equal(rig.endpoint.rights.partnersUsableAt(rig.now), downAt + 3600 + 5);
  const later = new Rig({
    config: { mcltSec: 60 as Sec },
    record: { ...rig.endpoint.record(), partnerDownAt: at(changedAt + 3600 + 5) },
  });
  later.start().wait(30);
  assert.equal(
    later.endpoint.rights.partnersUsableAt(later.now),
    changedAt + 3600 + 5 + 60 + 5,
    'after that length no more',
  );
});

test('a server whose store is lost waits by the longer MCLT that the configuration remembers [6.5 mclt-durable]', () => {
  const lost = { holdsAllData: false, wantsAll: true, gaveNoLease: false };
  const { config, now } = new Rig({ config: { mcltSec: 60 as Sec } });
  const waitSec = (untilAt: number): number => {
    const remembering = { ...config, formerMclt: { sec: 3600 as Sec, untilAt: at(untilAt) } };
    return initialRecord(remembering, now, lost).recoverWaitUntilAt - now.wallAt;
  };
  assert.equal(waitSec(now.wallAt + 1), 3600 + 5);
  assert.equal(waitSec(now.wallAt), 60 + 5);
  const rig = new Rig({
    config: { mcltSec: 60 as Sec, formerMclt: { sec: 3600 as Sec, untilAt: at(now.wallAt + 600) } },
    record: { state: 'normal' },
  }).into('normal');
  rig.step({ kind: 'disconnected', why: 'cut' });
  rig.command({ kind: 'partner-down' });
  const { partnerDownAt } = rig.endpoint.record();
  assert.equal(rig.endpoint.rights.partnersUsableAt(rig.now), partnerDownAt + 3600 + 5);
});

test('buckets of the primary = round(256 × percent / 100) [6.5 buckets]', () => {
  const { config } = new Rig();
  for (let percentage = 0; percentage <= 100; percentage++)
    for (const role of ROLES)
      assert.equal(countSet(bucketsOf({ ...config, role, percentage })), Math.round((256 * percentage) / 100));
});

test('a change of the shares reaches a partner of another make in a new CONNECT of the primary [6.5 reconnect]', () => {
  const rig = new Rig({ profile: 'isc' }).into('normal');
  rig.quiet().step({ kind: 'reconfigured', config: { ...rig.config, percentage: 80 }, newScopeIds: [] });
  rig.wait(60).link();
  const told = rig.last('connect')?.hashBuckets;
  assert.equal(told === undefined ? 0 : countSet(told), 205);
});

/* 8.4, 8.5 */

const ASK = { scopeId: SCOPE, bucket: 0, secs: 0, unansweredMs: 0 };
function normal(config: Partial<EndpointConfig> = {}, role: 'primary' | 'secondary' = 'primary'): Rig {
  const rig = new Rig({ role, config, poolSize: 8 }).into('normal').answerAll();
  if (role === 'secondary') rig.told({ address: address(FIRST), state: 'backup' });
  return rig;
}

test('DISCOVER: by the hash, on exactly one of the two [8.4 discover]', () => {
  const [a, b] = [normal(), normal({}, 'secondary')];
  b.step({ kind: 'disconnected', why: 'again' });
  b.link({ hashBuckets: bucketsOf(a.config) }).says('communications-interrupted');
  for (let bucket = 0; bucket < 256; bucket++) {
    const yes = (rig: Rig): boolean => rig.endpoint.rights.answers(rig.now, { ...ASK, bucket }).yes;
    assert.equal(yes(a), bucket < 128, `bucket ${bucket}`);
    assert.equal(yes(b), bucket >= 128, `bucket ${bucket}`);
  }
});

test('secs at the limit of 3 s: only the responsible one; above: the other too [8.4 secs/at-limit] [8.4 secs/above-limit] [8.4 secs/byte-order]', () => {
  const rig = normal();
  const yes = (secs: number): boolean => rig.endpoint.rights.answers(rig.now, { ...ASK, bucket: 200, secs }).yes;
  assert.deepEqual([yes(0), yes(3), yes(4), yes(0x0400)], [false, false, true, true]);
});

test('a partner without available addresses is answered for [8.4 partner-dry]', () => {
  const rig = new Rig({ poolSize: 8, config: { percentage: 50 }, limits: { balanceTolerancePercent: 100 } }).into(
    'normal',
  );
  for (const gift of rig.unanswered) assert.equal(gift.state, 'backup');
  rig.answerAll();
  const yes = (): boolean => rig.endpoint.rights.answers(rig.now, { ...ASK, bucket: 200 }).yes;
  assert.equal(yes(), false);
  for (let offset = FIRST; offset < FIRST + 8; offset++)
    if (rig.find(offset).state === 'backup')
      rig.told({
        address: address(offset),
        state: 'active',
        hardware: Uint8Array.of(1, offset),
        leaseEndAt: at(WALL + 900),
        lastTransactionAt: at(WALL),
      });
  assert.equal(rig.table.counts(SCOPE).backup, 0);
  assert.equal(yes(), true);
});

test('no balancing outside NORMAL [8.4 no-balancing] [D 9.11.2 no-balancing]', () => {
  for (const mine of [
    'communications-interrupted',
    'partner-down',
    'resolution-interrupted',
    'conflict-done',
  ] as const) {
    const rig = new Rig({ record: { state: mine } }).into(mine);
    for (const bucket of [0, 127, 128, 255])
      assert.equal(rig.endpoint.rights.answers(rig.now, { ...ASK, bucket }).yes, true);
  }
});

for (const active of ROLES)
  test(`hot standby with the ${active} active: it has all buckets, the other answers late and renews [8.5 buckets] [8.5 standby]`, () => {
    for (const role of ROLES) {
      const isActive = role === active;
      const rig = normal({ mode: 'HotStandby', percentage: 10, isActive }, role);
      if (role === 'secondary') {
        rig.step({ kind: 'disconnected', why: 'again' });
        rig.link({ hashBuckets: bucketsOf(rig.config) }).says('communications-interrupted');
      }
      assert.equal(countSet(bucketsOf(rig.config)), active === 'primary' ? 256 : 0);
      const yes = (secs: number): boolean => rig.endpoint.rights.answers(rig.now, { ...ASK, bucket: 77, secs }).yes;
      assert.deepEqual([yes(3), yes(4)], [isActive, true], `${role}`);
      assert.equal(rig.endpoint.rights.service(rig.now, SCOPE).serves, 'all', 'renewals are asked of nobody');
    }
  });

test('the reserve is the configured share: on NORMAL, on POOLREQ, and by the timer when off by more than the tolerance [8.5 reserve/own]', () => {
  const config = { mode: 'HotStandby', percentage: 25, isActive: true } as const;
  const rig = new Rig({ config, poolSize: 40 }).into('normal');
  assert.equal(rig.unanswered.length, 10);
  rig.answerAll();
  const take = (count: number): void => {
    let taken = 0;
    for (let offset = FIRST; taken < count; offset++)
      if (rig.find(offset).state === 'backup') {
        const hardware = Uint8Array.of(1, offset);
        rig.told({
          address: address(offset),
          state: 'active',
          hardware,
          leaseEndAt: at(WALL + 9000),
          lastTransactionAt: rig.wallAt,
        });
        taken++;
      }
  };
  take(2);
  rig.quiet().waitInContact(11);
  assert.deepEqual(rig.unanswered, [], 'within the tolerance');
  rig.hear({ kind: 'poolreq', xid: 31 });
  const moved = rig.last('poolresp')?.addressesTransferred ?? 0;
  assert.ok(moved > 0);
  assert.equal(rig.unanswered.length, moved);
  rig.answerAll();
  take(6);
  rig.quiet().waitInContact(11);
  assert.ok(rig.all('bndupd').length > 0, 'beyond the tolerance');
});

test('dhcpd as secondary: its POOLREQ is answered, also with 0 [8.5 reserve/isc-secondary] [2.14 15]', () => {
  const rig = new Rig({ profile: 'isc', poolSize: 8 }).into('normal').answerAll();
  rig.hear({ kind: 'poolreq', xid: 12 });
  assert.deepEqual(rig.last('poolresp'), { kind: 'poolresp', xid: 12, addressesTransferred: 0 });
});

test('dhcpd as primary: what it gives is taken, and not given back [8.5 reserve/isc-primary]', () => {
  const rig = new Rig({ profile: 'isc', role: 'secondary', poolSize: 8, config: { percentage: 95 } })
    .into('normal')
    .answerAll();
  for (let i = 0; i < 4; i++) assert.equal(rig.told({ address: address(FIRST + i), state: 'backup' }), 'accept');
  rig.quiet().waitInContact(200);
  assert.deepEqual(
    rig.unanswered.filter((update) => update.state === 'free'),
    [],
  );
  assert.equal(rig.table.counts(SCOPE).backup, 4);
});

test('Windows as primary moves the reserve itself: we move nothing [8.5 reserve/msft]', () => {
  const rig = new Rig({ profile: 'msft', role: 'secondary', owner: 'backup', poolSize: 8 }).into('normal');
  rig.waitInContact(700);
  assert.deepEqual(rig.all('bndupd'), []);
  assert.deepEqual(rig.all('poolreq'), []);
});

test('the active server may be the secondary, and then has most of the addresses [8.5 active-secondary]', () => {
  const rig = new Rig({ config: { mode: 'HotStandby', percentage: 10, isActive: false }, poolSize: 20 })
    .into('normal')
    .answerAll();
  assert.deepEqual([rig.table.counts(SCOPE).free, rig.table.counts(SCOPE).backup], [2, 18]);
});

test('delayed-service-parameter is in no CONNECT of ours [8.4 option-10]', () => {
  for (const profile of PROFILES) {
    const rig = new Rig({ profile }).start().link();
    assert.ok(!Object.keys(rig.last('connect') ?? {}).includes('delayedService'));
    const other = new Rig({ profile, role: 'secondary' }).start().link({ delayedService: 5 });
    assert.equal(other.last('connectack')?.rejectReason, undefined);
  }
});
