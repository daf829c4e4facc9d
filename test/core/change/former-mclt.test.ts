/** A longer MCLT of before stays known in the configuration for as long as leases by it may run (failover specification 6.5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formerMcltOf } from '../../../src/core/change/former-mclt.ts';
import type { FormerMclt } from '../../../src/core/config/model.ts';
import type { EpochSec } from '../../../src/wire/units.ts';

const START = 1_700_000_000;

test('a longer MCLT is remembered until leases by it have ended, and a shorter one leaves nothing to remember', () => {
  const now = START as EpochSec;
  assert.equal(formerMcltOf({ mcltSec: 60 }, 60, now), undefined);
  assert.equal(formerMcltOf({ mcltSec: 60 }, 3600, now), undefined);
  const lowered = formerMcltOf({ mcltSec: 3600 }, 60, now)!;
  assert.deepEqual(lowered, { sec: 3600, untilAt: START + 3660 });
  const again = { mcltSec: 600, formerMclt: lowered };
  assert.deepEqual(formerMcltOf(again, 60, (START + 100) as EpochSec), lowered);
  assert.deepEqual(formerMcltOf(again, 600, (START + 3660) as EpochSec), undefined);
});

test('whatever the changes, no lease by an MCLT that was ever in force outlives what is remembered', () => {
  const steps = fc.array(fc.record({ mcltSec: fc.integer({ min: 1, max: 7200 }), afterSec: fc.nat(4000) }));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7200 }), steps, (first, changes) => {
      let at = START;
      let mcltSec = first;
      let formerMclt: FormerMclt | undefined;
      const leases: { readonly endAt: number; readonly mcltSec: number }[] = [];
      for (const change of changes) {
        at += change.afterSec;
        // The longest first lease, given in the last moment.
        leases.push({ endAt: at + mcltSec, mcltSec });
        const present = formerMclt === undefined ? { mcltSec } : { mcltSec, formerMclt };
        formerMclt = formerMcltOf(present, change.mcltSec, at as EpochSec);
        mcltSec = change.mcltSec;
        for (const lease of leases) {
          if (lease.endAt <= at) continue;
          const waitSec = Math.max(mcltSec, formerMclt !== undefined && at < formerMclt.untilAt ? formerMclt.sec : 0);
          assert.ok(at + waitSec >= lease.endAt, `${JSON.stringify(lease)} at ${at}`);
        }
      }
    }),
  );
});
