/**
 * What happens to clients when one of two machines fails, in both modes: its server is killed, the machine vanishes without a word,
 * its interface toward the clients goes down, its disk fills up. Each is a pair of its own in network namespaces; they run side by side. Judged
 * by a stock client, which keeps its address, and by a crowd, which counts how long anybody waited.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { ServerProcess } from '../../demo/server-process.ts';
import { needProgram, needRoot } from '../net/need.ts';
import { CrowdProcess } from '../support/crowd-client.ts';
import { LAN, Machines, NamespacePair } from '../support/namespace-pair.ts';
import { StockClient } from '../support/stock-clients.ts';

const SCOPE = '10.91.0.0';
const ALPHA = '10.91.0.1';
const BETA = '10.91.0.2';
const RELAY = '10.91.0.3';
const MCLT_SEC = 20;
const LEASE_SEC = 40;
const OLD_CLIENTS = 40;
const NEW_CLIENTS = 30;
/** Room for the state of an idle server with some to spare, quickly filled. */
const DISK_BYTES = 192 * 1024 * 1024;

interface Fault {
  readonly name: string;
  /** No client waits longer than this. */
  readonly waitMaxMs: number;
  readonly hasSmallDisk?: boolean;
  strike(pair: NamespacePair, victim: ServerProcess): Promise<void> | void;
  /** What must be true of the victim in the end. */
  after?(pair: NamespacePair, victim: ServerProcess): Promise<void>;
}

const FAULTS: readonly Fault[] = [
  {
    name: 'the server is killed',
    waitMaxMs: 10_000,
    strike: (_pair, victim) => victim.kill(),
  },
  {
    name: 'the machine vanishes and closes no connection',
    waitMaxMs: 15_000,
    strike: (pair, victim) => pair.machines.vanish(pair.hostOf(victim)),
  },
  {
    name: 'the interface toward the clients goes down, the link stays up',
    waitMaxMs: 10_000,
    strike: (pair, victim) => pair.machines.network.setLink(pair.hostOf(victim), LAN, 'down'),
    after: async (pair, victim) => assert.equal(await pair.stateOf(victim), 'Normal'),
  },
  {
    name: 'the disk is full',
    waitMaxMs: 10_000,
    hasSmallDisk: true,
    strike: (_pair, victim) => fill(victim.options.dataDirectory),
    after: async (_pair, victim) => assert.notEqual(await victim.ended(), 0, 'a server that cannot keep promises ends'),
  },
];

for (const mode of ['LoadBalance', 'HotStandby'] as const) {
  describe(`two machines in ${mode} mode`, { concurrency: FAULTS.length }, () => {
    for (const fault of FAULTS) {
      test(`${fault.name}: leases are kept and new clients are served`, async (t) => {
        if (!needRoot(t) || !needProgram(t, 'ip') || !needProgram(t, 'udhcpc')) return;
        const mounts: string[] = [];
        const machines = new Machines({
          label: mode === 'LoadBalance' ? 'l' : 'h',
          addresses: [`${ALPHA}/22`, `${BETA}/22`, `${RELAY}/22`],
        });
        const pair = new NamespacePair(machines, (name) => {
          const directory = join(machines.directory, name);
          if (fault.hasSmallDisk === true) mounts.push(smallDisk(directory));
          return directory;
        });
        try {
          t.diagnostic(await strikeAndJudge(pair, mode, fault));
        } catch (error) {
          throw new Error(`${String(error)}\n${pair.logs()}`, { cause: error });
        } finally {
          await pair.stop();
          for (const mount of mounts) execFileSync('umount', ['-l', mount]);
          machines.remove();
        }
      });
    }
  });
}

/** Answers what it measured. */
async function strikeAndJudge(pair: NamespacePair, mode: 'LoadBalance' | 'HotStandby', fault: Fault): Promise<string> {
  const host = pair.machines.network.host('u');
  pair.machines.network.plug(host, LAN, LAN);
  await pair.start();
  const scope = {
    scopeId: SCOPE,
    subnetMask: '255.255.252.0',
    startRange: '10.91.0.10',
    endRange: '10.91.3.250',
    leaseDuration: LEASE_SEC,
  };
  await pair.join({ mode, scopes: [scope], parameters: { maxClientLeadTime: MCLT_SEC } });
  const crowd = await CrowdProcess.open(pair.machines.clients, {
    servers: [
      { name: 'alpha', address: ALPHA, port: 67 },
      { name: 'beta', address: BETA, port: 67 },
    ],
    relayAddress: RELAY,
    relayPort: 67,
    links: [SCOPE],
    retransmitMs: 4000,
  });
  const client = new StockClient('udhcpc', host, join(pair.machines.directory, 'udhcpc'));
  try {
    await crowd.tell({ kind: 'add', count: OLD_CLIENTS });
    await crowd.bound(OLD_CLIENTS, 20_000);
    client.start();
    const first = await client.event('bound', 20_000);
    const victim = first.serverId === ALPHA ? pair.alpha : pair.beta;
    if (mode === 'HotStandby') assert.equal(victim, pair.alpha);
    const seen = client.events().length;
    await crowd.tell({ kind: 'mark' });
    await fault.strike(pair, victim);
    await crowd.tell({ kind: 'add', count: NEW_CLIENTS });
    const renewed = await client.event('renewed', LEASE_SEC * 1000, seen);
    assert.equal(renewed.address, first.address);
    assert.equal(renewed.serverId, victim === pair.alpha ? BETA : ALPHA);
    assert.ok(
      !client
        .events()
        .slice(seen)
        .some((event) => event.kind === 'lost'),
      'the client never lost its lease',
    );
    const { duplicates, lost, moved, naks, longestWaitMs } = await crowd.bound(OLD_CLIENTS + NEW_CLIENTS, 30_000);
    assert.deepEqual({ duplicates, lost, moved, naks }, { duplicates: 0, lost: 0, moved: 0, naks: 0 });
    assert.ok(longestWaitMs <= fault.waitMaxMs, `somebody waited ${longestWaitMs} ms`);
    await fault.after?.(pair, victim);
    return `longest wait ${longestWaitMs} ms`;
  } finally {
    crowd.close();
    client.kill();
  }
}

function smallDisk(directory: string): string {
  mkdirSync(directory, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', directory]);
  return directory;
}

/** To the last byte. */
function fill(directory: string): void {
  for (let bytes = 1024 * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    try {
      for (;;) appendFileSync(join(directory, 'filler'), Buffer.alloc(bytes));
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOSPC') throw error;
    }
  }
}
