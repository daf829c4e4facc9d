/**
 * Failover with servers of another make, end to end in each dialect: two real processes that were declared to each other as such
 * speak plain TCP, and must hold together as a pair of our own does. Toward another make the allowance for clocks is 60 s, so one
 * recovery of each pair is waited out; the pairs run side by side, and share that minute.
 */
import assert from 'node:assert/strict';
import test, { after, before, describe } from 'node:test';
import { Crowd } from '../../demo/crowd.ts';
import type { ServerProcess } from '../../demo/server-process.ts';
import { formatIp4 } from '../../src/wire/units.ts';
import { eventually } from '../support/eventually.ts';
import { ForeignPair, type ForeignPairOptions, type LeaseRow } from '../support/foreign-pair.ts';
import { RelayClients } from '../support/relay-client.ts';

const SCOPE_ID = '10.96.0.0';
const RESERVED = '10.96.0.200';
const SCOPE = {
  name: 'lan',
  subnetMask: '255.255.255.0',
  startRange: '10.96.0.10',
  endRange: '10.96.0.250',
  leaseDuration: 14,
};
const MCLT_SEC = 3;
const CLIENTS = 30;
const MORE = 6;
const RETRANSMIT_MS = 500;
/** For what two processes do with each other by themselves, on a machine that is busy with others. */
const SOON_MS = 30_000;
/** Specification 1.11: S toward another make. */
const ALLOWANCE_SEC = 60;
/** The primary's share of the clients, percent; by the protocol the secondary learns of it. */
const SHARE = 70;
const SECRET = 'correct horse battery staple';

type Victim = 'primary' | 'secondary';

interface Story extends Pick<ForeignPairOptions, 'kind' | 'mode' | 'network'> {
  readonly name: string;
  readonly hasSecret: boolean;
  /** How the recovery comes about, and of which server. */
  readonly recovery: 'partner-down' | 'lost-store';
  readonly victim: Victim;
}

const STORIES: readonly Story[] = [
  {
    name: 'isc',
    kind: 'isc',
    mode: 'LoadBalance',
    hasSecret: false,
    recovery: 'partner-down',
    victim: 'secondary',
    network: 61,
  },
  {
    name: 'isc, hot standby',
    kind: 'isc',
    mode: 'HotStandby',
    hasSecret: false,
    recovery: 'lost-store',
    victim: 'primary',
    network: 62,
  },
  {
    name: 'draft',
    kind: 'draft',
    mode: 'LoadBalance',
    hasSecret: false,
    recovery: 'lost-store',
    victim: 'secondary',
    network: 63,
  },
  {
    name: 'draft with a secret',
    kind: 'draft',
    mode: 'LoadBalance',
    hasSecret: true,
    recovery: 'partner-down',
    victim: 'primary',
    network: 64,
  },
  {
    name: 'windows',
    kind: 'windows',
    mode: 'LoadBalance',
    hasSecret: false,
    recovery: 'partner-down',
    victim: 'secondary',
    network: 65,
  },
  {
    name: 'windows with a secret',
    kind: 'windows',
    mode: 'LoadBalance',
    hasSecret: true,
    recovery: 'lost-store',
    victim: 'primary',
    network: 66,
  },
];

describe('two servers that take each other for another make', { concurrency: true }, () => {
  for (const story of STORIES) describe(story.name, { concurrency: false }, () => tell(story));
});

