/** The rules for a partner of dhcpd, one by one, in both roles (specification 2.14). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { iscReaction } from '../../../src/core/failover/isc-rules.ts';
import { limitsOf } from '../../../src/core/failover/limits.ts';
import type { KeptState } from '../../../src/core/failover/states.ts';
import { encodeMessage } from '../../../src/wire/failover/codec.ts';
import type { FailoverMessage, OutMessage } from '../../../src/wire/failover/messages.ts';
import { listOptions, type RawOption } from '../../../src/wire/failover/options.ts';
import { type EpochSec, INFINITE_AT, type Sec } from '../../../src/wire/units.ts';
import { hardwareOf, IscLab } from './isc-lab.ts';
import { SCOPE } from './pair.ts';
import { address, CLIENT, FIRST, OTHER_CLIENT, Rig, sentOf, WALL } from './rig.ts';

const ROLES = ['primary', 'secondary'] as const;

function rig(role: 'primary' | 'secondary', options: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  return new Rig({ role, profile: 'isc', owner: role === 'primary' ? 'free' : 'backup', ...options });
}

/** In contact and NORMAL, with everything answered that this led to. */
function normal(role: 'primary' | 'secondary', options: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  const one = rig(role, options).into('normal');
  assert.equal(one.state, 'normal');
  return one.answerAll().quiet();
}

function optionCodes(message: OutMessage): number[] {
  const bytes = encodeMessage({ ...message, sentAt: WALL } as FailoverMessage, 'isc');
  const listed = listOptions(bytes, 12);
  assert.ok(listed.kind === 'ok');
  return listed.value.map((option) => option.code);
}

const ALLOWED_IN_UPDATES = [2, 3, 4, 5, 13, 18, 25, 6, 12];

