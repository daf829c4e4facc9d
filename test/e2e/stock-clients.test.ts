/**
 * The distribution's DHCP clients against a pair of two machines, joined by AddByLoadBalance: each gets, renews and releases a lease,
 * in the servers' own LAN and through a relay. What was on the wires is then decoded by tshark, which knows nothing of this project.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { needProgram, needRoot } from '../net/need.ts';
import { eventually } from '../support/eventually.ts';
import { LAN, LINK, Machines, NamespacePair } from '../support/namespace-pair.ts';
import { type Host, runIn, startIn } from '../support/network.ts';
import { type ClientProgram, CUSTOM_OPTION, StockClient } from '../support/stock-clients.ts';

const PROGRAMS = ['ip', 'udhcpc', 'dhclient', 'dhcpcd', 'dhcrelay', 'tshark', 'dumpcap'];
const SERVERS = ['10.77.0.1', '10.77.0.2'] as const;
const RELAY = '10.77.0.3';
const RELAY_INSIDE = '10.78.0.1';
const FAR = 'far';
/** Clients renew after half of it. */
const LEASE_SEC = 20;
const SCOPES = [
  {
    scopeId: '10.77.0.0',
    startRange: '10.77.0.10',
    endRange: '10.77.0.250',
    excludedTo: '10.77.0.99',
    router: '10.77.0.3',
  },
  {
    scopeId: '10.78.0.0',
    startRange: '10.78.0.10',
    endRange: '10.78.0.250',
    excludedTo: '10.78.0.99',
    router: RELAY_INSIDE,
  },
] as const;
const EXCLUDED = /^10\.7[78]\.0\.([1-9]|[1-9]\d)$/;
const CUSTOM_TEXT = 'rack 7';

interface LeaseRow {
  readonly ipAddress: string;
  readonly addressState: string;
}

interface World {
  readonly machines: Machines;
  readonly pair: NamespacePair;
}

/** One client that the test follows from its first message to the release. */
interface Case {
  readonly program: ClientProgram;
  readonly way: 'directly' | 'through a relay';
  /** The address that is reserved for it. */
  readonly reserved?: string;
}

const CASES: readonly Case[] = [
  { program: 'udhcpc', way: 'directly' },
  { program: 'dhclient', way: 'directly', reserved: '10.77.0.201' },
  { program: 'dhcpcd', way: 'directly' },
  { program: 'udhcpc', way: 'through a relay' },
  { program: 'dhclient', way: 'through a relay' },
  { program: 'dhcpcd', way: 'through a relay', reserved: '10.78.0.202' },
];

test('the stock clients are served by a pair of machines, directly and through a relay', {
  concurrency: CASES.length + 1,
}, async (t) => {
  if (!needRoot(t)) return;
  for (const program of PROGRAMS) if (!needProgram(t, program)) return;
  const resolverBefore = readFileSync('/etc/resolv.conf', 'utf8');
  const machines = new Machines({ label: 's', addresses: [`${SERVERS[0]}/24`, `${SERVERS[1]}/24`, `${RELAY}/24`] });
  const world: World = { machines, pair: new NamespacePair(machines) };
  try {
    const captures = await Promise.all([
      capture(machines, machines.hosts[0], LAN),
      capture(machines, machines.hosts[1], LAN),
      capture(machines, machines.hosts[0], LINK),
    ]);
    const hosts = prepareClients(world);
    await openPair(world, hosts);
    // Only what comes with the clients counts: while a relationship is made, one server may know it before the other.
    for (const server of world.pair.servers) server.errors.length = 0;
    const running = CASES.map((one, index) =>
      t.test(`${one.program} ${one.way}`, () => followClient(world, one, hosts[index])),
    );
    running.push(t.test('an excluded address is not given to who asks for it', () => askForExcluded(world)));
    await Promise.all(running);
    const [lanOfAlpha, lanOfBeta, link] = await Promise.all(captures.map((one) => one.stop()));
    await t.test('nothing that tshark decodes is malformed', (inner) =>
      judgeLan(inner, [lanOfAlpha ?? '', lanOfBeta ?? '']),
    );
    await t.test('the link between the servers is TLS 1.3 and nothing else', () => judgeLink(world, link ?? ''));
    assert.deepEqual(
      world.pair.servers.flatMap((server) => server.errors),
      [],
    );
    assert.equal(readFileSync('/etc/resolv.conf', 'utf8'), resolverBefore);
  } finally {
    await world.pair.stop();
    machines.remove();
  }
});

