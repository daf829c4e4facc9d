/**
 * What an import is for: clients get from this server what dhcpd gave them. Both run on one wire in namespaces of their own, dhcpd
 * with a sample file and this server with what its import made of it, and the same clients ask both through the same relay. What the
 * report says is not carried over is taken out of dhcpd's copy first: failover, its own choice of options (option 55), values that it
 * computes for each client.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ServerProcess } from '../../../demo/server-process.ts';
import type { DhcpPacket } from '../../../src/wire/dhcp/packet.ts';
import { formatIp4, parseIp4, toHex } from '../../../src/wire/units.ts';
import { runCli } from '../../front/cli-world.ts';
import { Daemon } from '../../interop/product.ts';
import { needProgram, needRoot } from '../../net/need.ts';
import { eventually } from '../../support/eventually.ts';
import { Network, runIn } from '../../support/network.ts';
import { RelayClients, type ScriptedClient } from '../../support/relay-client.ts';
import { FILES, sampleText } from './sample-files.ts';

const WIRE = '172.31.9';
const SERVERS = [
  { name: 'dhcpd', address: `${WIRE}.2` },
  { name: 'ours', address: `${WIRE}.3` },
] as const;
const READY_MS = 30_000;
/** dhcpd pings an address for a second before it offers it. */
const ANSWER_MS = 10_000;

interface Asked {
  readonly who: string;
  readonly relay: string;
  readonly hardware: string;
  readonly clientId?: string;
  readonly vendorClass?: string;
  readonly userClass?: string;
  /** Option 82. */
  readonly relayInformation?: string;
  /** Asked for, where a link has several networks. */
  readonly wanted?: string;
  /** A fixed address; undefined for any of the network. */
  readonly address?: string;
  /** What the report says differs for this client. */
  readonly differs?: readonly (number | 'siaddr')[];
}

const PC = '020000000001';
const CAMPUS: readonly Asked[] = [
  { who: 'a computer of the main building', relay: '10.64.16.1', hardware: PC, wanted: '10.64.16.100' },
  {
    who: 'a telephone, which has values of its class',
    relay: '10.64.16.1',
    hardware: '020000000002',
    wanted: '10.64.16.101',
    vendorClass: 'snom320',
  },
  {
    who: 'a telephone whose name server goes over the network’s own',
    relay: '10.64.32.1',
    hardware: '020000000003',
    wanted: '10.64.32.100',
    vendorClass: 'snom320',
  },
  { who: 'another telephone', relay: '10.69.0.1', hardware: '020000000004', vendorClass: 'AastraIPPhone6731i' },
  {
    who: 'a machine that boots from the network',
    relay: '10.69.0.1',
    hardware: '020000000005',
    vendorClass: 'PXEClient:Arch:00000',
  },
  {
    who: 'an access point with options inside option 43',
    relay: '10.70.0.1',
    hardware: '020000000006',
    vendorClass: 'Cisco AP c1700',
    differs: [51],
  },
  { who: 'another one', relay: '10.70.0.1', hardware: '020000000007', vendorClass: 'ubnt', differs: [51] },
  {
    who: 'a kiosk, by a choice in its network',
    relay: '10.69.0.1',
    hardware: '020000000008',
    vendorClass: 'kiosk',
    differs: ['siaddr'],
  },
  { who: 'a wireless client', relay: '10.65.0.1', hardware: '020000000009', wanted: '10.65.7.7' },
  {
    who: 'a printer with the options of its group',
    relay: '10.64.32.1',
    hardware: '008077000001',
    address: '10.64.32.5',
  },
  { who: 'a printer with its own name', relay: '10.64.32.1', hardware: '008077000002', address: '10.64.32.6' },
  {
    who: 'a printer with its own lease time and boot file',
    relay: '10.64.32.1',
    hardware: '008077000003',
    address: '10.64.32.7',
  },
  { who: 'the same printer in another network', relay: '10.67.0.1', hardware: '008077000003', address: '10.67.0.7' },
  {
    who: 'a machine known by its identifier',
    relay: '10.69.0.1',
    hardware: '02000000000a',
    clientId: '006d616368696e652d37',
    address: '10.69.0.7',
    differs: ['siaddr'],
  },
  {
    who: 'a machine known by both',
    relay: '10.69.0.1',
    hardware: '008077000009',
    clientId: '01008077000009',
    address: '10.69.0.9',
    differs: ['siaddr'],
  },
  {
    who: 'a machine known by its switch port',
    relay: '10.69.0.1',
    hardware: '02000000000b',
    relayInformation: '01060004000a0102',
    address: '10.69.0.10',
    differs: ['siaddr'],
  },
];
const BOOT_LAB: readonly Asked[] = [
  { who: 'a machine that boots', relay: '10.20.0.1', hardware: PC },
  { who: 'its boot program, which comes second', relay: '10.20.0.1', hardware: '020000000002', userClass: 'iPXE' },
  {
    who: 'a machine that boots over HTTP',
    relay: '10.20.0.1',
    hardware: '020000000003',
    vendorClass: 'HTTPClient:Arch:00016',
  },
  {
    who: 'a machine with the menu of its vendor',
    relay: '10.20.0.1',
    hardware: '020000000004',
    vendorClass: 'PXEClient:Arch:00000',
  },
  { who: 'an installer', relay: '10.20.0.1', hardware: '020000000005', vendorClass: 'd-i' },
  { who: 'a thin client', relay: '10.20.0.1', hardware: '525400000001', address: '10.20.3.1' },
  { who: 'a thin client with its own root', relay: '10.20.0.1', hardware: '525400000002', address: '10.20.3.2' },
  {
    who: 'a thin client known by its switch port',
    relay: '10.20.0.1',
    hardware: '020000000006',
    relayInformation: '01077377312f302f33',
    address: '10.20.3.3',
  },
  {
    who: 'a thin client with its own lease time',
    relay: '10.20.0.1',
    hardware: '020000000007',
    relayInformation: '0204000a0b0c',
    address: '10.20.3.4',
  },
];

