/**
 * What a survivor may give out, judged from outside: while the partner is only out of reach, its own share and nothing else; after
 * Set PartnerDown the partner's share no sooner than P + MCLT + S, and the address of a client that is gone no sooner than the
 * greatest end that either server may have promised it, + MCLT + S (failover specification 5.5). The scope is so small that it runs
 * dry. Clients that were there before renew throughout.
 */
import assert from 'node:assert/strict';
import test, { after, before, describe } from 'node:test';
import { Crowd } from '../../demo/crowd.ts';
import { DemoPair } from '../../demo/pair.ts';
import type { ServerProcess } from '../../demo/server-process.ts';
import { formatIp4 } from '../../src/wire/units.ts';
import { eventually } from '../support/eventually.ts';

const RELATIONSHIP = 'dry';
const ADDRESSES = 24;
const SCOPE = {
  scopeId: '10.95.0.0',
  subnetMask: '255.255.255.0',
  startRange: '10.95.0.10',
  endRange: `10.95.0.${9 + ADDRESSES}`,
  name: 'small',
  // Above twice the MCLT: reached only by a server that tells its partner of more than it has granted.
  leaseDuration: 9,
};
const STAYING = 6;
const GONE = 2;
const MCLT_SEC = 4;
/** What a server allows a Twinlease partner for clocks that differ. */
const ALLOWANCE_SEC = 5;
/** Largest wait between two questions of a client, four times the first, and what a busy machine adds. */
const RETRANSMIT_MS = 400;
const SLACK_MS = 4 * RETRANSMIT_MS + 3000;

interface Shares {
  readonly own: number;
  readonly partners: number;
}

describe('partner-down', { concurrency: true }, () => {
  for (const { mode, victim } of [
    { mode: 'LoadBalance', victim: 'beta' },
    { mode: 'HotStandby', victim: 'alpha' },
  ] as const) {
    describe(`in ${mode} mode, ${victim} dead`, { concurrency: false }, () => {
      let pair: DemoPair;
      let survivor: ServerProcess;
      let staying: Crowd;
      let gone: Crowd;
      let newcomers: Crowd;
      const open = new Set<Crowd>();
      let shares: Shares;
      /** By address, when it was first given to one of the new clients, ms since 1970. */
      const givenAtMs = new Map<string, number>();
      /** By address, the end that was promised at most to a client that is gone, in seconds since 1970. */
      const promisedUntil = new Map<string, number>();
      const givenBefore = new Set<string>();
      /** By address, the lease that a client of before was given last. */
      const leaseSecs = new Map<string, number>();
      /** The longest lease that the survivor gave to a client which the partner never heard of. */
      let longestAloneSec = 0;

      before(async () => {
        pair = await DemoPair.open({ relationship: RELATIONSHIP, scopes: [SCOPE], mcltSec: MCLT_SEC, mode });
        const crowd = async (firstClient: number) =>
          await Crowd.open({
            servers: pair.servers.map((server) => ({
              name: server.options.name,
              address: server.options.partnerAddress,
              port: server.dhcpPort,
            })),
            relayAddress: '127.0.0.1',
            links: [SCOPE.scopeId],
            retransmitMs: RETRANSMIT_MS,
            firstClient,
          });
        [staying, gone, newcomers] = [await crowd(0), await crowd(1000), await crowd(2000)];
        for (const one of [staying, gone, newcomers]) open.add(one);
        // Specification 6.2: PET = t + D + granted/2.
        gone.onAck = (_hardware, address, leaseSec) => {
          promisedUntil.set(
            formatIp4(address),
            Math.floor(Date.now() / 1000) + SCOPE.leaseDuration + Math.floor(leaseSec / 2),
          );
          leaseSecs.set(formatIp4(address), leaseSec);
        };
        staying.onAck = (_hardware, address, leaseSec) => leaseSecs.set(formatIp4(address), leaseSec);
        newcomers.onAck = (_hardware, address, leaseSec) => {
          if (!givenAtMs.has(formatIp4(address))) givenAtMs.set(formatIp4(address), Date.now());
          longestAloneSec = Math.max(longestAloneSec, leaseSec);
        };
      });

      after(async () => {
        for (const crowd of open) crowd.close();
        await pair?.close();
      });

      test('a renewal that the partner has agreed to gets the configured time, though the first lease was bounded', async () => {
        await eventually('both in Normal', 30_000, async () =>
          (await pair.isNormal(RELATIONSHIP)) ? true : undefined,
        );
        staying.add(STAYING);
        gone.add(GONE);
        await eventually('all are bound', 10_000, () => (leaseSecs.size === STAYING + GONE ? true : undefined));
        for (const leaseSec of leaseSecs.values()) assert.ok(leaseSec <= MCLT_SEC, `${leaseSec} s at first`);
        await eventually('all have the whole time', 10_000, () =>
          [...leaseSecs.values()].every((leaseSec) => leaseSec === SCOPE.leaseDuration) ? true : undefined,
        );
      });

      test('with the partner out of reach the survivor gives its own share and no more', async () => {
        const dead = victim === 'alpha' ? pair.alpha : pair.beta;
        survivor = victim === 'alpha' ? pair.beta : pair.alpha;
        await agreed(pair);
        gone.close();
        open.delete(gone);
        await dead.kill();
        await eventually('it notices', 15_000, async () =>
          (await stateOf(survivor)) === 'CommunicationInterrupted' ? true : undefined,
        );
        shares = await sharesOf(survivor);
        assert.equal(shares.own + shares.partners, ADDRESSES - STAYING - GONE);
        assert.ok(shares.own > 0 && shares.partners > 0, JSON.stringify(shares));
        newcomers.add(shares.own + shares.partners + GONE);
        await eventually('its share is given', 10_000, () =>
          newcomers.stats().bound === shares.own ? true : undefined,
        );
        // The others have asked again and again, and were told nothing.
        const before = await withoutAddress(survivor);
        await eventually('the others ask on', 15_000, async () =>
          (await withoutAddress(survivor)) - before > 2 * (shares.partners + GONE) ? true : undefined,
        );
        assert.equal(newcomers.stats().bound, shares.own);
        assert.ok(longestAloneSec <= MCLT_SEC, `${longestAloneSec} s`);
        for (const address of givenAtMs.keys()) givenBefore.add(address);
      });

      test('after Set PartnerDown the share of the partner is given after P + MCLT + S and no sooner', async () => {
        const setAtMs = Date.now();
        await survivor.ask('failover/set', { name: RELATIONSHIP, partnerDown: true });
        assert.equal(await stateOf(survivor), 'PartnerDown');
        const mayMs = (Math.floor(setAtMs / 1000) + MCLT_SEC + ALLOWANCE_SEC) * 1000;
        const expected = shares.own + shares.partners;
        await eventually('it is given', mayMs - setAtMs + SLACK_MS, () =>
          newcomers.stats().bound >= expected ? true : undefined,
        );
        const partners = [...givenAtMs].filter(([address]) => !givenBefore.has(address) && !promisedUntil.has(address));
        assert.equal(partners.length, shares.partners);
        for (const [address, atMs] of partners)
          assert.ok(atMs >= mayMs, `${address} was given ${mayMs - atMs} ms too early`);
      });

      test('the addresses of clients that are gone follow when all that was promised to them is over', async () => {
        const lastMs = Math.max(...promisedUntil.values()) * 1000 + (MCLT_SEC + ALLOWANCE_SEC) * 1000;
        await eventually('every client has an address', Math.max(0, lastMs - Date.now()) + SLACK_MS, () =>
          newcomers.stats().bound === shares.own + shares.partners + GONE ? true : undefined,
        );
        for (const [address, until] of promisedUntil) {
          const atMs = givenAtMs.get(address);
          assert.ok(atMs !== undefined, `${address} was not given again`);
          // The server decided up to a moment before the client heard of it, perhaps in the second before.
          const mayMs = (until - 1 + MCLT_SEC + ALLOWANCE_SEC) * 1000;
          assert.ok(atMs >= mayMs, `${address} was given ${mayMs - atMs} ms too early`);
        }
      });

      test('the clients that were there before kept their leases all along, and nobody was given an address in use', () => {
        for (const crowd of [staying, newcomers]) {
          const { duplicates, lost, moved, naks } = crowd.stats();
          assert.deepEqual({ duplicates, lost, moved, naks }, { duplicates: 0, lost: 0, moved: 0, naks: 0 });
        }
        const held = [...staying.leases().keys(), ...newcomers.leases().keys()];
        assert.equal(held.length, ADDRESSES);
        assert.equal(new Set(held).size, ADDRESSES);
      });
    });
  }
});

