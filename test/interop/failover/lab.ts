/**
 * One network with a pair of failover servers of any makes, clients in its LAN, and a capture of the link between the two. Cases do
 * things to it; in the end it is asked whether both servers and all clients agree.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CrowdProcess } from '../../support/crowd-client.ts';
import type { CrowdReport } from '../../support/crowd-process.ts';
import { eventually } from '../../support/eventually.ts';
import { LAN, LINK, LINK_ADDRESSES, Machines } from '../../support/namespace-pair.ts';
import { runIn } from '../../support/network.ts';
import { RelayClients } from '../../support/relay-client.ts';
import { type ClientProgram, StockClient } from '../../support/stock-clients.ts';
import { LinkCapture, MESSAGE_CODES } from './frames.ts';
import { IscServer } from './isc-server.ts';
import { type FailoverServer, ROLES, type Role, type Row, type ServerState, type Setup, type Table } from './server.ts';
import { TwinleaseServer } from './twinlease-server.ts';

/** Who plays which role: ours beside dhcpd in either, and two dhcpd to learn what they complain of by themselves. */
export const PAIRINGS = {
  'ours-primary': { primary: 'twinlease', secondary: 'isc' },
  'ours-secondary': { primary: 'isc', secondary: 'twinlease' },
  'isc-isc': { primary: 'isc', secondary: 'isc' },
} as const satisfies Record<string, Record<Role, FailoverServer['make']>>;
export type Pairing = keyof typeof PAIRINGS;

const LAN_ADDRESSES = ['10.88.0.1', '10.88.0.2'] as const;
const CROWD_ADDRESS = '10.88.0.3';
const SCRIPT_ADDRESS = '10.88.0.4';
const SCOPE_ID = '10.88.0.0';
const PREFIX_LENGTH = 16;
/** dhcpd waits 15 s in STARTUP, dials each 5 s, and has an answer delay of its own. */
export const NORMAL_MS = 90_000;
/** A silent link is noticed after the receive-timer of this side, up to 60 s. */
export const NOTICE_MS = 80_000;
const SETTLE_MS = 45_000;
const CROWD_RETRANSMIT_MS = 1000;
/** A link layer address that nobody in the network has. */
const NOBODY = '02:00:00:00:00:01';
/** The clocks of a lease and of the servers' tables tick in whole seconds. */
const END_TOLERANCE_SEC = 2;

export interface SetupChoice extends Partial<Omit<Setup, 'pool'>> {
  /** At least 4, from 10.88.1.0 on. */
  readonly poolSize?: number;
}

/** What a case is about, and must therefore be seen on the link. */
export interface ExpectedMessage {
  readonly from: Role;
  readonly message: keyof typeof MESSAGE_CODES;
}

export class Lab {
  readonly machines: Machines;
  readonly setup: Setup;
  readonly primary: FailoverServer;
  readonly secondary: FailoverServer;
  #capture: LinkCapture | undefined;
  #crowd: CrowdProcess | undefined;
  #script: RelayClients | undefined;
  readonly #stock: StockClient[] = [];

  constructor(pairing: Pairing, choice: SetupChoice) {
    this.setup = setupOf(choice);
    this.machines = new Machines({
      label: 'f',
      addresses: [
        `${LAN_ADDRESSES[0]}/${PREFIX_LENGTH}`,
        `${LAN_ADDRESSES[1]}/${PREFIX_LENGTH}`,
        `${CROWD_ADDRESS}/${PREFIX_LENGTH}`,
      ],
    });
    const make = (role: Role): FailoverServer => {
      const index = role === 'primary' ? 0 : 1;
      const directory = join(this.machines.directory, role);
      mkdirSync(directory, { recursive: true });
      const place = {
        role,
        host: this.machines.hosts[index],
        lanAddress: LAN_ADDRESSES[index],
        linkAddress: LINK_ADDRESSES[index],
        partnerLinkAddress: LINK_ADDRESSES[index === 0 ? 1 : 0],
        directory,
        setup: this.setup,
      };
      return PAIRINGS[pairing][role] === 'isc'
        ? new IscServer(place)
        : new TwinleaseServer(place, this.machines.network);
    };
    this.primary = make('primary');
    this.secondary = make('secondary');
  }

  get servers(): readonly FailoverServer[] {
    return [this.primary, this.secondary];
  }

  server(role: Role): FailoverServer {
    return role === 'primary' ? this.primary : this.secondary;
  }

  other(server: FailoverServer): FailoverServer {
    return server === this.primary ? this.secondary : this.primary;
  }

