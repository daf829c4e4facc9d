/** A server that doubts its clock says so, and an operator's word ends it for good. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeRecord } from '../../src/core/pipeline/record-codec.ts';
import { CLOCK_GAP_MAX_SEC } from '../../src/server/clock.ts';
import { nodeFileLayer } from '../../src/store/file-layer.ts';
import { DEFAULT_STORE_LIMITS, openStore } from '../../src/store/store.ts';
import type { EpochSec } from '../../src/wire/units.ts';
import { LiveServer } from './live.ts';

/** The server's last durable time is so far from now. */
async function lastAliveAt(live: LiveServer, fromNowSec: number): Promise<void> {
  await live.stop();
  const opened = await openStore(join(live.directory, 'state'), nodeFileLayer, DEFAULT_STORE_LIMITS, {
    restore: () => ({ kind: 'ok' }),
    record: () => ({ kind: 'ok' }),
  });
  assert.ok(opened.kind === 'ok');
  const wallAt = (Math.floor(Date.now() / 1000) + fromNowSec) as EpochSec;
  opened.store.append(encodeRecord({ kind: 'heartbeat', wallAt }));
  opened.store.kick();
  await opened.store.settled();
  await opened.store.close();
  await live.start();
}

for (const [kind, fromNowSec] of [
  ['behind-store', 86_400],
  ['long-gap', -CLOCK_GAP_MAX_SEC - 3600],
] as const) {
  test(`a doubt (${kind}) stays over a restart, a snapshot and what-if, and ends for good with trust-clock`, async (t) => {
    const live = await LiveServer.open(t, 'alpha');
    await lastAliveAt(live, fromNowSec);
    await live.ask('backup.make');
    await live.stop();
    await live.start();
    assert.equal(live.server.clock.doubt?.kind, kind, 'the snapshot did not take the doubtful time for a good one');
    await live.run('server.trust-clock', {}, true);
    assert.equal(live.server.clock.doubt?.kind, kind);
    const { Doubt } = await live.ask<{ Doubt: string }>('server.trust-clock');
    assert.match(Doubt, new RegExp(`^${kind}, `));
    assert.equal(live.server.clock.doubt, undefined);
    await live.stop();
    await live.start();
    assert.equal(live.server.clock.doubt, undefined);
    assert.equal((await live.ask<{ Doubt: string | null }>('server.trust-clock')).Doubt, null);
  });
}
