/**
 * A whole pair as two processes on loopback, made through the public API, with a crowd of clients behind a relay. What a user
 * is promised is judged from outside: by the clients, and by asking both servers for their leases.
 */
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { Crowd } from '../../demo/crowd.ts';
import { DemoPair } from '../../demo/pair.ts';
import type { ServerProcess } from '../../demo/server-process.ts';
import { formatIp4, toHex } from '../../src/wire/units.ts';
import { eventually } from '../support/eventually.ts';

const RELATIONSHIP = 'test pair';
const SCOPE = '10.91.0.0';
const MCLT_SEC = 8;
const LEASE_SEC = 30;

interface LeaseRow {
  readonly ipAddress: string;
  readonly clientId: string;
  readonly addressState: string;
}

for (const mode of ['LoadBalance', 'HotStandby'] as const) {
  describe(`a pair in ${mode} mode`, () => {
    let pair: DemoPair;
    let crowd: Crowd;

    before(async () => {
      const scope = {
        scopeId: SCOPE,
        subnetMask: '255.255.252.0',
        startRange: '10.91.0.10',
        endRange: '10.91.3.250',
        name: 'lan',
        leaseDuration: LEASE_SEC,
      };
      pair = await DemoPair.open({ relationship: RELATIONSHIP, scopes: [scope], mcltSec: MCLT_SEC, mode });
      crowd = await Crowd.open({
        servers: pair.servers.map((server) => ({
          name: server.options.name,
          address: server.options.partnerAddress,
          port: server.dhcpPort,
        })),
        relayAddress: '127.0.0.1',
        links: [SCOPE],
        retransmitMs: 1000,
      });
    });

    after(async () => {
      crowd?.close();
      await pair?.close();
    });

    test('reaches NORMAL by itself and serves every client once', async () => {
      await normal(pair);
      crowd.add(60);
      await bound(crowd, 60);
      await agree(pair, crowd);
      const { duplicates, lost, ackedBy } = crowd.stats();
      assert.deepEqual({ duplicates, lost }, { duplicates: 0, lost: 0 });
      if (mode === 'LoadBalance')
        assert.ok((ackedBy['alpha'] ?? 0) > 5 && (ackedBy['beta'] ?? 0) > 5, JSON.stringify(ackedBy));
      else assert.equal(ackedBy['beta'], 0);
    });

    test('the server that answers is killed: leases are renewed and new clients served by the other, and it comes back', async () => {
      const victim = pair.alpha;
      await victim.kill();
      crowd.resetLongestWait();
      crowd.renewAll();
      crowd.add(30);
      await bound(crowd, 90);
      const { duplicates, lost, moved, longestWaitMs } = crowd.stats();
      assert.deepEqual({ duplicates, lost, moved }, { duplicates: 0, lost: 0, moved: 0 });
      assert.ok(longestWaitMs < 10_000, `${longestWaitMs} ms`);
      await victim.start();
      await normal(pair);
      await agree(pair, crowd);
    });

    test('the link alone is cut: both serve, and on healing both hold the same leases', async () => {
      for (const server of pair.servers) await server.call('drill/cut');
      await eventually('both notice', 15_000, async () =>
        (await states(pair)).every((state) => state === 'CommunicationInterrupted') ? true : undefined,
      );
      crowd.renewAll();
      crowd.add(40);
      await bound(crowd, 130);
      for (const server of pair.servers) await server.call('drill/heal');
      await normal(pair);
      await agree(pair, crowd);
      const { duplicates, lost, moved } = crowd.stats();
      assert.deepEqual({ duplicates, lost, moved }, { duplicates: 0, lost: 0, moved: 0 });
    });

    test('a server whose state was deleted recovers every lease and waits before it serves', async () => {
      const victim = pair.beta;
      await victim.kill();
      rmSync(join(victim.options.dataDirectory, 'state'), { recursive: true });
      await victim.start();
      await eventually('it recovers', 20_000, async () =>
        /^Recover/.test((await states(pair))[1] ?? '') ? true : undefined,
      );
      await normal(pair);
      await agree(pair, crowd);
    });

    test('a server put back from an old copy is told so and recovers', async () => {
      const victim = pair.beta;
      const state = join(victim.options.dataDirectory, 'state');
      const copy = join(pair.directory, 'old-copy');
      await victim.kill();
      cpSync(state, copy, { recursive: true });
      await victim.start();
      await normal(pair);
      crowd.add(20);
      await bound(crowd, 150);
      await agree(pair, crowd);
      await victim.kill();
      rmSync(state, { recursive: true });
      cpSync(copy, state, { recursive: true });
      await victim.start();
      await normal(pair);
      await agree(pair, crowd);
      assert.equal(crowd.stats().duplicates, 0);
    });

    test('partner-down by Set is refused in NORMAL and accepted once the partner is gone', async () => {
      const refused = await pair.beta.call('failover/set', { name: RELATIONSHIP, partnerDown: true });
      assert.equal(refused.body['messageId'], 'DHCP 20120');
      await pair.alpha.kill();
      await eventually('it notices', 15_000, async () =>
        (await stateOf(pair.beta)) === 'CommunicationInterrupted' ? true : undefined,
      );
      await pair.beta.ask('failover/set', { name: RELATIONSHIP, partnerDown: true });
      assert.equal(await stateOf(pair.beta), 'PartnerDown');
      await pair.alpha.start();
      await normal(pair);
      await agree(pair, crowd);
      const { duplicates, lost, moved } = crowd.stats();
      assert.deepEqual({ duplicates, lost, moved }, { duplicates: 0, lost: 0, moved: 0 });
    });
  });
}

async function stateOf(server: ServerProcess): Promise<string | undefined> {
  const rows = await server.ask<readonly { readonly state: string }[]>('failover/get-by-name', {
    name: [RELATIONSHIP],
  });
  return rows[0]?.state;
}

async function states(pair: DemoPair): Promise<(string | undefined)[]> {
  return await Promise.all(pair.servers.map(stateOf));
}

async function normal(pair: DemoPair): Promise<void> {
  await eventually('both in Normal', 60_000, async () =>
    (await pair.isNormal(RELATIONSHIP)) ? true : undefined,
  ).catch(async (error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(await states(pair))}`);
  });
}

async function bound(crowd: Crowd, count: number): Promise<void> {
  await eventually(`${count} clients hold a lease`, 30_000, () =>
    crowd.stats().bound === count && crowd.stats().waiting === 0 ? true : undefined,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(crowd.stats())}`);
  });
}

/** Both servers know every lease that a client holds, and hold the same bindings. */
async function agree(pair: DemoPair, crowd: Crowd): Promise<void> {
  await eventually('both servers hold the same leases', 20_000, async () => {
    const [a, b] = await Promise.all(
      pair.servers.map((server) => server.ask<readonly LeaseRow[]>('lease/get-by-scope-id', { scopeId: SCOPE })),
    );
    assert.deepEqual(shown(a ?? []), shown(b ?? []));
    const known = new Map((a ?? []).map((row) => [row.ipAddress, row.clientId]));
    for (const [address, hardware] of crowd.leases())
      assert.match(known.get(formatIp4(address)) ?? '', new RegExp(toHex(hardware, '-')));
    return true;
  });
}

function shown(rows: readonly LeaseRow[]): string[] {
  return rows.map((row) => `${row.ipAddress} ${row.clientId} ${row.addressState}`).sort();
}
