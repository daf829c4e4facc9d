/** The cases of the interworking matrix: what is done to a pair, and what must be true on the way. What must be true in the end is the same for all. */

import assert from 'node:assert/strict';
import type { CrowdProcess } from '../../support/crowd-client.ts';
import { eventually } from '../../support/eventually.ts';
import { bucketOfClient, type HeldLease, INFINITE_LEASE_SEC, u32 } from '../../support/relay-client.ts';
import type { ClientProgram } from '../../support/stock-clients.ts';
import { type ExpectedMessage, type Lab, NOTICE_MS, type SetupChoice } from './lab.ts';
import { type FailoverServer, ROLES, type Role } from './server.ts';

export interface FailoverCase {
  readonly name: string;
  readonly setup: SetupChoice;
  readonly expects?: readonly ExpectedMessage[];
  run(lab: Lab): Promise<void>;
}

/** dhcpd frees addresses in PARTNER-DOWN at MCLT after it began (specification 2.10): as long as MCLT covers each lease that is no harm. */
const LONG_MCLT = { mcltSec: 20, leaseSec: 20 } as const;
const YEAR_SEC = 365 * 86_400;
/** Of the pool of 20: one at either end, so that each server has had one of them as its own. */
const RESERVATIONS = new Map([
  ['027c00000001', '10.88.1.1'],
  ['027c00000002', '10.88.1.18'],
]);

export const CASES: readonly FailoverCase[] = [
  ...(['primary-first', 'secondary-first', 'together'] as const).map((order) => coldStart(order)),
  ...[128, 200, 255].map((split) => splitCase(split)),
  ...(['udhcpc', 'dhclient'] as const).map((program) => lifecycle(program)),
  { name: 'lease/decline', setup: {}, run: decline },
  { name: 'lease/expiry', setup: {}, run: expiry },
  { name: 'lease/release-to-the-other', setup: {}, run: releaseToTheOther },
  { name: 'lease/renew-with-the-other', setup: {}, run: renewWithTheOther },
  { name: 'lease/rebind-with-the-other', setup: {}, run: rebindWithTheOther },
  { name: 'cut/both-ways', setup: {}, run: cutBothWays },
  ...ROLES.map((role) => ({ name: `cut/${role}-unheard`, setup: {}, run: (lab: Lab) => cutOneWay(lab, role) })),
  ...ROLES.flatMap((role) => [
    { name: `kill/${role}`, setup: {}, run: (lab: Lab) => goneAndBack(lab, role, (server) => server.kill()) },
    { name: `stop/${role}`, setup: {}, run: (lab: Lab) => goneAndBack(lab, role, (server) => server.stop()) },
    { name: `partner-down/${role}-gone`, setup: LONG_MCLT, run: (lab: Lab) => partnerDown(lab, role) },
    { name: `lost-store/${role}`, setup: LONG_MCLT, run: (lab: Lab) => lostStore(lab, role) },
  ]),
  ...ROLES.map((role) => drainedCase(role)),
  { name: 'kill/both', setup: {}, run: killBoth },
  { name: 'conflict', setup: { ...LONG_MCLT, poolSize: 6 }, run: conflict },
  {
    name: 'reserved/both',
    setup: { infiniteIsReserved: true, poolSize: 20, reservations: RESERVATIONS },
    run: reserved,
  },
  {
    name: 'reserved/here-only',
    setup: { poolSize: 20, reservations: RESERVATIONS, entersReservations: false },
    run: reservedHereOnly,
  },
  { name: 'bootp', setup: { servesBootp: true, poolSize: 20 }, run: bootp },
  { name: 'flow-control', setup: { poolSize: 10_000 }, run: flowControl },
];

