/**
 * Changes while clients renew: a relationship is made over live leases, the link between its servers is cut, a scope is added and
 * taken out, and the relationship is removed. No client may notice any of it. One crowd renews all the time with both servers;
 * another lives by T1 and T2 alone, so that it also meets a server that lost a scope.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { Crowd } from '../../demo/crowd.ts';
import { ServerProcess } from '../../demo/server-process.ts';
import { formatIp4, toHex } from '../../src/wire/units.ts';
import { eventually } from '../support/eventually.ts';

const RELATIONSHIP = 'live';
const FIRST = {
  scopeId: '10.94.0.0',
  subnetMask: '255.255.252.0',
  startRange: '10.94.0.10',
  endRange: '10.94.3.250',
  name: 'first',
};
const SECOND = {
  scopeId: '10.94.4.0',
  subnetMask: '255.255.255.0',
  startRange: '10.94.4.10',
  endRange: '10.94.4.250',
  name: 'second',
};
const LEASE_SEC = 12;
const MCLT_SEC = 10;
const RENEWING = 200;
const QUIET = 40;
const NEW_WHILE_CUT = 200;
const NEW_AFTER_ADD = 30;
const RENEWALS_PER_SEC = 100;
const LOAD_TICK_MS = 20;
const RETRANSMIT_MS = 1000;
/** A lost datagram or two at most; a real gap would last until a timer of seconds ends. */
const WAIT_MS_MAX = 3500;
const NORMAL_MS = 30_000;
const SHARE_MS = 4000;

interface LeaseRow {
  readonly ipAddress: string;
  readonly clientId: string;
  readonly addressState: string;
  readonly leaseExpiryTime: number | null;
}

describe('changes under renewing clients', { concurrency: true }, () => {
  for (const mode of ['LoadBalance', 'HotStandby'] as const) {
    describe(`in ${mode} mode`, { concurrency: false }, () => {
      let world: World;

      before(async () => {
        world = await World.open();
      });

      after(async () => {
        await world?.close();
      });

      test('a relationship is made over live leases, and each lease is known on both servers', async () => {
        const { alpha, beta } = world;
        assert.deepEqual(await beta.ask('scope/get', {}), []);
        const shared = {
          name: RELATIONSHIP,
          partnerServer: 'beta',
          scopeId: [FIRST.scopeId],
          maxClientLeadTime: MCLT_SEC,
        };
        if (mode === 'LoadBalance')
          await alpha.ask('failover/add-by-load-balance', { ...shared, loadBalancePercent: 50 });
        else await alpha.ask('failover/add-by-hot-standby', { ...shared, reservePercent: 10 });
        await world.normal();
        await world.everyRenewingClientAgain();
        await world.agree(FIRST.scopeId);
        world.noticedNothing();
      });

      test('the link alone is cut while 200 new and 200 renewing clients come: no address has two holders, and both tables agree', async () => {
        for (const server of world.servers) await server.call('drill/cut');
        await eventually('both notice', 15_000, async () =>
          (await world.states()).every((state) => state === 'CommunicationInterrupted') ? true : undefined,
        );
        world.newcomers.add(NEW_WHILE_CUT);
        await world.bound(world.newcomers, NEW_WHILE_CUT);
        await world.everyRenewingClientAgain();
        for (const server of world.servers) await server.call('drill/heal');
        await world.normal();
        await world.agree(FIRST.scopeId);
        world.noticedNothing();
      });

      test('a scope with live leases is added, and each of its leases is known on both servers', async () => {
        await world.alpha.ask('failover-scope/add', { name: RELATIONSHIP, scopeId: [SECOND.scopeId] });
        await world.everyRenewingClientAgain();
        await world.agree(SECOND.scopeId);
        await world.hasShare(world.beta, SECOND.scopeId);
        world.late.add(NEW_AFTER_ADD);
        await world.bound(world.late, NEW_AFTER_ADD);
        const { alpha = 0, beta = 0 } = world.late.stats().ackedBy;
        if (mode === 'LoadBalance') assert.ok(alpha > 0 && beta > 0, `${alpha} from alpha, ${beta} from beta`);
        else assert.equal(beta, 0);
        await world.agree(SECOND.scopeId);
        await world.agree(FIRST.scopeId);
        world.noticedNothing();
      });

      test('the scope is taken out again: it goes on the partner, and its clients stay with the called server', async () => {
        await world.alpha.ask('failover-scope/remove', { name: RELATIONSHIP, scopeId: [SECOND.scopeId], force: true });
        assert.deepEqual(await world.scopeIds(world.beta), [FIRST.scopeId]);
        await world.everyRenewingClientAgain();
        await world.holds(world.alpha, SECOND.scopeId);
        world.noticedNothing();
      });

      test('the relationship is removed: the called server holds all leases, and every client of the other finds it in time', async () => {
        await world.alpha.ask('failover/remove', { name: [RELATIONSHIP], force: true });
        assert.deepEqual(await world.scopeIds(world.beta), []);
        await world.everyQuietClientAgain();
        await world.everyRenewingClientAgain();
        await world.holds(world.alpha, FIRST.scopeId);
        await world.holds(world.alpha, SECOND.scopeId);
        world.noticedNothing();
      });
    });
  }
});

