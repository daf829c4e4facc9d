/** PAUSED and SHUTDOWN of an operator, and what a cut does to requests for updates (specification 4.1 to 4.4, 1.13). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SHUTDOWN_WAIT_MS } from '../../../src/core/failover/limits.ts';
import type { EpochSec } from '../../../src/wire/units.ts';
import { differences, Pair, SCOPE } from './pair.ts';
import { MCLT, Rig, sentOf, WALL } from './rig.ts';

function normal(role: 'primary' | 'secondary', profile: 'twinlease' | 'draft' | 'isc' = 'twinlease'): Rig {
  return new Rig({ role, profile }).into('normal').answerAll().quiet();
}

for (const role of ['primary', 'secondary'] as const)
  for (const profile of ['twinlease', 'draft', 'isc'] as const) {
    test(`4.4 pause, ${role}, ${profile}: PAUSED is told, the state before is kept, the connection ends, and nobody is served`, () => {
      const one = normal(role, profile);
      const effects = one.step({ kind: 'command', command: { kind: 'pause' } });
      assert.deepEqual(
        sentOf(effects).map((message) => message.kind === 'state' && message.serverState),
        ['paused'],
      );
      assert.equal(effects.at(-1)?.kind === 'close' || effects.some((effect) => effect.kind === 'close'), true);
      assert.equal(one.endpoint.record().state, 'normal');
      assert.equal(one.endpoint.rights.service(one.now, SCOPE).serves, 'none');
      assert.equal(one.endpoint.deadlineMs, undefined);
      assert.equal(one.command({ kind: 'pause' }), 'nothing-to-do');
      assert.equal(one.command({ kind: 'resume' }), 'done');
      assert.equal(one.state, 'startup');
    });

    test(`4.4 shutdown, ${role}, ${profile}: the partner's PARTNER-DOWN makes RECOVER the state to come back to`, () => {
      const one = normal(role, profile);
      one.waitInContact(7);
      const effects = one.step({ kind: 'command', command: { kind: 'shutdown' } });
      assert.deepEqual(
        sentOf(effects).map((message) => message.kind === 'state' && message.serverState),
        ['shutdown'],
      );
      assert.ok(!effects.some((effect) => effect.kind === 'close'), 'it waits for the partner');
      assert.equal(one.endpoint.record().lastOperationalAt, one.wallAt);
      assert.equal(one.endpoint.record().state, 'normal');
      const answer = one.says('partner-down');
      const saved = answer.findIndex(
        (effect) => effect.kind === 'save-relationship' && effect.record.state === 'recover',
      );
      assert.ok(saved >= 0);
      assert.ok(answer.some((effect) => effect.kind === 'close'));
      assert.equal(one.state, 'shutdown');
      // From the moment of the stop on, as after any other end (specification 4.4, RECOVER).
      assert.equal(one.endpoint.record().recoverWaitUntilAt, one.wallAt + MCLT + one.limits.skewAllowanceSec);
    });

    test(`4.4 shutdown, ${role}, ${profile}: without an answer it ends after some seconds, and the state before is kept`, () => {
      const one = normal(role, profile);
      one.command({ kind: 'shutdown' });
      one.quiet().wait(SHUTDOWN_WAIT_MS / 1000);
      assert.ok(one.effects.some((effect) => effect.kind === 'close'));
      assert.equal(one.endpoint.record().state, 'normal');
      assert.equal(one.endpoint.deadlineMs, undefined);
    });
  }

test('4.4 shutdown without contact ends at once', () => {
  const one = normal('primary');
  one.step({ kind: 'disconnected', why: 'cut' });
  one.command({ kind: 'shutdown' });
  assert.equal(one.endpoint.deadlineMs, undefined);
  assert.equal(one.endpoint.record().state, 'communications-interrupted');
});

test('4.3 a record never holds PAUSED or SHUTDOWN, and a restart comes back to the state before', () => {
  for (const kind of ['pause', 'shutdown'] as const) {
    const one = normal('secondary');
    one.command({ kind });
    const again = new Rig({ role: 'secondary', record: one.endpoint.record() }).start().link();
    assert.equal(again.last('state')?.serverState, 'communications-interrupted');
  }
});

test('4.4 the partner of a paused server goes to COMMUNICATIONS-INTERRUPTED, of one that shuts down to PARTNER-DOWN', () => {
  for (const [kind, expected] of [
    ['pause', 'communications-interrupted'],
    ['shutdown', 'partner-down'],
  ] as const) {
    const pair = new Pair().start().advance(3000);
    pair.command('B', { kind });
    pair.advance(1000);
    assert.equal(pair.state('A'), expected);
  }
});

test('4.4 after an orderly stop that the partner answered, both come back to NORMAL with equal tables', () => {
  const pair = new Pair({ poolSize: 8 }).start().advance(3000);
  pair.lease('B', 'c1');
  pair.advance(500);
  pair.command('B', { kind: 'shutdown' });
  pair.advance(6000).kill('B');
  pair.lease('A', 'c1');
  pair.lease('A', 'c2');
  pair.advance(1000).revive('B').advance(100_000);
  assert.equal(pair.states(), 'A normal, B normal');
  assert.deepEqual(differences(pair), []);
});

/** Cuts the link when the n-th message of a conversation has left, and lets it go on. */
function cutAfter(pair: Pair, messages: number): void {
  let left = messages;
  pair.onSend = () => {
    if (--left === 0) pair.isSilent = true;
  };
}