for (const role of ROLES) {
  test(`2.14-1 as ${role}: one update in a BNDUPD, with dhcpd's options only, IP-flags in two octets or absent`, () => {
    const one = normal(role);
    for (let i = 0; i < 3; i++) {
      one.lease(FIRST + i, Uint8Array.of(1, 2, 2, 2, 2, 2, i), 60);
      one.table.change({
        ...one.find(FIRST + i),
        hostName: Uint8Array.of(104),
        policy: Uint8Array.of(112),
        dnsFlags: 5,
      });
    }
    one.answerAll();
    one.change({ ...one.find(FIRST), ipFlags: 1 });
    const updates = one.all('bndupd');
    assert.ok(updates.length >= 4);
    for (const message of updates) {
      assert.equal(message.updates.length, 1);
      const codes = optionCodes(message);
      assert.deepEqual(
        codes.filter((code) => !ALLOWED_IN_UPDATES.includes(code)),
        [],
      );
      const hasFlags = (message.updates[0]?.ipFlags ?? 0) !== 0;
      assert.equal(codes.includes(12), hasFlags);
    }
  });

  test(`2.14-2 as ${role}: max-unacked of at least 10 and a receive-timer of at least 3 are sent`, () => {
    const one = rig(role).start().link();
    const message = role === 'primary' ? one.last('connect') : one.last('connectack');
    assert.ok((message?.maxUnacked ?? 0) >= 10);
    assert.ok((message?.receiveTimerSec ?? 0) >= 3);
    assert.ok(limitsOf('isc').unackedMax >= 10 && limitsOf('isc').receiveTimerSec >= 3);
  });

  test(`2.14-3 as ${role}: each BNDUPD has one BNDACK with its xid, in order, with the address and a reject only`, () => {
    const one = normal(role);
    const update = (offset: number) => ({
      address: address(offset),
      state: 'active' as const,
      hardware: CLIENT,
      clientId: CLIENT,
      leaseEndAt: (WALL + 60) as EpochSec,
      potentialEndAt: (WALL + 90) as EpochSec,
    });
    for (const [i, offset] of [FIRST, FIRST + 1, 0, FIRST + 2].entries())
      one.hear({ kind: 'bndupd', xid: 70 + i, updates: [update(offset === 0 ? 70_000 : offset)] });
    const answers = one.all('bndack');
    assert.deepEqual(
      answers.map((answer) => answer.xid),
      [70, 71, 72, 73],
    );
    assert.deepEqual(
      answers.map((answer) => optionCodes(answer)),
      [[2], [2], [2, 21, 16], [2]],
    );
  });

  test(`2.14-4 as ${role}: the first STATE of a connection is never NORMAL, after a restart or a replaced connection either`, () => {
    const one = rig(role, { record: { state: 'normal' } })
      .start()
      .link();
    one.startupFlag('normal');
    assert.deepEqual(
      one.all('state').map((state) => state.serverState),
      ['communications-interrupted', 'normal'],
    );
    one.answerAll().quiet().link();
    assert.equal(one.state, 'communications-interrupted');
    one.says('normal');
    assert.deepEqual(
      one.all('state').map((state) => state.serverState),
      ['communications-interrupted', 'normal'],
    );
  });

  test(`2.14-5 as ${role}: a dhcpd that is NORMAL hears of no conflict; the connection is closed until it has left NORMAL`, () => {
    for (const state of ['potential-conflict', 'resolution-interrupted', 'conflict-done'] as const) {
      if (state === 'conflict-done' && role === 'secondary') continue;
      const one = rig(role, { record: { state } }).start().link();
      const effects = one.startupFlag('normal');
      assert.ok(
        effects.some((effect) => effect.kind === 'close'),
        state,
      );
      assert.deepEqual(one.all('state'), []);
      // By then it has gone on to COMMUNICATIONS-INTERRUPTED.
      one.wait(60).quiet().link().says('communications-interrupted');
      assert.deepEqual(
        one.all('state').map((told) => told.serverState),
        ['potential-conflict'],
        state,
      );
    }
  });

  test(`2.14-5 as ${role}: in PARTNER-DOWN a first NORMAL is answered with PARTNER-DOWN, and what dhcpd says then counts`, () => {
    for (const [second, expected] of [
      ['recover', 'partner-down'],
      ['potential-conflict', 'potential-conflict'],
    ] as const) {
      const one = rig(role, { record: { state: 'partner-down', partnerDownAt: (WALL - 500) as EpochSec } });
      one.start().wait(60).link();
      one.says('normal');
      assert.deepEqual(
        one.all('state').map((state) => state.serverState),
        ['partner-down'],
      );
      one.says(second);
      assert.equal(one.state, expected);
    }
  });

  test(`2.14-8 as ${role}: RECOVER-WAIT that lost its connection is announced as RECOVER, and everything is asked for again`, () => {
    const record = { state: 'recover' as const, recoverWaitUntilAt: (WALL + 5000) as EpochSec };
    const one = rig(role, { record }).start().link();
    one.says('partner-down');
    one.hear({ kind: 'upddone', xid: (one.last('updreqall') ?? one.last('updreq'))?.xid });
    assert.equal(one.last('state')?.serverState, 'recover-wait');
    one.step({ kind: 'disconnected', why: 'cut' });
    one.quiet().link().says('communications-interrupted');
    assert.deepEqual(
      one.all('state').map((state) => state.serverState),
      ['recover'],
    );
    assert.equal(one.all('updreqall').length, 1);
  });

  test(`2.14-8 as ${role}: a restart in RECOVER-WAIT begins with RECOVER`, () => {
    const record = { state: 'recover-wait' as const, recoverWaitUntilAt: (WALL + 5000) as EpochSec };
    const one = rig(role, { record }).start().link();
    one.says('communications-interrupted');
    assert.deepEqual(
      one.all('state').map((state) => state.serverState),
      ['recover'],
    );
    assert.equal(one.all('updreqall').length, 1);
  });

  test(`2.14-9 as ${role}: PAUSED and SHUTDOWN are sent when an operator says so, and never otherwise`, () => {
    for (const [command, state] of [
      ['pause', 'paused'],
      ['shutdown', 'shutdown'],
    ] as const) {
      const one = normal(role);
      one.step({ kind: 'disconnected', why: 'cut' });
      one.wait(1000).link().says('communications-interrupted');
      const isPassing = (told: { serverState?: string | undefined }): boolean =>
        told.serverState === 'paused' || told.serverState === 'shutdown';
      assert.ok(!one.all('state').some(isPassing));
      one.command({ kind: command });
      assert.equal(one.last('state')?.serverState, state);
    }
  });

  test(`2.14-12 as ${role}: PET is at least LET and never falls for one client`, () => {
    const one = normal(role);
    let before = 0;
    for (const [grantedSec, desiredSec] of [
      [60, 600],
      [600, 700],
      [60, 60],
      [900, 60],
    ] as const) {
      one.lease(FIRST, CLIENT, grantedSec, desiredSec);
      one.answerAll();
      const told = one.all('bndupd').at(-1)?.updates[0];
      assert.ok((told?.potentialEndAt ?? 0) >= (told?.leaseEndAt ?? INFINITE_AT));
      assert.ok((told?.potentialEndAt ?? 0) >= before);
      before = told?.potentialEndAt ?? 0;
    }
  });

  test(`2.14-13 as ${role}: the greatest of PET, LET and what was stored is kept; a missing CLTT is made up and equal is not older`, () => {
    const one = normal(role);
    const lease = { state: 'active' as const, hardware: CLIENT, stateSinceAt: (WALL - 50) as EpochSec };
    assert.equal(one.told({ ...lease, leaseEndAt: (WALL + 60) as EpochSec, potentialEndAt: 0 as EpochSec }), 'accept');
    assert.equal(one.find().recvPotentialAt, WALL + 60);
    assert.equal(one.find().lastTransactionAt, WALL - 50);
    assert.equal(
      one.told({ ...lease, leaseEndAt: (WALL + 60) as EpochSec, potentialEndAt: (WALL + 1) as EpochSec }),
      'accept',
    );
    assert.equal(one.find().recvPotentialAt, WALL + 60);
    // The release carries the old CLTT or none, and the moment of the release as LET.
    const released = { state: 'released' as const, hardware: CLIENT, stateSinceAt: (WALL - 50) as EpochSec };
    assert.equal(one.told({ ...released, leaseEndAt: (WALL - 51) as EpochSec }), 'outdated-binding-information');
    one.answerAll();
    assert.equal(one.told({ ...released, leaseEndAt: (WALL - 50) as EpochSec }), 'accept');
    assert.equal(one.find().state, 'free');
  });

  test(`2.14-14 as ${role}: after reject 16 or 2 ours is kept and told again after 30 s, or after dhcpd's next update`, () => {
    for (const reason of ['less-critical-binding-information', 'fatal-conflict'] as const) {
      const one = normal(role);
      one.lease(FIRST, CLIENT, 60);
      one.answer(reason);
      assert.deepEqual([one.find().state, one.find().hardware], ['active', CLIENT]);
      one.quiet().waitInContact(29);
      assert.deepEqual(one.all('bndupd'), [], reason);
      one.waitInContact(2);
      assert.equal(one.all('bndupd').length, 1, reason);
    }
  });

  test(`2.14-15 as ${role}: POOLREQ is answered even with 0, and ownership moves are taken from either role`, () => {
    const one = normal(role);
    const [answer] = sentOf(one.hear({ kind: 'poolreq', xid: 44 }));
    assert.deepEqual([answer?.kind, answer?.xid], ['poolresp', 44]);
    for (const state of ['backup', 'free'] as const) {
      const at = (WALL + 1) as EpochSec;
      const offset = FIRST + (state === 'free' ? 6 : 7);
      assert.equal(one.told({ address: address(offset), state, stateSinceAt: at, potentialEndAt: at }), 'accept');
      assert.equal(one.find(offset).state, state);
    }
  });

  test(`2.14-16 as ${role}: a first STATE without the flag may be a start-up STATE, and one with it counts like another`, () => {
    const one = rig(role, { record: { state: 'communications-interrupted' } })
      .start()
      .link();
    one.startupFlag('normal');
    assert.equal(one.state, 'normal');
    assert.equal(iscReaction('partner-down', 'communications-interrupted', true), 'hold');
    assert.equal(iscReaction('partner-down', 'communications-interrupted', false), 'by-table');
  });

  test(`2.14-17 as ${role}: an ACTIVE for another client is judged, though dhcpd itself would take it`, () => {
    const one = normal(role);
    one.lease(FIRST, CLIENT, 60);
    one.answerAll();
    const theirs = {
      hardware: OTHER_CLIENT,
      leaseEndAt: (WALL + 60) as EpochSec,
      lastTransactionAt: (WALL - 5) as EpochSec,
    };
    const verdict = one.told({ state: 'active', ...theirs });
    assert.equal(verdict, role === 'primary' ? 'fatal-conflict' : 'accept');
  });

  test(`2.14-19 as ${role}: an update that was dropped in a duel and is accepted all the same is repaired by one more`, () => {
    const one = normal(role);
    one.lease(FIRST, CLIENT, 60);
    const theirs = {
      hardware: OTHER_CLIENT,
      leaseEndAt: (WALL + 60) as EpochSec,
      lastTransactionAt: (WALL + 5) as EpochSec,
    };
    assert.equal(one.told({ state: 'active', ...theirs }), 'accept');
    one.quiet().answer();
    const repair = one.all('bndupd').flatMap((message) => message.updates);
    assert.deepEqual(
      repair.map((update) => [update.state, update.hardware]),
      [['active', OTHER_CLIENT]],
    );
  });

  test(`5.3 as ${role}: a lease without end is 0x7fffffff on the wire, and is one when it comes back`, () => {
    const one = normal(role);
    one.change({
      ...one.find(),
      state: 'active',
      hardware: CLIENT,
      ipFlags: 2,
      leaseEndAt: INFINITE_AT,
      sentPotentialAt: INFINITE_AT,
    });
    const message = one.last('bndupd');
    assert.ok(message !== undefined);
    const bytes = encodeMessage({ ...message, sentAt: WALL } as FailoverMessage, 'isc');
    const listed = listOptions(bytes, 12);
    assert.ok(listed.kind === 'ok');
    for (const code of [13, 18]) {
      const option: RawOption | undefined = listed.value.find((found) => found.code === code);
      assert.ok(option !== undefined);
      assert.deepEqual([...bytes.subarray(option.dataAt, option.end)], [0x7f, 0xff, 0xff, 0xff]);
    }
  });
}

