/** Specification 1.1, 1.7 to 1.11, 1.13: connections of the real endpoint. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketsOf } from '../../../src/core/failover/context.ts';
import { limitsOf } from '../../../src/core/failover/endpoint.ts';
import { hashBucketsForPercent } from '../../../src/wire/failover/hash-buckets.ts';
import { type BindingUpdate, REJECT_REASONS, type RejectReason } from '../../../src/wire/failover/messages.ts';
import type { Ip4, Sec } from '../../../src/wire/units.ts';
import { PROFILES, ROLES } from '../../clauses/parties.ts';
import { at, everyBinding } from './clauses-fixtures.ts';
import { address, CLIENT, eventsOf, FIRST, isClosed, kindsOf, MCLT, OTHER_CLIENT, Rig, WALL } from './rig.ts';

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
    const isLater =
      reason === 'outdated-binding-information' ||
      reason === 'less-critical-binding-information' ||
      reason === 'fatal-conflict';
    const isAlarm = reason !== 'outdated-binding-information' && reason !== 'less-critical-binding-information';
    assert.equal(eventsOf(effects).includes('failover/update-rejected'), isAlarm);
    rig.quiet().waitInContact(31);
    assert.equal(rig.all('bndupd').length > 0, isLater, 'compared again after 30 s');
  });

const active = (change: Omit<Partial<BindingUpdate>, 'state'> = {}): Partial<BindingUpdate> & { state: 'active' } => ({
  address: address(FIRST),
  state: 'active',
  hardware: CLIENT,
  leaseEndAt: at(WALL + 500),
  potentialEndAt: at(WALL + 900),
  lastTransactionAt: at(WALL + 100),
  ...change,
});
const OURS = {
  address: address(FIRST),
  state: 'active',
  hardware: CLIENT,
  leaseEndAt: at(WALL + 500),
  lastTransactionAt: at(WALL + 50),
  stateSinceAt: at(WALL + 50),
} as const;
const SENT: readonly (readonly [RejectReason, string, () => RejectReason | 'accept' | 'none' | undefined])[] = [
  ['illegal-ip-address', 'an address of no pool', () => new Rig().into('normal').told(active({ address: 1 as Ip4 }))],
  [
    'fatal-conflict',
    'another client’s lease, told to the primary',
    () => new Rig({ bindings: [OURS] }).into('normal').told(active({ hardware: OTHER_CLIENT })),
  ],
  ['missing-binding-information', 'no client', () => new Rig().into('normal').told(active({ hardware: undefined }))],
  [
    'unknown',
    'a malformed hardware address',
    () => new Rig().into('normal').told(active({ hardware: Uint8Array.of(0, 1) })),
  ],
  [
    'outdated-binding-information',
    'a release older than the lease',
    () =>
      new Rig({ bindings: [OURS] })
        .into('normal')
        .told({ ...active({ lastTransactionAt: at(WALL + 40) }), state: 'released' as const }),
  ],
  [
    'less-critical-binding-information',
    'an address set aside here',
    () =>
      new Rig({ profile: 'draft', bindings: [{ ...OURS, state: 'abandoned', hardware: undefined }] })
        .into('normal')
        .told(active()),
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
    assert.equal(
      rig.effects.some((effect) => effect.kind === 'dial'),
      opens,
      `${profile} ${role}`,
    );
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
      assert.deepEqual(
        rig.sent.map((message) => message.kind),
        role === 'primary' ? ['connect'] : [],
        `${profile} ${role}`,
      );
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
  const ack = {
    kind: 'connectack',
    relationshipName: 'pair',
    protocolVersion: 1,
    maxUnacked: 10,
    receiveTimerSec: 10,
  } as const;
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

test('of two of ours the secondary never grants by a longer MCLT that was told, but waits by it', () => {
  const longer = MCLT * 5;
  const rig = new Rig({ role: 'secondary' }).start().link({ mcltSec: longer });
  rig.says('communications-interrupted');
  assert.equal(rig.endpoint.rights.grantSec(rig.now, 5000 as Sec, undefined), MCLT);
  assert.equal(waitAfterPartnerDown(rig), longer + 5);
});

test('what the primary gave by a longer MCLT is waited for after it told the shorter one, and as long as it may run', () => {
  for (const [laterSec, waitSec] of [
    [10, MCLT * 5],
    [MCLT * 5 + 6, MCLT],
  ] as const) {
    const rig = new Rig({ role: 'secondary' }).start().link({ mcltSec: MCLT * 5 });
    rig.says('communications-interrupted');
    rig.step({ kind: 'disconnected', why: 'again' });
    rig.link().says('communications-interrupted');
    rig.waitInContact(laterSec);
    assert.equal(waitAfterPartnerDown(rig), waitSec + 5, `${laterSec} s later`);
  }
});

test('of two of ours the secondary grants by a shorter MCLT that was told, and waits by its own', () => {
  const rig = new Rig({ role: 'secondary' }).start().link({ mcltSec: MCLT / 2 });
  rig.says('communications-interrupted');
  assert.equal(rig.endpoint.rights.grantSec(rig.now, 5000 as Sec, undefined), MCLT / 2);
  assert.equal(waitAfterPartnerDown(rig), MCLT + 5);
});

/** How long the partner's addresses are not used after it was declared down. */
function waitAfterPartnerDown(rig: Rig): number {
  rig.step({ kind: 'disconnected', why: 'cut' });
  rig.command({ kind: 'partner-down' });
  return (rig.endpoint.rights.partnersUsableAt(rig.now) ?? 0) - rig.endpoint.record().partnerDownAt;
}