function coldStart(order: 'primary-first' | 'secondary-first' | 'together'): FailoverCase {
  return {
    name: `cold-start/${order}`,
    setup: {},
    run: async (lab) => {
      const [first, second] = order === 'secondary-first' ? [lab.secondary, lab.primary] : [lab.primary, lab.secondary];
      await first.start();
      if (order !== 'together') await lab.inState(first, 'recover');
      await second.start();
      await lab.normal();
      await lab.balanced();
      await (await lab.crowd()).tell({ kind: 'add', count: 12 });
      await lab.crowdServed(12);
    },
  };
}

/** RFC 3074: each client is offered an address by its own server alone, and by the other as well once it has waited. */
function splitCase(split: number): FailoverCase {
  return {
    name: `split/${split}`,
    // So many that also the smaller share suffices for all that is offered at one time.
    setup: { split, poolSize: 2000 },
    run: async (lab) => {
      await lab.begin();
      const { clients } = lab;
      const asking = [
        ...clients.clientsOf(() => true, 40),
        ...[0, 127, 128, 199, 200, 254, 255].flatMap((bucket) => clients.clientsOf((one) => one === bucket, 1)),
      ];
      for (const [client, offers] of await clients.offersTo(asking, 0)) {
        const owner = bucketOfClient(client) < lab.setup.split ? 'primary' : 'secondary';
        assert.deepEqual(offers, [owner], `bucket ${bucketOfClient(client)} belongs to the ${owner}`);
      }
      const impatient = clients.clientsOf(() => true, 10);
      // Reads the same in either byte order.
      for (const [client, offers] of await clients.offersTo(impatient, 0x0505))
        assert.deepEqual([...offers].sort(), ['primary', 'secondary'], `bucket ${bucketOfClient(client)} has waited`);
      for (const client of asking) await clients.obtain(client);
    },
  };
}

/** As the distribution packages them: bound, renewed twice, released. */
function lifecycle(program: ClientProgram): FailoverCase {
  return {
    name: `lease/${program}`,
    setup: {},
    run: async (lab) => {
      await lab.begin();
      const client = lab.stockClient(program);
      client.start();
      const { address } = await client.event('bound', 30_000);
      for (let renewals = 1; renewals <= 2; renewals++) {
        const renewed = await eventually(`renewal ${renewals}`, 60_000, () =>
          client.events().filter(({ kind }) => kind === 'renewed').length >= renewals
            ? client.events().at(-1)
            : undefined,
        );
        assert.equal(renewed.address, address);
      }
      await bothHave(lab, address, 'active');
      await client.release();
      await bothHave(lab, address, undefined);
    },
  };
}

async function decline(lab: Lab): Promise<void> {
  await lab.begin();
  for (const role of ROLES) {
    const [client] = lab.clients.clientsOf((bucket) => bucket < lab.setup.split === (role === 'primary'), 1);
    if (client === undefined) throw new Error('a client');
    const lease = await lab.clients.obtain(client, { to: [role] });
    await bothHave(lab, lease.address, 'active');
    lab.clients.decline(lease);
    await bothHave(lab, lease.address, 'abandoned');
    const next = await lab.clients.obtain(client);
    assert.notEqual(next.address, lease.address);
    await bothHave(lab, next.address, 'active');
  }
}

/** Clients of both servers go away without a word. */
async function expiry(lab: Lab): Promise<void> {
  await lab.begin();
  const leases = await obtainFromEach(lab, 4);
  for (const { address } of leases) await bothHave(lab, address, 'active');
  for (const lease of leases) lab.clients.forget(lease);
  await eventually('all addresses are available again', 60_000, async () =>
    (await lab.tables()).every(({ rows, free, backup }) => rows.size === 0 && free + backup === lab.setup.pool.size)
      ? true
      : undefined,
  );
}

async function releaseToTheOther(lab: Lab): Promise<void> {
  await lab.begin();
  for (const lease of await obtainFromEach(lab, 2)) {
    await bothHave(lab, lease.address, 'active');
    lab.clients.release(lease, [lease.server === 'primary' ? 'secondary' : 'primary']);
    await bothHave(lab, lease.address, undefined);
  }
}

