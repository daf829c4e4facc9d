/**
 * Backups and new keys in a pair of processes with clients: made while both serve, put back by the command line, and judged by
 * what the clients hold.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Crowd } from '../../demo/crowd.ts';
import { DemoPair } from '../../demo/pair.ts';
import type { ServerProcess } from '../../demo/server-process.ts';
import { formatIp4, toHex } from '../../src/wire/units.ts';
import { eventually } from '../support/eventually.ts';

const RELATIONSHIP = 'backed up';
const SCOPE = '10.93.0.0';

interface LeaseRow {
  readonly ipAddress: string;
  readonly clientId: string;
  readonly addressState: string;
}

describe('a pair that is backed up', () => {
  let pair: DemoPair;
  let crowd: Crowd;
  let backup = '';

  before(async () => {
    const scope = {
      scopeId: SCOPE,
      subnetMask: '255.255.252.0',
      startRange: '10.93.0.10',
      endRange: '10.93.3.250',
      name: 'lan',
      leaseDuration: 60,
    };
    pair = await DemoPair.open({ relationship: RELATIONSHIP, scopes: [scope], mcltSec: 10, mode: 'LoadBalance' });
    crowd = await Crowd.open({
      servers: pair.servers.map(({ options, dhcpPort }) => ({
        name: options.name,
        address: options.partnerAddress,
        port: dhcpPort,
      })),
      relayAddress: '127.0.0.1',
      links: [SCOPE],
      retransmitMs: 1000,
    });
    await normal(pair);
  });

  after(async () => {
    crowd?.close();
    await pair?.close();
  });

  test('a backup is made while clients are served', async () => {
    crowd.add(60);
    const made = await pair.beta.ask<{ readonly path: string; readonly includesIdentity: boolean }>('backup/make');
    backup = made.path;
    assert.equal(made.includesIdentity, false);
    await bound(crowd, 60);
    const { duplicates, lost, longestWaitMs } = crowd.stats();
    assert.deepEqual({ duplicates, lost }, { duplicates: 0, lost: 0 });
    assert.ok(longestWaitMs < 10_000, `${longestWaitMs} ms`);
  });

  test('a restore is refused while the server runs', () => {
    const refused = restore(pair.beta, backup, '--force');
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /is in use by process/);
  });

  test('a server that was put back recovers from its partner before it serves, and no client notices', async () => {
    crowd.add(40);
    await bound(crowd, 100);
    await pair.beta.kill();
    const done = restore(pair.beta, backup, '--force', '--json');
    assert.equal(done.status, 0, done.stderr);
    const answer = JSON.parse(done.stdout) as { relationships: string[]; keptAside: string[]; identity: string };
    assert.deepEqual([answer.relationships, answer.identity, answer.keptAside.length], [[RELATIONSHIP], 'kept', 2]);
    await pair.beta.start();
    await eventually('it recovers', 20_000, async () =>
      /^Recover/.test((await stateOf(pair.beta)) ?? '') ? true : undefined,
    );
    crowd.renewAll();
    crowd.add(20);
    await bound(crowd, 120);
    await normal(pair);
    await agree(pair, crowd);
    const { duplicates, lost, moved } = crowd.stats();
    assert.deepEqual({ duplicates, lost, moved }, { duplicates: 0, lost: 0, moved: 0 });
  });

  test('both keys are rotated while clients renew, and both servers come back to each other after a kill', async () => {
    const keys = pair.servers.map((server) => server.key);
    for (const server of pair.servers) {
      crowd.renewAll();
      await server.ask('pair/rotate');
    }
    assert.ok(await pair.isNormal(RELATIONSHIP));
    await pair.alpha.kill();
    await pair.alpha.start();
    await pair.beta.kill();
    await pair.beta.start();
    await normal(pair);
    for (const [i, server] of pair.servers.entries()) assert.notEqual(server.key, keys[i]);
    crowd.add(20);
    await bound(crowd, 140);
    await agree(pair, crowd);
    const { duplicates, lost, moved } = crowd.stats();
    assert.deepEqual({ duplicates, lost, moved }, { duplicates: 0, lost: 0, moved: 0 });
  });
});

function restore(server: ServerProcess, backup: string, ...options: readonly string[]) {
  const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
  const args = [join(main), 'restore', backup, '--data-dir', server.options.dataDirectory, ...options];
  return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000 });
}

async function stateOf(server: ServerProcess): Promise<string | undefined> {
  const rows = await server.ask<readonly { readonly state: string }[]>('failover/get-by-name', {
    name: [RELATIONSHIP],
  });
  return rows[0]?.state;
}

async function normal(pair: DemoPair): Promise<void> {
  await eventually('both in Normal', 60_000, async () => ((await pair.isNormal(RELATIONSHIP)) ? true : undefined));
}

async function bound(crowd: Crowd, count: number): Promise<void> {
  await eventually(`${count} clients hold a lease`, 30_000, () => {
    const stats = crowd.stats();
    if (stats.bound === count && stats.waiting === 0) return true;
    throw new Error(JSON.stringify(stats));
  });
}

/** Both servers hold the same bindings, and every lease of a client is among them. */
async function agree(pair: DemoPair, crowd: Crowd): Promise<void> {
  await eventually('both servers hold the same leases', 20_000, async () => {
    const rows = await Promise.all(
      pair.servers.map((server) => server.ask<readonly LeaseRow[]>('lease/get-by-scope-id', { scopeId: SCOPE })),
    );
    const [a = [], b = []] = rows.map((all) =>
      all.map((row) => `${row.ipAddress} ${row.clientId} ${row.addressState}`).sort(),
    );
    assert.deepEqual(a, b);
    const known = new Map((rows[0] ?? []).map((row) => [row.ipAddress, row.clientId]));
    for (const [address, hardware] of crowd.leases()) {
      assert.match(known.get(formatIp4(address)) ?? '', new RegExp(toHex(hardware, '-')));
    }
    return true;
  });
}
