/**
 * Kills a server at a random moment under load, again and again, and compares what clients were told with what the store holds
 * after the restart: every lease that was acknowledged must be there, for its client, and at least as long.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Crowd } from '../../demo/crowd.ts';
import { ServerProcess } from '../../demo/server-process.ts';
import { formatIp4, toHex } from '../../src/wire/units.ts';
import { eventually } from './eventually.ts';

export interface KillRounds {
  readonly kills: number;
  readonly clients: number;
  /** REQUESTs a second while under load. */
  readonly perSec: number;
  readonly seed: number;
}

export interface KillResult {
  readonly kills: number;
  readonly acks: number;
  /** Leases that a client was told of and that are missing, with another client, or shorter after a restart. */
  readonly missing: readonly string[];
  readonly acksPerSec: number;
}

const SCOPE = {
  scopeId: '10.92.0.0',
  subnetMask: '255.255.240.0',
  startRange: '10.92.0.10',
  endRange: '10.92.15.250',
  name: 'lan',
  leaseDuration: 7200,
};
const LOAD_TICK_MS = 10;

export async function killRounds(options: KillRounds): Promise<KillResult> {
  const directory = mkdtempSync(join(tmpdir(), 'twinlease-kill-'));
  const server = new ServerProcess({
    name: 'alpha',
    dataDirectory: join(directory, 'alpha'),
    relayOnly: '127.0.0.1:0',
    partnerAddress: '127.0.0.1',
  });
  let crowd: Crowd | undefined;
  try {
    await server.start();
    const { scopeId: _scopeId, ...scope } = SCOPE;
    await server.ask('scope/add', scope);
    crowd = await Crowd.open({
      servers: [{ name: 'alpha', address: '127.0.0.1', port: server.dhcpPort }],
      relayAddress: '127.0.0.1',
      links: [SCOPE.scopeId],
      retransmitMs: 500,
    });
    return await rounds(options, server, crowd);
  } finally {
    crowd?.close();
    if (server.isRunning) await server.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function rounds(options: KillRounds, server: ServerProcess, crowd: Crowd): Promise<KillResult> {
  const random = generator(options.seed);
  const told = new Map<string, { readonly client: string; readonly endsAt: number }>();
  let acks = 0;
  crowd.onAck = (hardware, address, leaseSec) => {
    acks++;
    told.set(formatIp4(address), { client: toHex(hardware, '-'), endsAt: Math.floor(Date.now() / 1000) + leaseSec });
  };
  crowd.add(options.clients);
  await eventually('every client is bound', 60_000, () => (crowd.stats().bound === options.clients ? true : undefined));
  const missing: string[] = [];
  let loadedMs = 0;
  const before = acks;
  for (let round = 0; round < options.kills; round++) {
    const forMs = 50 + random() * 400;
    const startedMs = performance.now();
    await load(crowd, options.perSec, forMs);
    loadedMs += performance.now() - startedMs;
    await server.kill();
    await server.start();
    missing.push(...(await compare(server, told)).map((line) => `kill ${round + 1}: ${line}`));
  }
  return { kills: options.kills, acks, missing, acksPerSec: Math.round(((acks - before) * 1000) / loadedMs) };
}

/** Steady load until the time is over. */
async function load(crowd: Crowd, perSec: number, forMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const untilMs = performance.now() + forMs;
    let lastMs = performance.now();
    let owed = 0;
    const timer = setInterval(() => {
      const nowMs = performance.now();
      owed += ((nowMs - lastMs) * perSec) / 1000;
      lastMs = nowMs;
      crowd.renew(Math.floor(owed));
      owed -= Math.floor(owed);
      if (nowMs < untilMs) return;
      clearInterval(timer);
      resolve();
    }, LOAD_TICK_MS);
  });
}

interface LeaseRow {
  readonly ipAddress: string;
  readonly clientId: string;
  readonly leaseExpiryTime: number | string | null;
}

async function compare(
  server: ServerProcess,
  told: ReadonlyMap<string, { readonly client: string; readonly endsAt: number }>,
): Promise<string[]> {
  const rows = await server.ask<readonly LeaseRow[]>('lease/get-by-scope-id', { scopeId: SCOPE.scopeId });
  const stored = new Map(rows.map((row) => [row.ipAddress, row]));
  const wrong: string[] = [];
  for (const [address, { client, endsAt }] of told) {
    const row = stored.get(address);
    if (row === undefined) wrong.push(`${address} of ${client} is missing`);
    else if (!row.clientId.includes(client)) wrong.push(`${address} belongs to ${row.clientId}, not to ${client}`);
    // The client counts from when it heard, the server from when it decided.
    else if (Number(row.leaseExpiryTime) < endsAt - 2)
      wrong.push(`${address} ends at ${row.leaseExpiryTime}, the client was told ${endsAt}`);
  }
  return wrong;
}

/** Numbers 0..1 from a seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