async function renewWithTheOther(lab: Lab): Promise<void> {
  await lab.begin();
  for (const lease of await obtainFromEach(lab, 3)) {
    await bothHave(lab, lease.address, 'active');
    const other = lease.server === 'primary' ? 'secondary' : 'primary';
    await renewed(lab, lease, other);
    await renewed(lab, lease, lease.server);
    await renewed(lab, lease, other);
  }
}

/** The server of some clients dies; each renews with the other and keeps its address, before and after the return. */
async function rebindWithTheOther(lab: Lab): Promise<void> {
  await lab.begin();
  for (const gone of ROLES) {
    const leases = (await obtainFromEach(lab, 4)).filter(({ server }) => server === gone);
    for (const { address } of leases) await bothHave(lab, address, 'active');
    const server = lab.server(gone);
    const other = lab.other(server);
    await server.kill();
    for (const lease of leases) await renewed(lab, lease, other.place.role);
    await server.start();
    await lab.normal();
    for (const lease of leases) await renewed(lab, lease, gone);
  }
}

async function cutBothWays(lab: Lab): Promise<void> {
  const crowd = await beginWithCrowd(lab);
  await lab.cut();
  await crowd.tell({ kind: 'mark' });
  await Promise.all(lab.servers.map((server) => lab.inState(server, 'communications-interrupted', NOTICE_MS)));
  await crowd.tell({ kind: 'add', count: 10 });
  await lab.crowdServed(24);
  await lab.heal();
  await lab.normal();
  await crowd.tell({ kind: 'mark' });
  await lab.crowdServed(24);
}

/** Both in NORMAL, and 14 clients that keep their leases. */
async function beginWithCrowd(lab: Lab): Promise<CrowdProcess> {
  await lab.begin();
  const crowd = await lab.crowd();
  await crowd.tell({ kind: 'add', count: 14 });
  await lab.crowdServed(14);
  return crowd;
}

/** What one server sends is lost, and it does not know. */
async function cutOneWay(lab: Lab, unheard: Role): Promise<void> {
  const crowd = await beginWithCrowd(lab);
  await lab.silence(lab.server(unheard));
  await lab.inState(lab.other(lab.server(unheard)), 'communications-interrupted', NOTICE_MS);
  await crowd.tell({ kind: 'mark' });
  await crowd.tell({ kind: 'add', count: 10 });
  await lab.crowdServed(24);
  await lab.heal();
  await lab.normal();
  await crowd.tell({ kind: 'mark' });
  await lab.crowdServed(24);
}

async function goneAndBack(lab: Lab, role: Role, end: (server: FailoverServer) => Promise<void>): Promise<void> {
  const crowd = await beginWithCrowd(lab);
  const server = lab.server(role);
  await end(server);
  await crowd.tell({ kind: 'mark' });
  await crowd.tell({ kind: 'add', count: 8 });
  await lab.crowdServed(22);
  await server.start();
  await lab.normal();
  await crowd.tell({ kind: 'mark' });
  await crowd.tell({ kind: 'add', count: 4 });
  await lab.crowdServed(26);
}

async function killBoth(lab: Lab): Promise<void> {
  await lab.begin();
  const leases = await obtainFromEach(lab, 4);
  for (const { address } of leases) await bothHave(lab, address, 'active');
  await Promise.all(lab.servers.map((server) => server.kill()));
  await Promise.all(lab.servers.map((server) => server.start()));
  await lab.normal();
  for (const lease of leases) await renewed(lab, lease, lease.server);
}