/** The relay's own second network, and a host for each client. */
function prepareClients({ machines }: World): readonly Host[] {
  const { network, clients: relay } = machines;
  network.bridge(FAR);
  network.plug(relay, FAR, FAR, `${RELAY_INSIDE}/24`);
  for (const server of machines.hosts) network.route(server, '10.78.0.0/24', RELAY);
  return CASES.map((one, index) => {
    const host = network.host(`u${index}`);
    network.plug(host, one.way === 'directly' ? LAN : FAR, LAN);
    return host;
  });
}

async function openPair({ machines, pair }: World, hosts: readonly Host[]): Promise<void> {
  await pair.start();
  const { alpha } = pair;
  await alpha.ask('option-definition/add', { optionId: CUSTOM_OPTION, name: 'place', type: 'String' });
  const reserve = async (index: number) => {
    const { reserved } = CASES[index] ?? {};
    const host = hosts[index];
    if (reserved === undefined || host === undefined) return;
    const hardware = (await runIn(host, ['cat', `/sys/class/net/${LAN}/address`])).trim().replaceAll(':', '-');
    const scopeId = reserved.replace(/\d+$/, '0');
    await alpha.ask('reservation/add', { scopeId, ipAddress: reserved, clientId: hardware, name: `client ${index}` });
  };
  const scopes = SCOPES.map(({ scopeId, startRange, endRange }) => ({
    scopeId,
    subnetMask: '255.255.255.0',
    startRange,
    endRange,
    leaseDuration: LEASE_SEC,
  }));
  await pair.addScopes(scopes);
  for (const { scopeId, startRange, excludedTo, router } of SCOPES) {
    await alpha.ask('exclusion/add', { scopeId, startRange, endRange: excludedTo });
    await alpha.ask('option/set-by-common-options', {
      scopeId,
      router: [router],
      dnsServer: ['10.77.0.53', '10.77.0.54'],
      dnsDomain: 'example.org',
      force: true,
    });
    await alpha.ask('option/set-by-option-id', { scopeId, optionId: CUSTOM_OPTION, value: [CUSTOM_TEXT] });
  }
  await reserve(1);
  await pair.relate({ mode: 'LoadBalance', scopes });
  // This one is made while the relationship lives, and reaches the other server by itself.
  await reserve(5);
  await eventually('the reservation reaches the other server', 10_000, async () => {
    const rows = await pair.beta.ask<readonly { readonly ipAddress: string }[]>('reservation/get-by-scope-id', {
      scopeId: '10.78.0.0',
    });
    return rows.some((row) => row.ipAddress === CASES[5]?.reserved) ? true : undefined;
  });
  const relay = machines.clients;
  await runIn(relay, ['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
  startIn(relay, ['dhcrelay', '-4', '-d', '--no-pid', '-a', '-id', FAR, '-iu', LAN, ...SERVERS]);
}

async function followClient(world: World, one: Case, host: Host | undefined): Promise<void> {
  if (host === undefined) throw new Error('a host for each client');
  const { machines, pair } = world;
  const client = new StockClient(one.program, host, join(machines.directory, host.name));
  try {
    client.start();
    const bound = await client.event('bound', 30_000);
    const scope = SCOPES[one.way === 'directly' ? 0 : 1];
    assert.match(bound.address, new RegExp(`^${scope.scopeId.replace(/\.0$/, '\\.')}`));
    assert.doesNotMatch(bound.address, EXCLUDED);
    if (one.reserved !== undefined) assert.equal(bound.address, one.reserved);
    assert.ok(
      SERVERS.some((server) => server === bound.serverId),
      bound.serverId,
    );
    assert.deepEqual(
      { router: bound.router, dns: bound.dns, domain: bound.domain, custom: bound.custom },
      { router: scope.router, dns: '10.77.0.53 10.77.0.54', domain: 'example.org', custom: CUSTOM_TEXT },
    );
    const seen = client.events().length;
    const renewed = await client.event('renewed', LEASE_SEC * 1000, seen);
    assert.equal(renewed.address, bound.address);
    // dhcrelay also takes up the unicast that passes its machine, and hands it to both servers.
    if (one.way === 'directly') assert.equal(renewed.serverId, bound.serverId);
    assert.ok(
      (await activeOn(pair, scope.scopeId)).every((active) => active.includes(bound.address)),
      'both servers know the lease',
    );
    await client.release();
    await eventually('both servers know the release', 10_000, async () =>
      (await activeOn(pair, scope.scopeId)).some((active) => active.includes(bound.address)) ? undefined : true,
    );
  } finally {
    client.kill();
  }
}

async function askForExcluded({ machines }: World): Promise<void> {
  const host = machines.network.host('x');
  machines.network.plug(host, LAN, LAN);
  const client = new StockClient('udhcpc', host, join(machines.directory, host.name));
  client.start(['-r', '10.77.0.50']);
  try {
    const bound = await client.event('bound', 30_000);
    assert.doesNotMatch(bound.address, EXCLUDED);
  } finally {
    client.kill();
  }
}

/** Addresses with a running lease, as alpha and as beta know them. */
async function activeOn(pair: NamespacePair, scopeId: string): Promise<readonly (readonly string[])[]> {
  return await Promise.all(
    pair.servers.map(async (server) => {
      const rows = await server.ask<readonly LeaseRow[]>('lease/get-by-scope-id', { scopeId });
      return rows.filter((row) => /^Active/.test(row.addressState)).map((row) => row.ipAddress);
    }),
  );
}

async function capture(machines: Machines, host: Host, interfaceName: string): Promise<{ stop(): Promise<string> }> {
  const path = join(machines.directory, `${host.name}-${interfaceName}.pcap`);
  const child = startIn(host, ['dumpcap', '-q', '-i', interfaceName, '-w', path]);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await eventually('the capture runs', 10_000, () => (existsSync(path) ? true : undefined));
  return {
    stop: async () => {
      child.kill('SIGINT');
      await ended;
      return path;
    },
  };
}

async function judgeLan(t: TestContext, paths: readonly string[]): Promise<void> {
  const types: number[] = [];
  for (const path of paths) {
    types.push(...(await decoded(path, 'dhcp', ['dhcp.option.dhcp'])).map(Number));
    assert.deepEqual(
      await decoded(path, '_ws.malformed || (dhcp && _ws.expert.severity >= 0x600000)', [
        'frame.number',
        '_ws.expert.message',
      ]),
      [],
    );
  }
  t.diagnostic(`${types.length} DHCP messages decoded`);
  // In both captures together: by their hash, the few clients may all be one server's.
  for (const type of [1, 2, 3, 5, 7]) assert.ok(types.includes(type), `no message of type ${type} was seen`);
}

async function judgeLink({ pair }: World, path: string): Promise<void> {
  const asTls = pair.servers.flatMap((server) => ['-d', `tcp.port==${server.partnerPort},tls`]);
  const streams = new Set(await decoded(path, 'tcp.len > 0', ['tcp.stream'], asTls));
  assert.ok(streams.size > 0);
  for (const stream of streams) {
    const hellos = await decoded(
      path,
      `tcp.stream == ${stream} && tls.handshake.type == 2`,
      ['tls.handshake.extensions.supported_version'],
      asTls,
    );
    assert.ok(
      hellos.length > 0 && hellos.every((version) => version.includes('0x0304')),
      `stream ${stream} is TLS 1.3: ${hellos.join(' ')}`,
    );
  }
  assert.deepEqual(await decoded(path, 'dhcpfo || _ws.malformed', ['frame.number'], asTls), []);
  // The names that both servers speak of in their calls are nowhere in the clear.
  const bytes = readFileSync(path);
  for (const secret of ['example.org', 'pair of machines', '10.77.0.201']) assert.ok(!bytes.includes(secret), secret);
}

/** One line for each frame that the filter takes. */
async function decoded(
  path: string,
  filter: string,
  fields: readonly string[],
  extra: readonly string[] = [],
): Promise<readonly string[]> {
  const args = ['-n', '-r', path, ...extra, '-Y', filter, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])];
  return await new Promise((resolve, reject) => {
    execFile('tshark', args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(stderr, { cause: error }));
      else resolve(stdout.split('\n').filter((line) => line !== ''));
    });
  });
}
