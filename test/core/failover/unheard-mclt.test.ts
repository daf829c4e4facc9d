/** A changed MCLT of a primary whose partner is of another make, which hears of it in CONNECT alone (specification 1.8, 5.5, 6.5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EpochSec, Sec } from '../../../src/wire/units.ts';
import { CLIENT, FIRST, MCLT, Rig, WALL } from './rig.ts';

const LONG = 3600;

function apart(profile: 'isc' | 'draft', mcltSec: number = MCLT): Rig {
  const one = new Rig({ profile, config: { mcltSec: mcltSec as Sec } }).into('normal').answerAll();
  one.step({ kind: 'disconnected', why: 'cut' });
  return one;
}

function set(one: Rig, mcltSec: number): void {
  one.step({ kind: 'reconfigured', config: { ...one.config, mcltSec: mcltSec as Sec }, newScopeIds: [] });
}

function grantSec(one: Rig): number {
  return one.endpoint.rights.grantSec(one.now, 86_400 as Sec, one.find(FIRST));
}

for (const profile of ['isc', 'draft'] as const) {
  test(`6.5, ${profile}: a longer MCLT is used for leases only when the partner has heard of it, since it waits no longer than by the old one`, () => {
    const one = apart(profile);
    set(one, LONG);
    assert.equal(grantSec(one), MCLT);
    one.link();
    assert.equal(one.last('connect')?.mcltSec, LONG);
    assert.equal(grantSec(one), LONG);
  });

  test(`6.5, ${profile}: a longer MCLT that the partner has not heard of is not used after a restart either`, () => {
    const one = apart(profile);
    set(one, LONG);
    const again = new Rig({ profile, config: { mcltSec: LONG as Sec }, record: one.endpoint.record() }).start();
    assert.equal(grantSec(again), MCLT);
  });

  test(`5.5, ${profile}: while the partner has not heard of a shorter MCLT, PARTNER-DOWN waits by the one that it goes by`, () => {
    const one = apart(profile, LONG);
    set(one, MCLT);
    assert.equal(grantSec(one), MCLT);
    one.wait(2 * LONG);
    assert.equal(one.command({ kind: 'partner-down' }), 'done');
    const until = one.wallAt + LONG + one.limits.skewAllowanceSec;
    assert.equal(one.endpoint.rights.partnersUsableAt(one.now), until);
  });

  test(`6.5, ${profile}: after the partner has heard of a shorter MCLT, its leases of before are waited for`, () => {
    const one = apart(profile, LONG);
    set(one, MCLT);
    one
      .wait(2 * LONG)
      .link()
      .says('communications-interrupted');
    one.step({ kind: 'disconnected', why: 'cut' });
    one.command({ kind: 'partner-down' });
    const { skewAllowanceSec } = one.limits;
    assert.equal(one.endpoint.rights.partnersUsableAt(one.now), one.wallAt + LONG + skewAllowanceSec);
  });

  test(`6.5, ${profile}: taken back before the partner heard of it, a change leaves nothing`, () => {
    const one = apart(profile);
    set(one, LONG);
    set(one, MCLT);
    assert.equal(one.endpoint.record().adoptedMcltSec, undefined);
    one.lease(FIRST, CLIENT, MCLT);
    assert.equal(grantSec(one), MCLT);
  });
}

test('6.5: nobody has to hear of an MCLT that is changed before the first contact', () => {
  const record = { state: 'recover', stateSinceAt: WALL as EpochSec, partnerState: undefined } as const;
  const one = new Rig({ profile: 'isc', record }).start();
  set(one, LONG);
  assert.equal(grantSec(one), LONG);
});