/** The survivor is told that the partner is down, and may then use all addresses; the partner comes back to what happened meanwhile. */
async function partnerDown(lab: Lab, gone: Role): Promise<void> {
  const crowd = await beginWithCrowd(lab);
  const server = lab.server(gone);
  const survivor = lab.other(server);
  await server.kill();
  await lab.inState(survivor, 'communications-interrupted');
  await survivor.partnerDown();
  await lab.inState(survivor, 'partner-down');
  await crowd.tell({ kind: 'mark' });
  // More than the survivor's own.
  await crowd.tell({ kind: 'add', count: 24 });
  await lab.crowdServed(38, 120_000);
  await server.start();
  await lab.normal();
  await crowd.tell({ kind: 'mark' });
  await lab.crowdServed(38);
}

async function lostStore(lab: Lab, victim: Role): Promise<void> {
  const crowd = await beginWithCrowd(lab);
  const server = lab.server(victim);
  await server.kill();
  await crowd.tell({ kind: 'mark' });
  await crowd.tell({ kind: 'add', count: 6 });
  await lab.crowdServed(20);
  server.loseStore();
  await server.start();
  await lab.normal(120_000);
  await crowd.tell({ kind: 'mark' });
  await crowd.tell({ kind: 'add', count: 4 });
  await lab.crowdServed(24);
}

/** All clients hash to one server, and there are more of them than it has addresses: it asks for some, and is given them. */
function drainedCase(role: Role): FailoverCase {
  const other = role === 'primary' ? 'secondary' : 'primary';
  return {
    name: `balance/${role}-drained`,
    // The other does not look by itself in time: it has to be asked.
    setup: { mcltSec: 60, leaseSec: 60, quickBalance: [role] },
    expects: [
      { from: role, message: 'poolreq' },
      { from: other, message: 'poolresp' },
    ],
    run: async (lab) => {
      await lab.begin();
      const clients = lab.clients.clientsOf((bucket) => bucket < lab.setup.split === (role === 'primary'), 34);
      for (const client of clients) await lab.clients.obtain(client, { timeoutMs: 60_000 });
      await eventually('both have addresses for new clients again', 60_000, async () =>
        (await lab.tables()).every(({ free, backup }) => free > 0 && backup > 0) ? true : undefined,
      );
    },
  };
}

/** Cut off from each other and both told that the other is down, they give the same addresses to different clients. */
async function conflict(lab: Lab): Promise<void> {
  await lab.begin();
  await lab.cut();
  await Promise.all(lab.servers.map((server) => lab.inState(server, 'communications-interrupted', NOTICE_MS)));
  for (const server of lab.servers) await server.partnerDown();
  const claims = new Map<Role, HeldLease[]>();
  for (const role of ROLES) {
    const leases: HeldLease[] = [];
    claims.set(role, leases);
    for (const client of lab.clients.clientsOf(() => true, lab.setup.pool.size))
      leases.push(await lab.clients.obtain(client, { to: [role], timeoutMs: 90_000 }));
    // What the other server's clients are given now is what this case makes happen.
    lab.clients.held.clear();
  }
  assert.ok(lab.clients.troubles.length === 0);
  await lab.heal();
  await lab.normal();
  for (const server of lab.servers)
    if (server.make === 'isc') assert.match(server.log(), /I move from \S+ to potential-conflict/);
  let kept = 0;
  for (const lease of [...(claims.get('primary') ?? []), ...(claims.get('secondary') ?? [])])
    if (typeof (await lab.clients.renew(lease, { timeoutMs: 3000 })) !== 'string') kept++;
  assert.ok(kept > 0 && kept <= lab.setup.pool.size, `${kept} of the clients keep their addresses`);
}