test('step 8: the hash buckets of CONNECT hold in NORMAL [1.8 step-8] [D 7.8.2 hba]', () => {
  for (const profile of ['draft', 'isc'] as const) {
    const rig = new Rig({ role: 'secondary', owner: 'free', profile })
      .start()
      .link({ hashBuckets: new Uint8Array(32).fill(0x01) });
    rig.says('communications-interrupted');
    rig.told({ address: address(FIRST), state: 'backup' });
    for (let bucket = 0; bucket < 16; bucket++) assert.equal(answersBucket(rig, bucket), bucket % 8 !== 0, profile);
  }
});

test('two of ours go by their own configuration, which both have by the time a change is made', () => {
  const told = hashBucketsForPercent(50);
  const rig = new Rig({ role: 'secondary', owner: 'free', config: { percentage: 5 } })
    .start()
    .link({ hashBuckets: told });
  rig.says('communications-interrupted');
  rig.told({ address: address(FIRST), state: 'backup' });
  assert.notDeepEqual(told, bucketsOf(rig.config));
  for (let bucket = 0; bucket < 256; bucket++)
    assert.equal(answersBucket(rig, bucket), bucket >= 13, `bucket ${bucket}`);
});

function answersBucket(rig: Rig, bucket: number): boolean {
  const ask = { scopeId: rig.config.scopeIds[0]!, bucket, secs: 0, unansweredMs: 0 };
  return rig.endpoint.rights.answers(rig.now, ask).yes;
}

test('after a rejecting CONNECTACK the sender closes [1.8 secondary/after-reject]', () => {
  const rig = new Rig({ role: 'secondary' }).start().link({ relationshipName: 'x' });
  const last = rig.effects.filter((effect) => effect.kind === 'send' || effect.kind === 'close').slice(-2);
  assert.ok(last[0]?.kind === 'send' && last[0].message.kind === 'connectack' && last[1]?.kind === 'close');
});