test('2.14-6 a dhcpd in CONFLICT-DONE hears nothing but POTENTIAL-CONFLICT, RESOLUTION-INTERRUPTED, NORMAL or SHUTDOWN', () => {
  const states: readonly KeptState[] = [
    'recover',
    'recover-wait',
    'recover-done',
    'communications-interrupted',
    'partner-down',
    'potential-conflict',
    'resolution-interrupted',
  ];
  for (const state of states) {
    const recoverWaitUntilAt = (state === 'recover-wait' ? WALL + 500 : 0) as EpochSec;
    for (const isLeft of [false, true]) {
      const one = rig('secondary', { record: { state, recoverWaitUntilAt } }).start();
      if (isLeft) one.wait(60);
      one.quiet().link().says('conflict-done');
      const told = one.all('state').map((message) => message.serverState);
      assert.deepEqual(told, ['potential-conflict'], state);
      assert.equal(one.all('updreq').length + one.all('updreqall').length, 1);
      one.quiet();
      one.command({ kind: 'pause' });
      assert.deepEqual(one.all('state'), [], 'PAUSED would make it exit');
    }
  }
});

test('2.14-7 as primary POTENTIAL-CONFLICT comes before CONFLICT-DONE on each connection, and NORMAL after dhcpd has said it', () => {
  const one = rig('primary', { record: { state: 'partner-down', partnerDownAt: (WALL - 500) as EpochSec } });
  one.start().wait(60).link().says('partner-down');
  one.says('potential-conflict');
  one.hear({ kind: 'upddone', xid: one.last('updreq')?.xid });
  one.hear({ kind: 'updreq', xid: 900 });
  const told = (): (string | undefined)[] => one.all('state').map((state) => state.serverState);
  assert.deepEqual(told(), ['partner-down', 'potential-conflict', 'conflict-done']);
  one.step({ kind: 'disconnected', why: 'cut' });
  assert.equal(one.state, 'conflict-done');
  one.quiet().link().says('resolution-interrupted');
  assert.deepEqual(told(), ['potential-conflict']);
  one.says('potential-conflict');
  one.hear({ kind: 'upddone', xid: one.last('updreq')?.xid });
  assert.deepEqual(told(), ['potential-conflict', 'conflict-done']);
  one.says('normal');
  assert.deepEqual(told(), ['potential-conflict', 'conflict-done', 'normal']);
});