async function stateOf(server: ServerProcess): Promise<string | undefined> {
  return (await server.ask<readonly { readonly state: string }[]>('failover/get-by-name', { name: [RELATIONSHIP] }))[0]
    ?.state;
}

async function sharesOf(server: ServerProcess): Promise<Shares> {
  const [row] = await server.ask<
    readonly { readonly addressesFreeOnThisServer: number; readonly addressesFreeOnPartnerServer: number }[]
  >('scope/statistics', {
    scopeId: [SCOPE.scopeId],
    failover: true,
  });
  return { own: row?.addressesFreeOnThisServer ?? 0, partners: row?.addressesFreeOnPartnerServer ?? 0 };
}

/** Packets that got no answer because no address could be given. */
async function withoutAddress(server: ServerProcess): Promise<number> {
  const { drops } = await server.ask<{ readonly drops: Readonly<Record<string, number>> }>('server/statistics');
  return drops['no-address'] ?? 0;
}

/** Both servers tell the same of every address. */
async function agreed(pair: DemoPair): Promise<void> {
  await eventually('both servers hold the same', 15_000, async () => {
    const [a, b] = await Promise.all(
      pair.servers.map(async (server) =>
        (
          await server.ask<
            readonly { readonly ipAddress: string; readonly clientId: string; readonly leaseExpiryTime: number }[]
          >('lease/get-by-scope-id', { scopeId: SCOPE.scopeId, allLeases: true })
        )
          .map((row) => `${row.ipAddress} ${row.clientId} ${row.leaseExpiryTime}`)
          .sort(),
      ),
    );
    assert.deepEqual(a, b);
    return true;
  });
}
