/** Specification 1.12: with a shared secret what was recorded cannot be played again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeRecord, encodeRecord } from '../../../src/core/pipeline/record-codec.ts';
import type { MessageKind } from '../../../src/wire/failover/messages.ts';
import type { EpochSec } from '../../../src/wire/units.ts';
import { isClosed, kindsOf, Rig, type RigOptions, WALL } from './rig.ts';

type Kind = 'draft' | 'msft';
const KINDS: readonly Kind[] = ['draft', 'msft'];
/** The clocks may differ by so much. */
const SKEW_SEC = 60;

function secondary(profile: Kind, options: RigOptions = {}): Rig {
  return new Rig({ role: 'secondary', profile, config: { hasDigest: true }, ...options }).start();
}

/** A new connection on which the partner's CONNECT has this time; the reason of the answer, if it is a refusal. */
function connectAt(rig: Rig, sentAt: number): string | undefined {
  rig.link({ sentAt: sentAt as EpochSec });
  return rig.all('connectack').at(-1)?.rejectReason;
}

for (const profile of KINDS) {
  test(`${profile}: a CONNECT that is not later than the last accepted one is refused with 4, a later one is taken [1.12 digest-replay]`, () => {
    const rig = secondary(profile);
    assert.equal(connectAt(rig, WALL), undefined);
    rig.wait(5);
    for (const old of [WALL - 1, WALL]) {
      assert.equal(connectAt(rig, old), 'time-mismatch');
      assert.ok(isClosed(rig.effects.slice(-2)));
    }
    assert.equal(rig.endpoint.status(rig.now).isConnected, false);
    assert.equal(connectAt(rig, WALL + 1), undefined);
    assert.equal(rig.endpoint.status(rig.now).isConnected, true);
  });

  test(`${profile}: the time of the last CONNECT is written before it is answered, and counts after a restart [1.12 digest-replay]`, () => {
    const rig = secondary(profile);
    connectAt(rig, WALL + 7);
    const saved = rig.effects.findIndex(
      (effect) => effect.kind === 'save-relationship' && effect.record.partnerConnectAt === WALL + 7,
    );
    const answered = rig.effects.findIndex((effect) => effect.kind === 'send' && effect.message.kind === 'connectack');
    assert.ok(saved >= 0 && saved < answered);
    const read = decodeRecord(encodeRecord({ kind: 'relationship', record: rig.endpoint.record() }));
    assert.ok(read.kind === 'ok' && read.value.kind === 'relationship');
    const again = secondary(profile, { record: read.value.record });
    assert.equal(connectAt(again, WALL + 7), 'time-mismatch');
    assert.equal(connectAt(again, WALL + 8), undefined);
  });

  test(`${profile}: a CONNECT that was refused does not count`, () => {
    const rig = secondary(profile);
    rig.link({ sentAt: (WALL + 20) as EpochSec, relationshipName: 'another' });
    assert.equal(connectAt(rig, WALL + 10), undefined);
  });

  test(`${profile}: a partner whose clock is set back is refused only until it has passed its last CONNECT [1.12 digest-replay]`, () => {
    const rig = secondary(profile);
    rig.partnerSkewSec = SKEW_SEC;
    assert.equal(connectAt(rig, rig.wallAt + SKEW_SEC), undefined);
    rig.partnerSkewSec = -SKEW_SEC;
    let refusedSec = 0;
    for (; connectAt(rig, rig.wallAt - SKEW_SEC) !== undefined; refusedSec++) rig.wait(1);
    assert.equal(refusedSec, 2 * SKEW_SEC + 1);
  });

  test(`${profile}: after our own clock was set back the remembered time, which has not come yet, bars nobody`, () => {
    const yearAhead = (WALL + 31_536_000) as EpochSec;
    const rig = secondary(profile, { record: { partnerConnectAt: yearAhead } });
    assert.equal(connectAt(rig, WALL), undefined);
    rig.wait(5);
    assert.equal(connectAt(rig, WALL), 'time-mismatch', 'from now on it counts again');
  });
}

for (const profile of ['twinlease', 'isc', 'draft', 'msft'] as const)
  test(`${profile}: without a digest of its own nothing is looked for, since anybody could have made it`, () => {
    const rig = new Rig({ role: 'secondary', profile, record: { partnerConnectAt: WALL as EpochSec } }).start();
    rig.link({ sentAt: WALL as EpochSec });
    assert.equal(rig.all('connectack').at(-1)?.rejectReason, undefined);
    rig.hear({ kind: 'state', serverState: 'normal', serverFlags: 0, stateSinceAt: WALL, xid: 9 });
    assert.ok(!isClosed(rig.hear({ kind: 'contact', xid: 9 })));
  });

const CALLS: readonly MessageKind[] = ['state', 'contact', 'bndupd', 'updreq', 'updreqall', 'poolreq'];

/** In NORMAL with a partner of the draft; the next message must have an xid above 5000. */
function talking(profile: Kind): Rig {
  const rig = new Rig({ profile, config: { hasDigest: true } }).into('normal');
  rig.hear({ kind: 'contact', xid: 5000 });
  return rig;
}

function call(rig: Rig, kind: MessageKind, xid: number) {
  const rest = kind === 'state' ? { serverState: 'normal', serverFlags: 0, stateSinceAt: WALL } : {};
  return rig.hear({ kind, xid, ...rest, ...(kind === 'bndupd' ? { updates: [] } : {}) });
}

for (const kind of CALLS)
  test(`draft: ${kind} with an xid that does not rise ends the connection; one that rises does not [1.12 digest-replay]`, () => {
    assert.ok(!isClosed(call(talking('draft'), kind, 5001)));
    for (const xid of [5000, 4999, 0]) {
      const rig = talking('draft');
      const effects = call(rig, kind, xid);
      assert.deepEqual(kindsOf(effects).slice(0, 1), ['disconnect'], 'and nothing is answered');
      assert.ok(isClosed(effects));
      assert.equal(rig.state, 'communications-interrupted');
    }
  });

test('draft: answers have our xids, and are not measured by the partner’s', () => {
  const rig = talking('draft');
  for (const kind of ['bndack', 'upddone', 'poolresp'] as const)
    assert.ok(!isClosed(rig.hear({ kind, xid: 1, answers: [], addressesTransferred: 0 })), kind);
  assert.ok(!isClosed(rig.hear({ kind: 'contact', xid: 5001 })));
});

test('draft: a new connection begins its xids anew', () => {
  const rig = talking('draft');
  rig.step({ kind: 'disconnected', why: 'cut' });
  rig.wait(6);
  rig.link();
  assert.ok(!isClosed(call(rig, 'state', 1)));
});

test('msft: whether its xids rise is not known, so it is not demanded', () => {
  assert.ok(!isClosed(call(talking('msft'), 'contact', 3)));
});

for (const profile of KINDS)
  test(`${profile}: the xids that we send rise on the wire, so that CONTACT waits its turn`, () => {
    const rig = new Rig({ profile, config: { hasDigest: true } }).into('normal');
    rig.answerAll().quiet().waitInContact(45);
    assert.ok(rig.all('contact').length > 0);
    assert.ok(!rig.effects.some((effect) => effect.kind === 'send-now'));
    const without = new Rig({ profile }).into('normal').answerAll().quiet().waitInContact(45);
    assert.ok(without.effects.some((effect) => effect.kind === 'send-now'));
  });