class World {
  readonly directory: string;
  readonly alpha: ServerProcess;
  readonly beta: ServerProcess;
  /** Renews all the time. */
  renewing!: Crowd;
  /** Lives by T1 and T2, in both scopes. */
  quiet!: Crowd;
  newcomers!: Crowd;
  /** Comes to the second scope once it is shared. */
  late!: Crowd;
  readonly #renewed = new Set<string>();
  readonly #quietRenewed = new Set<string>();
  #load: NodeJS.Timeout | undefined;

  private constructor(directory: string) {
    this.directory = directory;
    const server = (name: string, address: string) =>
      new ServerProcess({
        name,
        dataDirectory: join(directory, name),
        relayOnly: `${address}:0`,
        partnerAddress: address,
        drills: true,
      });
    this.alpha = server('alpha', '127.0.0.1');
    this.beta = server('beta', '127.0.0.2');
  }

  /** Two servers that know each other, with scopes and clients on the first alone. */
  static async open(): Promise<World> {
    const world = new World(mkdtempSync(join(tmpdir(), 'twinlease-live-')));
    try {
      await world.#start();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  get servers(): readonly ServerProcess[] {
    return [this.alpha, this.beta];
  }

  get crowds(): readonly Crowd[] {
    return [this.renewing, this.quiet, this.newcomers, this.late].filter((crowd) => crowd !== undefined);
  }

  async close(): Promise<void> {
    clearInterval(this.#load);
    for (const crowd of this.crowds) crowd.close();
    for (const server of this.servers) if (server.isRunning) await server.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async states(): Promise<(string | undefined)[]> {
    return await Promise.all(
      this.servers.map(
        async (server) =>
          (await server.ask<readonly { readonly state: string }[]>('failover/get-by-name', { name: [RELATIONSHIP] }))[0]
            ?.state,
      ),
    );
  }

  async normal(): Promise<void> {
    await eventually('both in Normal', NORMAL_MS, async () =>
      (await this.states()).every((state) => state === 'Normal') ? true : undefined,
    ).catch(async (error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(await this.states())}`);
    });
  }

  async bound(crowd: Crowd, count: number): Promise<void> {
    await eventually(`${count} clients hold a lease`, 20_000, () =>
      crowd.stats().bound === count ? true : undefined,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(crowd.stats())}`);
    });
  }

  /** From here on each client of the first crowd was served once more. */
  async everyRenewingClientAgain(): Promise<void> {
    this.#renewed.clear();
    await eventually('every renewing client is served again', 15_000, () =>
      this.#renewed.size === RENEWING ? true : undefined,
    );
  }

  /** The same for those that live by their timers. */
  async everyQuietClientAgain(): Promise<void> {
    this.#quietRenewed.clear();
    await eventually('every quiet client renews', (LEASE_SEC + 5) * 1000, () =>
      this.#quietRenewed.size === QUIET ? true : undefined,
    );
  }

  async scopeIds(server: ServerProcess): Promise<readonly string[]> {
    return (await server.ask<readonly { readonly scopeId: string }[]>('scope/get', {})).map((scope) => scope.scopeId);
  }

  /** Both servers hold the same bindings of the scope, all leases of the clients among them. The load rests meanwhile. */
  async agree(scopeId: string): Promise<void> {
    clearInterval(this.#load);
    try {
      await eventually(`both servers hold the same leases of ${scopeId}`, 15_000, async () => {
        const [a, b] = await Promise.all(this.servers.map((server) => leases(server, scopeId)));
        assert.deepEqual(shown(a ?? []), shown(b ?? []));
        this.#compare(a ?? [], scopeId);
        return true;
      });
    } finally {
      this.#startLoad();
    }
  }

  /** It has addresses of its own there, without waiting for the balance to be looked at in its turn. */
  async hasShare(server: ServerProcess, scopeId: string): Promise<void> {
    await eventually(`${server.options.name} has a share of ${scopeId}`, SHARE_MS, async () => {
      const [row] = await server.ask<readonly { readonly addressesFreeOnThisServer: number }[]>('scope/statistics', {
        scopeId: [scopeId],
        failover: true,
      });
      return (row?.addressesFreeOnThisServer ?? 0) > 0 ? true : undefined;
    });
  }

  async holds(server: ServerProcess, scopeId: string): Promise<void> {
    await eventually(`${server.options.name} holds the leases of ${scopeId}`, 5000, async () => {
      this.#compare(await leases(server, scopeId), scopeId);
      return true;
    });
  }

  noticedNothing(): void {
    for (const crowd of this.crowds) {
      const { duplicates, lost, moved, naks, longestWaitMs } = crowd.stats();
      assert.deepEqual({ duplicates, lost, moved, naks }, { duplicates: 0, lost: 0, moved: 0, naks: 0 });
      assert.ok(longestWaitMs < WAIT_MS_MAX, `a client waited ${longestWaitMs} ms`);
    }
    // Each crowd sees duplicates among its own clients alone.
    const all = this.crowds.flatMap((crowd) => [...crowd.leases().keys()]);
    assert.equal(new Set(all).size, all.length);
  }

  async #start(): Promise<void> {
    const { alpha, beta } = this;
    await Promise.all([alpha.start(), beta.start()]);
    const { code } = await alpha.ask<{ readonly code: string }>('pair/invite');
    await beta.ask('pair/accept', { code, server: `127.0.0.1:${alpha.partnerPort}` });
    for (const { scopeId: _scopeId, ...scope } of [FIRST, SECOND])
      await alpha.ask('scope/add', { ...scope, leaseDuration: LEASE_SEC });
    const common = {
      servers: this.servers.map((server) => ({
        name: server.options.name,
        address: server.options.partnerAddress,
        port: server.dhcpPort,
      })),
      relayAddress: '127.0.0.1',
      retransmitMs: RETRANSMIT_MS,
    };
    this.renewing = await Crowd.open({ ...common, links: [FIRST.scopeId] });
    this.quiet = await Crowd.open({ ...common, links: [FIRST.scopeId, SECOND.scopeId], firstClient: 10_000 });
    this.newcomers = await Crowd.open({ ...common, links: [FIRST.scopeId], firstClient: 20_000 });
    this.late = await Crowd.open({ ...common, links: [SECOND.scopeId], firstClient: 30_000 });
    this.renewing.onAck = (hardware) => this.#renewed.add(toHex(hardware));
    this.quiet.onAck = (hardware) => this.#quietRenewed.add(toHex(hardware));
    this.renewing.add(RENEWING);
    this.quiet.add(QUIET);
    await this.bound(this.renewing, RENEWING);
    await this.bound(this.quiet, QUIET);
    for (const crowd of [this.renewing, this.quiet]) crowd.resetLongestWait();
    this.#startLoad();
  }

  #startLoad(): void {
    let owed = 0;
    let lastMs = performance.now();
    this.#load = setInterval(() => {
      const now = performance.now();
      owed += ((now - lastMs) * RENEWALS_PER_SEC) / 1000;
      lastMs = now;
      this.renewing.renew(Math.floor(owed));
      owed -= Math.floor(owed);
    }, LOAD_TICK_MS);
  }

  /** Every lease that a client holds in the scope is there, for that client. */
  #compare(rows: readonly LeaseRow[], scopeId: string): void {
    const known = new Map(rows.map((row) => [row.ipAddress, row]));
    const isSecond = scopeId === SECOND.scopeId;
    for (const crowd of this.crowds) {
      for (const [address, hardware] of crowd.leases()) {
        const text = formatIp4(address);
        if (text.startsWith('10.94.4.') !== isSecond) continue;
        assert.match(known.get(text)?.clientId ?? 'missing', new RegExp(toHex(hardware, '-')), text);
        assert.match(known.get(text)?.addressState ?? 'missing', /^Active/, text);
      }
    }
  }
}

async function leases(server: ServerProcess, scopeId: string): Promise<readonly LeaseRow[]> {
  return await server.ask<readonly LeaseRow[]>('lease/get-by-scope-id', { scopeId, allLeases: true });
}

function shown(rows: readonly LeaseRow[]): string[] {
  return rows.map((row) => `${row.ipAddress} ${row.clientId} ${row.addressState} ${row.leaseExpiryTime}`).sort();
}
