/** A shared secret set on one server of a running pair authenticates the link of both, and can be taken away again. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { DemoPair } from '../../demo/pair.ts';
import { eventually } from '../support/eventually.ts';

const NAME = 'secret pair';
const SECRET = 'correct horse battery staple';

test('a shared secret takes effect on both servers, is told to nobody, and goes with nil', async () => {
  const scope = {
    scopeId: '10.94.0.0',
    subnetMask: '255.255.255.0',
    startRange: '10.94.0.10',
    endRange: '10.94.0.250',
    name: 'lan',
    leaseDuration: 3600,
  };
  const pair = await DemoPair.open({ relationship: NAME, scopes: [scope], mcltSec: 600, mode: 'LoadBalance' });
  try {
    await normal(pair);
    for (const secret of [SECRET, null]) {
      await pair.alpha.ask('failover/set', { name: NAME, sharedSecret: secret, force: true });
      await normal(pair);
      for (const server of pair.servers) {
        const [shown] = await server.ask<{ enableAuth: boolean }[]>('failover/get-by-name', { name: [NAME] });
        assert.equal(shown?.enableAuth, secret !== null, server.options.name);
      }
    }
    for (const server of pair.servers) {
      assert.ok(!server.lines.some((line) => line.includes(SECRET)), 'the log does not show it');
      const audit = join(server.options.dataDirectory, 'state', 'audit.log');
      if (server === pair.alpha) assert.ok(!readFileSync(audit, 'utf8').includes(SECRET), 'nor does the audit log');
    }
  } finally {
    await pair.close();
  }
});

/** In contact again after the change: a look right after it may still see the old link. */
async function normal(pair: DemoPair): Promise<void> {
  let calm = 0;
  await eventually('both in Normal, and they stay', 30_000, async () => {
    calm = (await pair.isNormal(NAME)) ? calm + 1 : 0;
    return calm >= 10 ? true : undefined;
  });
}
