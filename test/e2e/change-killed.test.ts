/**
 * A process killed in the middle of a change on two servers, at moments spread over the whole of it: once it is back, both
 * servers have the change or neither has, without anybody's help. `test/manage` kills at every single step; here it is real processes.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { DemoPair } from '../../demo/pair.ts';
import type { ServerProcess } from '../../demo/server-process.ts';
import { eventually } from '../support/eventually.ts';

const NAME = 'steady';
const SCOPE = scopeOf(0);
/** After the request has left, ms: preparing, the commit point and finishing lie within. */
const MOMENTS_MS = [0, 4, 8, 14, 22, 35];

for (const victimName of ['alpha', 'beta'] as const) {
  test(`${victimName} is killed while a relationship is being made: it is on both servers, or on neither`, async () => {
    const pair = await DemoPair.open({ relationship: NAME, scopes: [SCOPE], mcltSec: 600, mode: 'LoadBalance' });
    try {
      let made = 0;
      for (const [round, afterMs] of MOMENTS_MS.entries()) {
        const { scopeId, ...scope } = scopeOf(round + 1);
        await pair.alpha.ask('scope/add', scope);
        const name = `round ${round}`;
        const change = pair.alpha
          .call('failover/add-by-load-balance', { name, partnerServer: 'beta', scopeId: [scopeId] })
          .then(({ status }) => status)
          .catch(() => 'no answer');
        await new Promise((resolve) => setTimeout(resolve, afterMs));
        await pair[victimName].kill();
        const status = await change;
        await pair[victimName].start();
        const isMade = await settled(pair, name);
        if (status === 200) assert.ok(isMade, `${name} was answered with success and is not there`);
        if (isMade) made++;
      }
      assert.ok(made < MOMENTS_MS.length, 'some kill came in time');
    } finally {
      await pair.close();
    }
  });
}

/** Both say the same, nothing is open any more, and what is there reaches Normal. */
async function settled(pair: DemoPair, name: string): Promise<boolean> {
  return await eventually(`${name} is whole`, 60_000, async () => {
    const [here, there] = await Promise.all(pair.servers.map((server) => stateOf(server, name)));
    if ((here === undefined) !== (there === undefined)) return undefined;
    for (const server of pair.servers)
      if ((await server.ask<readonly unknown[]>('pair/changes')).length > 0) return undefined;
    if (here === undefined) return { isMade: false };
    return here === 'Normal' && there === 'Normal' ? { isMade: true } : undefined;
  }).then(({ isMade }) => isMade);
}

async function stateOf(server: ServerProcess, name: string): Promise<string | undefined> {
  const all = await server.ask<readonly { readonly name: string; readonly state: string }[]>(
    'failover/get-by-name',
    {},
  );
  return all.find((relationship) => relationship.name === name)?.state;
}

function scopeOf(number: number): Parameters<typeof DemoPair.open>[0]['scopes'][number] {
  return {
    scopeId: `10.95.${number}.0`,
    subnetMask: '255.255.255.0',
    startRange: `10.95.${number}.10`,
    endRange: `10.95.${number}.250`,
    name: `lan ${number}`,
    leaseDuration: 3600,
  };
}