/** Everything that the two files set, with room for it in the answer. */
const WANTED = [
  1, 2, 3, 6, 7, 12, 15, 17, 19, 26, 28, 42, 43, 44, 46, 51, 66, 67, 78, 119, 121, 224, 225, 226, 227, 228, 229, 230,
  231, 232, 233, 240, 252,
];
const LEASE_TIME = 51;
const RENEWAL = 58;
const SIZE = Uint8Array.of(5, 0xc0);

for (const [name, clients] of [
  ['campus', CAMPUS],
  ['boot-lab', BOOT_LAB],
] as const) {
  test(`clients get from the import of ${name}.conf what dhcpd gives them`, async (t) => {
    if (!needRoot(t) || !needProgram(t, 'dhcpd') || !needProgram(t, 'ip')) return;
    const relays = await twoServers(t, name, [...new Set(clients.map((client) => client.relay))]);
    const answers = await Promise.all(clients.map(async (client) => [client, await askBoth(relays, client)] as const));
    for (const [client, { dhcpd, ours }] of answers) {
      assert.deepEqual(shown(ours, client), shown(dhcpd, client), client.who);
      // This server always says when to renew a lease that ends; where the file does too, it is the same time.
      const renewal = dhcpd.options.get(RENEWAL);
      const isEndless = hexOf(ours.options.get(LEASE_TIME)) === 'ffffffff';
      if (renewal !== undefined && !isEndless) assert.deepEqual(ours.options.get(RENEWAL), renewal, client.who);
      if (client.address !== undefined) assert.equal(formatIp4(ours.yiaddr), client.address, client.who);
    }
  });
}

type Relays = ReadonlyMap<string, RelayClients>;

async function twoServers(t: TestContext, name: string, relayAddresses: readonly string[]): Promise<Relays> {
  const directory = mkdtempSync(join(tmpdir(), 'twinlease-import-'));
  const network = new Network('im');
  t.after(() => {
    network.remove();
    rmSync(directory, { recursive: true, force: true });
  });
  network.bridge('lan');
  const [relay, dhcpd, ours] = ['relay', 'dhcpd', 'ours'].map((host, index) => {
    const made = network.host(host);
    network.plug(made, 'lan', 'lan0', `${WIRE}.${index + 1}/24`);
    return made;
  });
  assert.ok(relay !== undefined && dhcpd !== undefined && ours !== undefined);
  for (const address of relayAddresses) await runIn(relay, ['ip', 'addr', 'add', `${address}/32`, 'dev', 'lan0']);
  for (const host of [dhcpd, ours]) network.route(host, '10.0.0.0/8', `${WIRE}.1`);

  const server = new ServerProcess({
    name: 'ours',
    dataDirectory: join(directory, 'data'),
    relayOnly: `${WIRE}.3:67`,
    partnerAddress: '127.0.0.1',
    restAddress: network.manage(ours),
    prefix: ['ip', 'netns', 'exec', ours.space],
  });
  t.after(() => server.stop());
  await Promise.all([startDhcpd(t, dhcpd, directory, name), server.start()]);
  const files = { '/token': server.token, ...sampleFiles(name) };
  const env = { TWINLEASE_URL: server.restUrl, TWINLEASE_TOKEN_FILE: '/token' };
  const imported = await runCli(['import', `${name}.conf`], { env, files, fetch: (url, init) => fetch(url, init) });
  assert.equal(imported.code, 0, imported.stderr);

  const relays = new Map<string, RelayClients>();
  for (const address of relayAddresses) {
    const opened = await RelayClients.open(relay, address, SERVERS);
    t.after(() => opened.close());
    relays.set(address, opened);
  }
  return relays;
}