for (const role of ROLES)
  for (const isAfterRestart of [false, true])
    test(`2.5 as ${role}${isAfterRestart ? ', restarted meanwhile' : ''}: a dhcpd that lost its leases in a conflict gets all of them, and waits before it serves`, () => {
      const lab = new IscLab({ role, mcltSec: 60 });
      lab.start().settle().advance(2);
      lab.lease('us', 'c1', 3000);
      lab.settle().advance(2);
      lab.cut();
      lab.command({ kind: 'partner-down' });
      lab.lease('us', 'c2', 3000);
      lab.isCut = false;
      // As far as both say POTENTIAL-CONFLICT.
      while (lab.states !== 'potential-conflict / potential-conflict') lab.deliver(1, 1);
      lab.kill('dhcpd');
      assert.equal(lab.endpoint.state, 'resolution-interrupted');
      if (isAfterRestart) {
        lab.kill('us');
        lab.revive('us');
      }
      lab.revive('dhcpd', true);
      lab.advance(30);
      assert.equal(lab.states, 'communications-interrupted / recover-wait');
      assert.equal(lab.lease('dhcpd', 'c3'), undefined);
      assert.equal(lab.dhcpdCount('active'), 2);
      assert.deepEqual(lab.differences(), []);
      lab.advance(90);
      assert.equal(lab.states, 'normal / normal');
      assert.deepEqual(lab.differences(), []);
      assert.deepEqual(lab.clashes, []);
    });