/** A lease that is kept for its client: on dhcpd's side one without end, on ours a reservation. */
async function reserved(lab: Lab): Promise<void> {
  await lab.begin();
  const forEver = new Map([[51, u32(INFINITE_LEASE_SEC)]]);
  for (const role of ROLES) {
    if (lab.server(role).make !== 'isc') continue;
    const [client] = lab.clients.clientsOf((bucket) => bucket < lab.setup.split === (role === 'primary'), 1);
    if (client === undefined) throw new Error('a client');
    let lease = await lab.clients.obtain(client, { to: [role], options: forEver });
    // The first lease is as long as MCLT, whatever is asked for; what follows, as far as seconds since 1970 reach.
    lease = await eventually('the lease is as good as endless', 30_000, async () => {
      const again = await lab.clients.renew(lease, { to: [role], options: forEver });
      return typeof again !== 'string' && again.leaseSec > YEAR_SEC ? again : undefined;
    });
    await bothHave(lab, lease.address, 'active');
  }
  if (lab.servers.every(({ make }) => make === 'isc')) return;
  // dhcpd has them as hosts with a fixed address, as our answer to the operator says: either server gives the client its address.
  for (const [hardware, address] of lab.setup.reservations) {
    const client = { hardware: Buffer.from(hardware, 'hex'), clientId: undefined };
    const lease = await lab.clients.obtain(client);
    assert.equal(lease.address, address);
    for (const role of ROLES) await renewed(lab, lease, role);
    lab.clients.forget(lease);
  }
}

/** The operator did not enter the reservations at dhcpd, which has their addresses in its pool. */
async function reservedHereOnly(lab: Lab): Promise<void> {
  await lab.begin();
  const ours = lab.servers.filter(({ make }) => make === 'twinlease').map(({ place }) => place.role);
  for (const [hardware, address] of lab.setup.reservations) {
    const client = { hardware: Buffer.from(hardware, 'hex'), clientId: undefined };
    if (ours.length === 0) continue;
    const lease = await lab.clients.obtain(client, { to: ours });
    assert.equal(lease.address, address);
    await bothHave(lab, address, 'active');
    for (const role of ROLES) await renewed(lab, lease, role);
  }
}

/** Each server gives an address of the shared pool to a BOOTP client of its own, and the other takes it over. */
async function bootp(lab: Lab): Promise<void> {
  await lab.begin();
  for (const role of ROLES) {
    let client = lab.clients.client(false);
    while (bucketOfClient(client) < lab.setup.split !== (role === 'primary')) client = lab.clients.client(false);
    const lease = await lab.clients.bootp(client, { timeoutMs: 5000 });
    assert.equal(lease?.server, role);
    await bothHave(lab, lease?.address ?? '', 'active');
  }
}

async function flowControl(lab: Lab): Promise<void> {
  await lab.begin();
  const crowd = await lab.crowd();
  await crowd.tell({ kind: 'add', count: 400 });
  await lab.crowdServed(400);
  const [server] = lab.servers;
  await server?.kill();
  await server?.start();
  await lab.normal();
  await crowd.tell({ kind: 'mark' });
  await lab.crowdServed(400);
}

/** So many leases granted by the primary to clients of its own, and as many by the secondary. */
async function obtainFromEach(lab: Lab, count: number): Promise<HeldLease[]> {
  const leases: HeldLease[] = [];
  for (const role of ROLES) {
    const clients = lab.clients.clientsOf((bucket) => bucket < lab.setup.split === (role === 'primary'), count);
    for (const client of clients) leases.push(await lab.clients.obtain(client, { to: [role] }));
  }
  return leases;
}

async function renewed(lab: Lab, lease: HeldLease, by: string): Promise<void> {
  const again = await lab.clients.renew(lease, { to: [by] });
  assert.ok(typeof again !== 'string', `the renewal of ${lease.address} by the ${by} was ${String(again)}`);
  assert.equal(again.address, lease.address);
}

/** Both tables say so of the address, in the end; undefined is available. */
async function bothHave(lab: Lab, address: string, state: 'active' | 'abandoned' | undefined): Promise<void> {
  let last = '';
  await eventually(`${address} is ${state ?? 'available'} in both tables`, 30_000, async () => {
    const rows = (await lab.tables()).map(({ rows }) => rows.get(address)?.state);
    last = rows.join(' and ');
    return rows.every((row) => row === state) ? true : undefined;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${last}`);
  });
}