test('after an accepting CONNECTACK STATE follows at once [1.8 secondary/after-accept] [D 7.10 after-connectack]', () => {
  for (const profile of ['twinlease', 'draft', 'msft'] as const) {
    const rig = new Rig({ role: 'secondary', profile }).start().link();
    assert.deepEqual(
      rig.sent.map((message) => message.kind),
      ['connectack', 'state'],
      profile,
    );
  }
  // Toward dhcpd the first STATE waits for its own (2.14-5, 6).
  const isc = new Rig({ role: 'secondary', profile: 'isc' }).start().link();
  assert.deepEqual(
    isc.sent.map((message) => message.kind),
    ['connectack'],
  );
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
  assert.deepEqual(
    rig.sent.map((message) => message.kind),
    ['connect', 'state'],
  );
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
    const order = rig.effects.flatMap((effect) =>
      effect.kind === 'close' ? ['close'] : effect.kind === 'send' ? [effect.message.kind] : [],
    );
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
    const rig = new Rig({
      limits: { receiveTimerSec: 1000 as Sec, lastOperationalEverySec: 5000 as Sec, balanceEveryMs: 5_000_000 },
    })
      .start()
      .link({ receiveTimerSec });
    rig.says('paused');
    rig.quiet().wait(everySec * 10);
    assert.ok(
      rig.all('contact').length >= 9 && rig.all('contact').length <= 10,
      `${rig.all('contact').length} in ten thirds`,
    );
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
        leaseEndAt: at(WALL + 5000),
        sentPotentialAt: at(WALL + 5000),
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
  const rig = new Rig({ bindings: everyBinding(), limits: { updatesPerMessageMax: 1 } })
    .start()
    .link({ maxUnacked: 1 });
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
  const rig = new Rig({ poolSize: 40, bindings: everyBinding() }).start().link({ maxUnacked: 1 });
  rig.says('communications-interrupted');
  assert.equal(rig.all('bndupd').length, 1);
  assert.ok(rig.last('bndupd')!.updates.length > 5);
});

test('answers that come late, or never within a minute, are no trouble before that [1.10 lazy-answers]', () => {
  const rig = new Rig({ profile: 'isc', bindings: everyBinding() }).into('normal');
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
    assert.deepEqual(
      [leaseEndAt, recvPotentialAt, lastTransactionAt],
      [at(WALL + 500), at(WALL + 900), at(WALL + 100)],
      profile,
    );
  }
});

test('the allowance is 5 s, 60 s toward others, or the greatest difference, also after a restart [1.11 allowance]', () => {
  for (const [profile, least] of [
    ['twinlease', 5],
    ['isc', 60],
    ['draft', 60],
    ['msft', 60],
  ] as const) {
    const record = { state: 'partner-down', partnerDownAt: at(WALL + 0) } as const;
    const rig = new Rig({ profile, record }).start().wait(60);
    assert.equal(rig.endpoint.rights.partnersUsableAt(rig.now), WALL + 60 + least, profile);
    const skewed = new Rig({ profile, record: { ...record, skewSec: 77 as Sec } }).start().wait(60);
    assert.equal(skewed.endpoint.rights.partnersUsableAt(skewed.now), WALL + 60 + 77, profile);
  }
});

/* 1.13 */

test('xids are unique per connection and begin anew on the next [1.13 unique] [1.13 across-connections] [D 6.1 unique-xid]', () => {
  const rig = new Rig({ bindings: everyBinding() }).into('normal');
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
  const connect = {
    relationshipName: 'pair',
    maxUnacked: 9,
    receiveTimerSec: 9,
    protocolVersion: 1,
    mcltSec: 60,
    hashBuckets: new Uint8Array(32),
  };
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
  const rig = new Rig({ bindings: everyBinding(), limits: { updatesPerMessageMax: 1 } }).into('normal');
  rig.hear({ kind: 'updreqall', xid: 501 });
  rig.hear({ kind: 'updreqall', xid: 502 });
  rig.answerAll();
  assert.deepEqual(
    rig.all('upddone').map((message) => message.xid),
    [502],
  );
});