for (const profile of ['twinlease', 'draft'] as const)
  test(`1.13, 4.2 UPDREQALL, UPDREQ and UPDDONE cut anywhere are begun again, ${profile}`, () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.boolean(), (messages, isLost) => {
        const pair = new Pair({ poolSize: 12, profile }).start().advance(200_000);
        assert.equal(pair.states(), 'A normal, B normal');
        for (let i = 0; i < 5; i++) pair.lease('A', `c${i}`, 6000);
        pair.advance(500).kill('B').command('A', { kind: 'partner-down' });
        pair.lease('A', 'c9', 6000);
        cutAfter(pair, messages);
        pair.revive('B', isLost).advance(30_000);
        pair.onSend = () => {};
        pair.heal().advance(800_000);
        assert.equal(pair.states(), 'A normal, B normal');
        // The draft does not tell the last client of a free address.
        const isTold = (line: string): boolean =>
          profile === 'twinlease' || !/A (free|backup).* B (free|backup)/.test(line);
        assert.deepEqual(differences(pair).filter(isTold), []);
      }),
      { numRuns: 40 },
    );
  });

test('1.13 the requests of a conflict cut anywhere are begun again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), (messages) => {
      const pair = new Pair({ poolSize: 8 }).start().advance(3000).cut();
      for (const side of ['A', 'B'] as const) {
        pair.command(side, { kind: 'partner-down' });
        pair.lease(side, `c${side}`, 6000);
      }
      cutAfter(pair, messages);
      pair.heal().advance(30_000);
      pair.onSend = () => {};
      pair.heal().advance(300_000);
      assert.equal(pair.states(), 'A normal, B normal');
      assert.deepEqual(differences(pair), []);
    }),
    { numRuns: 30 },
  );
});

test('1.10 law: the window of the partner is never exceeded, and CONTACT and STATE are answered with updates waiting', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('twinlease' as const, 'draft' as const, 'isc' as const),
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.nat(29), { minLength: 1, maxLength: 60 }),
      (profile, maxUnacked, offsets) => {
        const one = new Rig({
          role: 'primary',
          profile,
          poolSize: 30,
          record: { state: 'communications-interrupted' },
        });
        one.start().link({ maxUnacked }).says('communications-interrupted');
        let answered = 0;
        for (const [i, offset] of offsets.entries()) {
          one.lease(10 + offset, Uint8Array.of(1, 2, 3, 4, 5, 6, offset), 60 + i);
          const open = one.all('bndupd').length - answered;
          assert.ok(open <= maxUnacked, `${open} of ${maxUnacked}`);
          if (i % 3 !== 0 || one.unanswered.length === 0) continue;
          answered++;
          one.answer();
        }
        one.quiet().says('communications-interrupted');
        assert.equal(one.state, 'normal');
        one.hear({ kind: 'updreq', xid: 77 });
        one.answerAll();
        assert.equal(one.last('upddone')?.xid, 77);
      },
    ),
    { numRuns: 60 },
  );
});

const SKEWS = [
  [4, false, false],
  [6, true, false],
  [60, true, false],
  [61, true, true],
] as const;
for (const profile of ['twinlease', 'draft', 'isc', 'msft'] as const)
  test(`1.11 the clock is compared on every message, reported above 5 s and refused above 60 s, ${profile}`, () => {
    for (const [skew, isReported, isRefused] of SKEWS)
      for (const kind of ['contact', 'updreq', 'poolresp'] as const) {
        const one = new Rig({ role: 'primary', profile }).into('normal').answerAll().quiet();
        one.hear({ kind, sentAt: (WALL + skew) as EpochSec });
        const codes = one.effects.flatMap((effect) => (effect.kind === 'event' ? [effect.code] : []));
        assert.equal(codes.includes('failover/time-skew'), isReported, `${kind} ${skew}`);
        assert.equal(one.endpoint.isCommunicating, !isRefused, `${kind} ${skew}`);
        const told = one.last('disconnect')?.rejectReason;
        assert.equal(told, isRefused && profile !== 'msft' ? 'time-mismatch' : undefined);
      }
  });

for (const state of ['recover', 'potential-conflict'] as const)
  test(`2.14-9 shutdown: a dhcpd in ${state}, which would go on alone without our leases, is not told`, () => {
    const one = new Rig({
      profile: 'isc',
      record: { state: 'partner-down', partnerDownAt: (WALL - 1000) as EpochSec },
    });
    one.into('partner-down').says(state === 'recover' ? 'recover' : 'communications-interrupted');
    one.says(state);
    one.quiet();
    assert.equal(one.command({ kind: 'shutdown' }), 'done');
    assert.deepEqual(one.all('state'), []);
    assert.ok(one.effects.some((effect) => effect.kind === 'close'));
    assert.equal(one.endpoint.deadlineMs, undefined);
    assert.notEqual(one.endpoint.record().state, 'recover');
  });

test('2.14-9 shutdown: a dhcpd that has all leases and waits for us goes on alone', () => {
  const one = new Rig({ profile: 'isc', record: { state: 'partner-down', partnerDownAt: (WALL - 1000) as EpochSec } });
  one.into('partner-down').says('recover-wait');
  one.quiet();
  one.command({ kind: 'shutdown' });
  assert.deepEqual(
    one.all('state').map((message) => message.serverState),
    ['shutdown'],
  );
});