test('2.5 only the first STATE of a connection tells of lost leases; outside a conflict RECOVER is what the table says', () => {
  for (const mine of ['potential-conflict', 'resolution-interrupted', 'conflict-done'] as const) {
    assert.equal(iscReaction(mine, 'recover', true), 'start-over');
    assert.equal(iscReaction(mine, 'recover', false), 'by-table');
  }
  for (const mine of ['normal', 'communications-interrupted', 'partner-down', 'recover', 'recover-done'] as const)
    assert.equal(iscReaction(mine, 'recover', true), 'by-table');
});

test('2.14-10 as secondary a lease that is over stays until the primary in NORMAL expires it, in the very second of its end', () => {
  const one = normal('secondary');
  one.lease(FIRST, CLIENT, 60);
  one.answerAll().quiet().waitInContact(300);
  assert.deepEqual(one.all('bndupd'), []);
  assert.equal(one.find().state, 'active');
  const ended = { state: 'expired' as const, hardware: CLIENT, stateSinceAt: WALL as EpochSec };
  assert.equal(one.told({ ...ended, leaseEndAt: one.find().leaseEndAt }), 'accept');
  assert.equal(one.find().state, 'free');
  const other = normal('secondary');
  other.lease(FIRST, CLIENT, 60);
  other.answerAll().waitInContact(60);
  assert.equal(other.wallAt, other.find().leaseEndAt);
  assert.equal(other.told({ ...ended, leaseEndAt: other.find().leaseEndAt }), 'accept');
});

test('2.14-10 as secondary alone it ends leases, and takes back those that the primary never heard of', () => {
  const one = normal('secondary');
  one.step({ kind: 'disconnected', why: 'cut' });
  assert.equal(one.find(FIRST + 6).state, 'backup');
  one.lease(FIRST + 6, CLIENT, 60);
  one.wait(70);
  assert.equal(one.find(FIRST + 6).state, 'backup');
});