function tell(story: Story): void {
  const relationship = `pair ${story.network}`;
  let pair: ForeignPair;
  let crowd: Crowd;
  let clients: RelayClients;
  let victim: ServerProcess;
  let survivor: ServerProcess;
  let forgotten = '';

  before(async () => {
    pair = await ForeignPair.open({
      ...story,
      relationship,
      scopeId: SCOPE_ID,
      scope: SCOPE,
      mcltSec: MCLT_SEC,
      share: SHARE,
      ...(story.hasSecret ? { secrets: { primary: SECRET, secondary: 'mistyped' } } : {}),
    });
    [victim, survivor] = story.victim === 'primary' ? [pair.primary, pair.secondary] : [pair.secondary, pair.primary];
    const servers = pair.servers.map((server) => ({
      name: server.options.name,
      address: server.options.partnerAddress,
      port: server.dhcpPort,
    }));
    const relayAddress = `127.0.${story.network}.3`;
    crowd = await Crowd.open({ servers, relayAddress, links: [SCOPE_ID], retransmitMs: RETRANSMIT_MS });
    clients = await RelayClients.openHere(relayAddress, SCOPE_ID, servers);
  });

  after(async () => {
    crowd?.close();
    clients?.close();
    await pair?.close();
  });

  const normal = async (): Promise<void> => {
    await eventually('both in Normal', SOON_MS, async () => ((await pair.isNormal()) ? true : undefined));
  };
  const alike = async (): Promise<void> => {
    await eventually('both tell the same of every address', SOON_MS, async () => {
      const [a, b] = await Promise.all(
        pair.servers.map(async (server) => (await pair.leases(server)).filter(isCompared)),
      );
      assert.deepEqual(a, b);
      return true;
    });
  };
  /** Windows knows a declined address as expired (specification 3.4), so there it is looked at by itself. */
  let declinedAddress = '';
  const isCompared = ({ ipAddress }: LeaseRow): boolean => story.kind !== 'windows' || ipAddress !== declinedAddress;
  const interrupted = async (server: ServerProcess): Promise<void> => {
    await eventually(`${server.options.name} notices`, SOON_MS, async () =>
      (await pair.standing(server)).state === 'CommunicationInterrupted' ? true : undefined,
    );
  };
  const rowOf = async (server: ServerProcess, address: string) =>
    (await pair.leases(server)).find(({ ipAddress }) => ipAddress === address);
  const holders = async (server: ServerProcess) =>
    (await pair.leases(server))
      .filter(({ addressState }) => addressState === 'Active')
      .map(({ ipAddress, clientId }) => `${ipAddress} ${clientId}`);
  /** Both tell this of the address; undefined is one that nobody has. */
  const bothSay = async (address: string, addressState: string | undefined): Promise<void> => {
    await eventually(`${address} is ${addressState ?? 'free'} on both`, SOON_MS, async () => {
      const rows = await Promise.all(pair.servers.map((server) => rowOf(server, address)));
      assert.deepEqual(
        rows.map((row) => row?.addressState),
        [addressState, addressState],
      );
      return true;
    });
  };

  const nobodys = async (address: string): Promise<void> => {
    await eventually('it is nobody’s', SOON_MS, async () => {
      const rows = await Promise.all(pair.servers.map((server) => rowOf(server, address)));
      return rows.every((row) => row?.addressState !== 'Active') ? true : undefined;
    });
  };
  const asideOnBoth = async (): Promise<void> => {
    await eventually('it is set aside on both', SOON_MS, async () => {
      const states = await Promise.all(
        pair.servers.map(async (server) => (await rowOf(server, declinedAddress))?.addressState),
      );
      const others = story.kind === 'windows' ? ['Declined', 'Expired'] : ['Declined'];
      assert.ok(
        states.includes('Declined') && states.every((state) => state !== undefined && others.includes(state)),
        states.join(),
      );
      return true;
    });
  };

  if (story.hasSecret)
    test('with another secret there the partner is refused, which is reported, and it comes good when the secret is', async () => {
      await eventually('it is reported', SOON_MS, async () =>
        (await Promise.all(pair.servers.map((server) => pair.problems(server)))).some((codes) =>
          codes.some((code) =>
            ['failover/bad-message', 'failover/refused-partner', 'failover/refused-by-partner'].includes(code),
          ),
        )
          ? true
          : undefined,
      );
      for (const server of pair.servers) assert.ok(!(await pair.standing(server)).isCommunicating);
      await pair.secondary.ask('failover/set', { name: relationship, sharedSecret: SECRET, force: true });
      await normal();
    });

  test('both come to Normal from nothing, and the free addresses are shared', async () => {
    await normal();
    await eventually('both have addresses', SOON_MS, async () => {
      const both = await Promise.all(pair.servers.map((server) => pair.standing(server)));
      return both.every(({ freeHere, freeAtPartner }) => freeHere > 0 && freeAtPartner > 0) ? true : undefined;
    });
  });

  if (story.mode === 'LoadBalance')
    test('both know the share of the clients that is the primary’s', async () => {
      for (const [server, share] of [
        [pair.primary, SHARE],
        [pair.secondary, 100 - SHARE],
      ] as const)
        await eventually(`${server.options.name} knows it`, SOON_MS, async () => {
          const [shown] = await server.ask<{ loadBalancePercent: number }[]>('failover/get-by-name', {
            name: [relationship],
          });
          assert.equal(shown?.loadBalancePercent, share);
          return true;
        });
    });

  test('a crowd is served, and both hold the same leases', async () => {
    crowd.add(CLIENTS);
    await eventually('all are bound', SOON_MS, () => (crowd.stats().bound === CLIENTS ? true : undefined));
    await alike();
    const active = (await pair.leases(pair.primary)).filter(({ addressState }) => addressState === 'Active');
    assert.equal(active.length, CLIENTS);
    if (story.mode === 'HotStandby') assert.equal(crowd.stats().ackedBy['secondary'], 0);
    else for (const count of Object.values(crowd.stats().ackedBy)) assert.ok(count > 0);
  });

  test('a lease is renewed by the other server, with the same end on both', async () => {
    const lease = await clients.obtain(clients.client());
    await bothSay(lease.address, 'Active');
    const other = lease.server === 'primary' ? 'secondary' : 'primary';
    const renewed = await clients.renew(lease, { to: [other] });
    assert.ok(typeof renewed === 'object', String(renewed));
    assert.equal(renewed.leaseSec, SCOPE.leaseDuration, 'the partner had acknowledged enough for the whole time');
    await alike();
    // It is never renewed again.
    forgotten = lease.address;
  });

  test('a reserved address is leased to its client alone, and is reserved on both', async () => {
    const client = clients.client();
    for (const server of pair.servers)
      await server.ask('reservation/add', {
        scopeId: SCOPE_ID,
        ipAddress: RESERVED,
        clientId: Buffer.from(client.hardware).toString('hex'),
        name: 'printer',
      });
    const lease = await clients.obtain(client);
    assert.equal(lease.address, RESERVED);
    await bothSay(RESERVED, 'ActiveReservation');
    await alike();
  });

  test('a declined address is kept aside by both, a released one is free for both', async () => {
    const declined = await clients.obtain(clients.client());
    const released = await clients.obtain(clients.client());
    await bothSay(declined.address, 'Active');
    declinedAddress = declined.address;
    clients.decline(declined, [declined.server]);
    await asideOnBoth();
    clients.release(released);
    await nobodys(released.address);
    await alike();
  });

  const losesStore = story.recovery === 'lost-store';
  test(`a server that is ${losesStore ? 'stopped' : 'killed'} comes back to Normal by itself, and nothing is lost or told otherwise`, async () => {
    if (losesStore) assert.equal(await victim.stop(), 0);
    else await victim.kill();
    await interrupted(survivor);
    await victim.start();
    await normal();
    await alike();
    if (story.kind === 'windows' && story.hasSecret)
      for (const server of pair.servers)
        assert.ok(pair.storeHolds(server, 'utf-16le'), 'the way of authenticating that was found is kept');
  });

  test('a broken link heals by itself, and what both granted meanwhile is told', async () => {
    await survivor.ask('drill/cut');
    await Promise.all(pair.servers.map(interrupted));
    crowd.add(MORE);
    await eventually('the newcomers are served', SOON_MS, () =>
      crowd.stats().bound === CLIENTS + MORE ? true : undefined,
    );
    await survivor.ask('drill/heal');
    await normal();
    await alike();
    const known = await holders(survivor);
    for (const address of crowd.leases().keys())
      assert.ok(
        known.some((holder) => holder.startsWith(`${formatIp4(address)} `)),
        formatIp4(address),
      );
  });

  test(
    losesStore
      ? 'a server whose store is lost fetches everything, and is silent until what it had given has ended'
      : 'a server that was declared down fetches what it lacks, and is silent until what it had given has ended',
    async () => {
      if (losesStore) await victim.kill();
      else assert.equal(await victim.stop(), 0);
      const goneAt = Math.floor(Date.now() / 1000);
      await interrupted(survivor);
      if (losesStore) pair.loseStore(victim);
      else {
        // The two clocks count whole seconds: a declaration in the very second of the stop might seem to come before it.
        await eventually('an operator is there', 5000, () => (Date.now() / 1000 > goneAt + 2 ? true : undefined));
        await survivor.ask('failover/set', { name: relationship, partnerDown: true });
        assert.equal((await pair.standing(survivor)).state, 'PartnerDown');
      }
      crowd.add(MORE);
      await eventually('the newcomers are served', SOON_MS, () =>
        crowd.stats().bound === CLIENTS + MORE + MORE ? true : undefined,
      );
      await victim.start();
      const waiting = await eventually('it has all leases, and waits', SOON_MS, async () => {
        const standing = await pair.standing(victim);
        return standing.state === 'RecoverWait' ? standing : undefined;
      });
      // The lease that nobody renews may end at any moment, and a partner in RecoverWait hears of it in Normal only.
      const known = async (server: ServerProcess) =>
        (await holders(server)).filter((holder) => !holder.startsWith(`${forgotten} `));
      assert.deepEqual(await known(victim), await known(survivor));
      assert.ok(
        waiting.recoverWaitUntil !== null && waiting.recoverWaitUntil >= goneAt + MCLT_SEC + ALLOWANCE_SEC - 15,
      );
      const before = { ...crowd.stats().ackedBy };
      await eventually('both in Normal', (waiting.recoverWaitUntil - goneAt) * 1000 + SOON_MS, async () => {
        const { state } = await pair.standing(victim);
        if (state === 'RecoverWait')
          assert.equal(crowd.stats().ackedBy[victim.options.name], before[victim.options.name]);
        return (await pair.isNormal()) ? true : undefined;
      });
      assert.ok(Date.now() / 1000 >= waiting.recoverWaitUntil);
      await alike();
    },
  );

  test('a lease that nobody renewed has ended on both, and no client was ever given an address in use', async () => {
    await nobodys(forgotten);
    const { duplicates, lost, moved, naks } = crowd.stats();
    assert.deepEqual({ duplicates, lost, moved, naks }, { duplicates: 0, lost: 0, moved: 0, naks: 0 });
    assert.deepEqual(clients.troubles, []);
    // A recovery from Windows brings a declined address back as expired.
    if (story.kind !== 'windows') await asideOnBoth();
    await alike();
  });
}