function sampleFiles(name: string): Readonly<Record<string, string>> {
  const parts = name === 'boot-lab' ? ['boot-lab.options', 'boot-lab.hosts'] : [];
  return Object.fromEntries([`${name}.conf`, ...parts].map((file) => [file, sampleText(file)]));
}

async function startDhcpd(
  t: TestContext,
  host: Parameters<typeof runIn>[0],
  directory: string,
  name: string,
): Promise<void> {
  cpSync(FILES, directory, { recursive: true });
  const file = (ending: string): string => join(directory, `dhcpd.${ending}`);
  const text = sampleText(`${name}.conf`)
    .replace(/failover peer "\w+" \{[^}]*\}/g, '')
    .replace(/failover peer "\w+";/g, '')
    .replace(/option dhcp-parameter-request-list [^;]*;/, '')
    .replace(/option host-name = [^;]*;/, '')
    .replace(/if option dhcp-client-identifier = [^}]*\} else \{[^}]*\}/, '')
    .replace(/((lease|pid)-file-name|interface) [^;]*;/g, '')
    .replace(/include "/g, `include "${directory}/`);
  writeFileSync(join(directory, 'missing.hosts'), '');
  writeFileSync(file('conf'), `${text}\nsubnet ${WIRE}.0 netmask 255.255.255.0 { }\n`);
  writeFileSync(file('leases'), '');
  const daemon = new Daemon(
    host,
    ['dhcpd', '-4', '-f', '-d', '-cf', file('conf'), '-lf', file('leases'), '--no-pid', 'lan0'],
    file('log'),
  );
  t.after(async () => {
    if (daemon.isRunning) await daemon.kill();
  });
  await eventually('dhcpd serves', READY_MS, () => {
    if (!daemon.isRunning) throw new Error(daemon.log().slice(-2000));
    return /Server starting service/.test(daemon.log()) ? true : undefined;
  });
}

async function askBoth(
  relays: Relays,
  asked: Asked,
): Promise<{ readonly dhcpd: DhcpPacket; readonly ours: DhcpPacket }> {
  const client: ScriptedClient = {
    hardware: Buffer.from(asked.hardware, 'hex'),
    clientId: asked.clientId === undefined ? undefined : Buffer.from(asked.clientId, 'hex'),
  };
  const options = new Map<number, Uint8Array>([
    [55, Uint8Array.from([...WANTED, RENEWAL])],
    [57, SIZE],
  ]);
  if (asked.wanted !== undefined) options.set(50, octetsOf(asked.wanted));
  if (asked.vendorClass !== undefined) options.set(60, Buffer.from(asked.vendorClass));
  if (asked.userClass !== undefined) options.set(77, Buffer.from(asked.userClass));
  if (asked.relayInformation !== undefined) options.set(82, Buffer.from(asked.relayInformation, 'hex'));
  const ask = async (name: string): Promise<DhcpPacket> => {
    const relay = relays.get(asked.relay);
    const answer = await relay?.ask(client, 'discover', { to: [name], options, timeoutMs: ANSWER_MS });
    assert.ok(answer !== undefined, `${name} answers ${asked.who}`);
    return answer.packet;
  };
  const [dhcpd, ours] = await Promise.all([ask('dhcpd'), ask('ours')]);
  return { dhcpd, ours };
}

/** The answer as far as it must be the same: the network or the address, where to boot from, and every option of the two files. */
function shown(packet: DhcpPacket, { relay, address, wanted, differs = [] }: Asked): unknown {
  const options = WANTED.filter((code) => !differs.includes(code)).map((code) => [
    code,
    hexOf(packet.options.get(code)),
  ]);
  return {
    address: address === undefined && wanted === undefined ? networkOf(packet.yiaddr, relay) : formatIp4(packet.yiaddr),
    siaddr: differs.includes('siaddr') ? '' : formatIp4(packet.siaddr),
    file: Buffer.from(packet.file).toString(),
    options: Object.fromEntries(options.filter(([code, hex]) => hex !== undefined && !IS_FIELD.has(Number(code)))),
  };
}

/** What dhcpd puts into fields only is an option as well here (said in the report); the fields are compared. */
const IS_FIELD: ReadonlySet<number> = new Set([66, 67]);

function hexOf(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : toHex(value);
}

function octetsOf(address: string): Uint8Array {
  return Uint8Array.from(address.split('.').map(Number));
}

/** A client may be put into any network of its relay's link; in the samples the first two octets tell the link. */
function networkOf(address: number, relay: string): string {
  const link = (parseIp4(relay) ?? 0) >>> 16;
  return address >>> 16 === link ? 'on the link' : formatIp4(address as ReturnType<typeof parseIp4> & number);
}