test('2.14-11 as primary EXPIRED is told after the end, and BACKUP only after its BNDACK', () => {
  const one = normal('primary');
  one.lease(FIRST, CLIENT, 60);
  one.answerAll().quiet().waitInContact(70);
  assert.deepEqual(
    one.unanswered.map((update) => [update.address, update.state]),
    [[address(FIRST), 'expired']],
  );
  one.waitInContact(40);
  assert.ok(
    !one
      .all('bndupd')
      .some(({ updates }) => updates.some((u) => u.address === address(FIRST) && u.state !== 'expired')),
  );
  one.answer();
  assert.equal(one.find().state, 'free');
});

test('2.14-11 an address that was freed in PARTNER-DOWN is told as EXPIRED, not FREE, when dhcpd asks for everything', () => {
  const record = { state: 'partner-down' as const, partnerDownAt: (WALL - 5000) as EpochSec };
  const lease = { state: 'active' as const, hardware: CLIENT, leaseEndAt: (WALL - 100) as EpochSec, told: true };
  const one = rig('primary', { record, bindings: [lease] });
  one.start().wait(60);
  assert.equal(one.find().state, 'free');
  one.link().says('recover');
  one.hear({ kind: 'updreqall', xid: 7 });
  const told = one
    .all('bndupd')
    .flatMap((message) => message.updates)
    .filter((update) => update.address === address(FIRST));
  assert.deepEqual(
    told.map((update) => [update.state, update.hardware]),
    [['expired', CLIENT]],
  );
  one.answerAll();
  assert.equal(one.find().dirty, false);
  assert.equal(one.last('upddone')?.xid, 7);
});

test('2.14-18 as primary no available address is ever taken back from dhcpd with FREE', () => {
  const lab = new IscLab({ role: 'primary', poolSize: 12 });
  lab.start().settle().advance(3);
  for (let i = 0; i < 6; i++) lab.lease('us', `c${i}`, 400);
  lab.advance(400);
  const taken = lab.sent.filter(
    (message) =>
      message.kind === 'bndupd' &&
      message.updates.some((u) => u.state === 'free' && u.stateSinceAt !== undefined && u.stateSinceAt !== 0),
  );
  assert.deepEqual(taken, []);
});

test('2.10 an EXPIRED of a dhcpd whose clock is ahead is refused while our client holds the lease, and settled later', () => {
  const one = normal('secondary');
  one.lease(FIRST, CLIENT, 60);
  one.answerAll().quiet().waitInContact(50);
  const ended = { state: 'expired' as const, hardware: CLIENT, leaseEndAt: one.find().leaseEndAt };
  assert.equal(one.told(ended, one.wallAt + 10), 'outdated-binding-information');
  assert.deepEqual(one.all('bndupd'), [], 'at once it would only say the same again');
  one.waitInContact(31);
  assert.equal(one.all('bndupd').length, 1);
  assert.equal(one.told(ended), 'less-critical-binding-information');
  one.answerAll();
  assert.equal(one.told(ended), 'accept');
});

test('5.3 a reserved lease that dhcpd refuses with 19 is told again without the flag', () => {
  const one = normal('primary', { reserved: [FIRST] });
  one.change({ ...one.find(), state: 'active', hardware: CLIENT, ipFlags: 1, leaseEndAt: (WALL + 60) as EpochSec });
  assert.equal(one.last('bndupd')?.updates[0]?.ipFlags, 1);
  one.answer('ip-not-reserved');
  assert.deepEqual(
    [one.last('bndupd')?.updates[0]?.state, one.last('bndupd')?.updates[0]?.ipFlags],
    ['active', undefined],
  );
  one.answer();
  assert.equal(one.find().dirty, false);
  assert.equal(one.find().ipFlags, 1);
});

