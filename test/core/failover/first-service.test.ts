/** The last moment of service is known after a crash, however short the life of the process was (specification 4.3, 4.4, I19). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EpochSec } from '../../../src/wire/units.ts';
import { MCLT, Rig, WALL } from './rig.ts';

const LONG_AGO = (WALL - 5000) as EpochSec;

for (const profile of ['twinlease', 'isc', 'draft', 'msft'] as const)
  test(`a server that served for a moment and crashed waits from that moment when its ${profile} partner went on alone`, () => {
    const first = new Rig({ profile, role: 'secondary', owner: 'backup', record: { lastOperationalAt: LONG_AGO } });
    first.into('normal');
    assert.ok(first.nowMs < 10_000, 'less than the interval of saving');
    const saved = first.effects.filter((effect) => effect.kind === 'save-relationship').at(-1);
    assert.ok(saved?.kind === 'save-relationship');
    const servedAt = first.wallAt;
    assert.ok(saved.record.lastOperationalAt > LONG_AGO, 'the moment of service is durable');

    const next = new Rig({ profile, role: 'secondary', owner: 'backup', record: saved.record });
    next.nowMs = first.nowMs + 2000;
    next.start().link();
    next.says('partner-down');
    assert.equal(next.state, 'recover');
    const { recoverWaitUntilAt } = next.endpoint.status(next.now);
    assert.ok(recoverWaitUntilAt >= servedAt + MCLT, `${recoverWaitUntilAt - servedAt}`);
  });