  /** Clients and the capture; no server yet. */
  async prepare(): Promise<void> {
    const { clients, directory, hosts } = this.machines;
    await runIn(clients, ['ip', 'addr', 'add', `${SCRIPT_ADDRESS}/${PREFIX_LENGTH}`, 'dev', LAN]);
    this.#script = await RelayClients.open(
      clients,
      SCRIPT_ADDRESS,
      ROLES.map((role) => ({ name: role, address: this.server(role).place.lanAddress })),
    );
    this.#capture = await LinkCapture.open(hosts[0], join(directory, 'link.pcapng'));
  }

  /** Both servers, in NORMAL, with their shares of the free addresses. */
  async begin(): Promise<void> {
    // Ours first: a dhcpd that calls before it has been configured is turned away after a while, and both would talk of that.
    const ours = this.servers.filter(({ make }) => make === 'twinlease');
    const others = this.servers.filter(({ make }) => make !== 'twinlease');
    for (const group of [ours, others]) await Promise.all(group.map((server) => server.start()));
    await this.normal();
    await this.balanced();
  }

  get clients(): RelayClients {
    if (this.#script === undefined) throw new Error('the network is not prepared');
    return this.#script;
  }

  /** Clients that keep their leases by themselves. */
  async crowd(): Promise<CrowdProcess> {
    this.#crowd ??= await CrowdProcess.open(this.machines.clients, {
      servers: ROLES.map((role) => ({ name: role, address: this.server(role).place.lanAddress, port: 67 })),
      relayAddress: CROWD_ADDRESS,
      relayPort: 67,
      links: [SCOPE_ID],
      retransmitMs: CROWD_RETRANSMIT_MS,
    });
    return this.#crowd;
  }

  stockClient(program: ClientProgram): StockClient {
    const host = this.machines.network.host(`s${this.#stock.length}`);
    this.machines.network.plug(host, LAN, LAN);
    const client = new StockClient(program, host, join(this.machines.directory, `${program}${this.#stock.length}`));
    this.#stock.push(client);
    return client;
  }

  async inState(server: FailoverServer, state: ServerState, timeoutMs = NORMAL_MS): Promise<void> {
    let last: ServerState | undefined;
    await eventually(`the ${server.place.role} is in ${state}`, timeoutMs, async () => {
      last = await server.state();
      return last === state ? true : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it is in ${last}`);
    });
  }

  async normal(timeoutMs = NORMAL_MS): Promise<void> {
    let last: readonly ServerState[] = [];
    await eventually('both servers are in NORMAL and know it of each other', timeoutMs, async () => {
      last = await Promise.all(this.servers.flatMap((server) => [server.state(), server.partnerState()]));
      return last.every((state) => state === 'normal') ? true : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; states as told by the two: ${last.join(', ')}`);
    });
  }

  /** Both have addresses for new clients, about half of them each, and count the same. */
  async balanced(): Promise<void> {
    let last: readonly Table[] = [];
    await eventually('the free addresses are shared out', NORMAL_MS, async () => {
      last = await this.tables();
      const [a, b] = last;
      if (a === undefined || b === undefined || !this.#countsAgree(a, b)) return undefined;
      const available = a.free + a.backup;
      return Math.abs(a.free - available / 2) <= Math.max(2, available * 0.1) ? true : undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; ${last.map(summary).join('; ')}`);
    });
  }

  async tables(): Promise<readonly Table[]> {
    return await Promise.all(this.servers.map((server) => server.table()));
  }

  /** Nothing passes the link in either direction, and nobody is told. */
  async cut(): Promise<void> {
    await Promise.all([this.silence(this.primary), this.silence(this.secondary)]);
  }

  /** What this server sends to its partner gets lost; it still hears the partner. */
  async silence(server: FailoverServer): Promise<void> {
    const { host, partnerLinkAddress } = server.place;
    await runIn(host, [
      'ip',
      'neigh',
      'replace',
      partnerLinkAddress,
      'lladdr',
      NOBODY,
      'dev',
      LINK,
      'nud',
      'permanent',
    ]);
  }

  async heal(): Promise<void> {
    for (const { place } of this.servers)
      await runIn(place.host, ['ip', 'neigh', 'del', place.partnerLinkAddress, 'dev', LINK], { allowFailure: true });
  }

  /** Every client that held a lease at the last mark has it confirmed, and all that want one have one. */
  async crowdServed(count: number, timeoutMs = 60_000): Promise<CrowdReport> {
    const crowd = await this.crowd();
    return await eventually(`${count} clients have leases, and all leases are confirmed`, timeoutMs, async () => {
      const last = await crowd.report();
      return last.bound === count && last.waiting === 0 && last.sinceMark.unconfirmed === 0 ? last : undefined;
    }).catch(async (error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(await crowd.report())}`);
    });
  }

  /** What is wrong in the end, where both servers should be in NORMAL and of one mind. */
  async settled(): Promise<string[]> {
    const wrong: string[] = [];
    for (const server of this.servers)
      if (!server.isRunning) wrong.push(`the ${server.place.role} does not run any more`);
    if (wrong.length > 0) return wrong;
    let differences: readonly string[] = ['the tables were not compared'];
    await this.normal().catch((error: unknown) => wrong.push(String(error)));
    await eventually('the tables agree', SETTLE_MS, async () => {
      differences = await this.#differences();
      return differences.length === 0 ? true : undefined;
    }).catch(() => wrong.push(...differences));
    wrong.push(...this.clients.troubles);
    if (this.#crowd !== undefined) {
      const { duplicates, lost, moved, naks } = await this.#crowd.report();
      if (duplicates + lost + moved + naks > 0)
        wrong.push(`of the clients ${JSON.stringify({ duplicates, lost, moved, naks })}`);
    }
    return wrong;
  }

  /** Ends the capture and judges the frames of our own server, or of the primary where both are dhcpd. */
  async frames(expected: readonly ExpectedMessage[]): Promise<string[]> {
    const { role, linkAddress } = (this.servers.find(({ make }) => make === 'twinlease') ?? this.primary).place;
    const report = await this.#capture?.judge(linkAddress);
    this.#capture = undefined;
    const messages = report?.messages ?? [];
    if (!messages.some(({ from }) => from === linkAddress)) return [`no message of the ${role} was captured`];
    const missing = expected.filter(
      (one) =>
        !messages.some(
          ({ from, type }) => from === this.server(one.from).place.linkAddress && type === MESSAGE_CODES[one.message],
        ),
    );
    return [
      ...(report?.wrong ?? []).map((line) => `of the ${role} on the link: ${line}`),
      ...missing.map(({ from, message }) => `the ${from} sent no ${message}`),
    ];
  }

  async close(): Promise<void> {
    this.#crowd?.close();
    this.#script?.close();
    for (const client of this.#stock) client.kill();
    for (const server of this.servers) if (server.isRunning) await server.kill();
  }

  /** An address that only our own server keeps for somebody is available in dhcpd's table and not in ours. */
  #countsAgree(a: Table, b: Table): boolean {
    const apart = this.setup.entersReservations ? 0 : this.setup.reservations.size;
    return Math.abs(a.free - b.free) <= apart && Math.abs(a.backup - b.backup) <= apart;
  }

  /** Of the servers from each other, and of the clients from the servers. */
  async #differences(): Promise<string[]> {
    const [a, b] = await this.tables();
    if (a === undefined || b === undefined) return ['a table is missing'];
    const found: string[] = [];
    const own = new Set(this.setup.entersReservations ? this.setup.reservations.values() : []);
    for (const address of new Set([...a.rows.keys(), ...b.rows.keys()])) {
      if (own.has(address)) continue;
      const [one, two] = [a.rows.get(address), b.rows.get(address)];
      if (!isSame(one, two)) found.push(`${address}: the primary has ${text(one)}, the secondary ${text(two)}`);
    }
    if (!this.#countsAgree(a, b))
      found.push(`available addresses: the primary counts ${summary(a)}, the secondary ${summary(b)}`);
    const beliefs = new Map<string, { client: string; endsAt?: number }>();
    for (const [address, client] of Object.entries((await this.#crowd?.tell({ kind: 'leases' }))?.leases ?? {}))
      beliefs.set(address, { client });
    const now = performance.now();
    for (const { address, client, endsAtMs } of this.clients.held.values())
      if (endsAtMs > now)
        beliefs.set(address, {
          client: Buffer.from(client.hardware).toString('hex'),
          ...(Number.isFinite(endsAtMs) ? { endsAt: (Date.now() + endsAtMs - now) / 1000 } : {}),
        });
    for (const [address, belief] of beliefs) {
      for (const [index, table] of [a, b].entries()) {
        const row = table.rows.get(address);
        const endsTooEarly =
          belief.endsAt !== undefined && row?.endsAt != null && row.endsAt < belief.endsAt - END_TOLERANCE_SEC;
        if (row?.state === 'active' && row.client === belief.client && !endsTooEarly) continue;
        found.push(`${address}: its client ${belief.client} believes in it, the ${ROLES[index]} has ${text(row)}`);
      }
    }
    return found;
  }
}

function isSame(one: Row | undefined, two: Row | undefined): boolean {
  if (one === undefined || two === undefined) return one === two;
  if (one.state !== two.state) return false;
  // Of an abandoned address each server chooses the end itself, and dhcpd forgets who declined it.
  return one.state === 'abandoned' || (one.client === two.client && one.endsAt === two.endsAt);
}

function text(row: Row | undefined): string {
  return row === undefined ? 'nothing' : `${row.state} ${row.client} until ${row.endsAt}`;
}

function summary({ free, backup, rows }: Table): string {
  return `${free} free, ${backup} backup, ${rows.size} others`;
}

function setupOf(choice: SetupChoice): Setup {
  const { poolSize = 40, split = 128, ...rest } = choice;
  const lastOffset = 256 + poolSize - 1;
  return {
    mcltSec: 10,
    leaseSec: 30,
    split,
    reservations: new Map(),
    entersReservations: true,
    servesBootp: false,
    quickBalance: ROLES,
    infiniteIsReserved: false,
    ...rest,
    pool: {
      scopeId: SCOPE_ID,
      subnetMask: '255.255.0.0',
      first: '10.88.1.0',
      last: `10.88.${lastOffset >> 8}.${lastOffset & 255}`,
      size: poolSize,
    },
  };
}