test('5.3 FREE with the reserved flag is taken from dhcpd, BACKUP with it only where the address is reserved here', () => {
  const one = normal('secondary', { reserved: [FIRST] });
  const at = (WALL + 1) as EpochSec;
  assert.equal(one.told({ state: 'free', ipFlags: 1, stateSinceAt: at }), 'accept');
  assert.equal(one.told({ state: 'backup', ipFlags: 1, stateSinceAt: at }), 'accept');
  assert.equal(
    one.told({ address: address(FIRST + 1), state: 'backup', ipFlags: 1, stateSinceAt: at }),
    'ip-not-reserved',
  );
});

test('1.8-7 the MCLT that dhcpd as primary told is kept: it holds out of contact, after a restart, and after a change here', () => {
  const one = rig('secondary').start().link({ mcltSec: 300 });
  one.says('communications-interrupted');
  assert.equal(one.endpoint.record().adoptedMcltSec, 300);
  const again = rig('secondary', { record: one.endpoint.record() }).start();
  again.wait(60);
  assert.equal(again.state, 'communications-interrupted');
  assert.equal(again.endpoint.rights.grantSec(again.now, 5000 as Sec, undefined), 300);
  again.step({ kind: 'reconfigured', config: { ...again.config, percentage: 60 }, newScopeIds: [] });
  assert.equal(again.endpoint.rights.grantSec(again.now, 5000 as Sec, undefined), 300);
  again.link({ mcltSec: 60 }).says('communications-interrupted');
  assert.equal(again.endpoint.rights.grantSec(again.now, 5000 as Sec, undefined), 60);
});

test('1.1 as primary CONNECT is sent on the connection that comes up, whoever opened it; as secondary dialling goes on too', () => {
  for (const dialled of [false, true]) {
    const one = rig('primary').start();
    const effects = one.step({ kind: 'connected', dialled });
    assert.deepEqual(
      sentOf(effects).map((message) => message.kind),
      ['connect'],
    );
  }
  const secondary = rig('secondary').start();
  assert.ok(secondary.effects.some((effect) => effect.kind === 'dial'));
  assert.deepEqual(sentOf(secondary.step({ kind: 'connected', dialled: true })), []);
});

test('1.8-10 the second of two connections opened at once may not replace the first; a silent one may be replaced', () => {
  for (const role of ROLES) {
    const one = normal(role);
    assert.equal(one.endpoint.mayReplaceLink(one.now), false);
    one.wait(31);
    assert.equal(one.endpoint.mayReplaceLink(one.now), true);
    assert.equal(rig(role).start().endpoint.mayReplaceLink(one.now), true);
  }
});

test('2.8 a lease of ours is known by dhcpd for its own renewals, and the other way round', () => {
  for (const role of ROLES) {
    const lab = new IscLab({ role, poolSize: 8 });
    lab.start().settle().advance(2);
    const first = lab.lease('us', 'c1', 600);
    lab.settle();
    const renewed = lab.lease('dhcpd', 'c1', 600);
    assert.equal(renewed?.address, first?.address);
    assert.equal((renewed?.endsAt ?? 0) - lab.now.wallAt, 600, 'what we promised counts there');
    lab.settle().advance(1);
    assert.equal((lab.lease('us', 'c1', 600)?.endsAt ?? 0) - lab.now.wallAt, 600);
    lab.settle();
    assert.deepEqual(lab.differences(), []);
    assert.deepEqual(hardwareOf('c1'), lab.table.find(first!.address)?.hardware);
  }
});

test('8.5 as primary half is given to dhcpd whatever the share of clients, as dhcpd does; the rest would come back', () => {
  for (const [percentage, expected] of [
    [20, 10],
    [50, 10],
    [80, 10],
  ] as const) {
    const lab = new IscLab({ role: 'primary', poolSize: 20, config: { percentage } });
    lab.start().settle().advance(3);
    assert.equal(lab.table.counts(SCOPE).backup, expected);
    const before = lab.sent.length;
    lab.advance(300);
    assert.ok(!lab.sent.slice(before).some((message) => message.kind === 'bndupd'), 'nothing goes to and fro');
  }
});
