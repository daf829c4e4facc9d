/** Who tells its state first on a connection with a partner that is declared as dhcpd (specification 2.14; `isAnnouncementHeld`). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EpochSec, Sec } from '../../../src/wire/units.ts';
import { MCLT, Rig } from './rig.ts';

function secondaryThatHears(vendorClass: string | undefined): Rig {
  const rig = new Rig({ role: 'secondary', profile: 'isc', owner: 'backup' }).start();
  rig.step({ kind: 'connected', dialled: false });
  rig.hear({
    kind: 'connect',
    xid: 1,
    relationshipName: 'pair',
    maxUnacked: 10,
    receiveTimerSec: 60 as Sec,
    vendorClass,
    protocolVersion: 1,
    tlsRequest: 0,
    mcltSec: MCLT as Sec,
    hashBuckets: new Uint8Array(32),
  });
  assert.equal(rig.last('connectack')?.rejectReason, undefined);
  return rig;
}

for (const [vendorClass, speaks] of [
  ['isc-4.4.3-P1', false],
  [undefined, false],
  ['twinlease/1', true],
] as const)
  test(`a secondary ${speaks ? 'tells its state with CONNECTACK to' : 'waits for the state of'} a primary of class ${vendorClass ?? 'unknown'}`, () => {
    const rig = secondaryThatHears(vendorClass);
    assert.equal(rig.all('state').length, speaks ? 1 : 0);
    rig.hear({ kind: 'state', xid: 2, serverState: 'normal', serverFlags: 0, stateSinceAt: 1 as EpochSec });
    assert.ok(rig.all('state').length > 0, 'it is told at the latest when the other is heard');
  });
