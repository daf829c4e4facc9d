/**
 * A pair of servers as two machines: each in a network namespace with an interface in the clients' LAN and a link of its own to the
 * partner. Made through the public API, asked over management links that no client and no partner sees.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess } from '../../demo/server-process.ts';
import { eventually } from './eventually.ts';
import { type Host, inNamespace, Network } from './network.ts';

export const RELATIONSHIP = 'pair of machines';
export const LAN = 'lan';
export const LINK = 'partner0';
export const LINK_ADDRESSES = ['192.168.255.1', '192.168.255.2'] as const;

export interface PairScope {
  readonly scopeId: string;
  readonly subnetMask: string;
  readonly startRange: string;
  readonly endRange: string;
  /** The server's default when absent. */
  readonly leaseDuration?: number;
}

export interface MachinesOptions {
  /** A few letters for names of namespaces. */
  readonly label: string;
  /** Addresses of the two servers and of the crowd's relay with the prefix length, as 10.0.0.1/24. */
  readonly addresses: readonly [string, string, string];
}

export interface JoinOptions {
  readonly mode: 'LoadBalance' | 'HotStandby';
  readonly scopes: readonly PairScope[];
  /** The operation's own defaults where absent. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** The two machines and the one of the clients, with nothing on them yet, and a directory for what they write. */
export class Machines {
  readonly network: Network;
  readonly directory: string;
  readonly hosts: readonly [Host, Host];
  /** A host in the LAN for clients. */
  readonly clients: Host;

  constructor(options: MachinesOptions) {
    this.directory = mkdtempSync(join(tmpdir(), 'twinlease-pair-'));
    this.network = new Network(options.label);
    const { network } = this;
    network.bridge(LAN);
    this.hosts = [network.host('a'), network.host('b')];
    this.clients = network.host('c');
    const [a, b] = this.hosts;
    network.plug(a, LAN, LAN, options.addresses[0]);
    network.plug(b, LAN, LAN, options.addresses[1]);
    network.plug(this.clients, LAN, LAN, options.addresses[2]);
    network.wire(a, b, LINK, `${LINK_ADDRESSES[0]}/30`, `${LINK_ADDRESSES[1]}/30`);
  }

  /** All interfaces of a server's machine go down: it closes no connection and answers nobody. */
  vanish(host: Host): void {
    // The link first: over it a server would still tell its partner that its other interface went down.
    this.network.takeDown(host, [LINK, LAN]);
  }

  remove(): void {
    this.network.remove();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export class NamespacePair {
  readonly machines: Machines;
  readonly alpha: ServerProcess;
  readonly beta: ServerProcess;

  /** `dataDirectory` chooses where a server keeps its data, in place of a directory of that name with the machines. */
  constructor(machines: Machines, dataDirectory: (name: string) => string = (name) => join(machines.directory, name)) {
    this.machines = machines;
    const { hosts, network } = machines;
    const make = (name: string, host: Host, partnerAddress: string) =>
      new ServerProcess({
        name,
        dataDirectory: dataDirectory(name),
        interfaces: [LAN],
        partnerAddress,
        restAddress: network.manage(host),
        prefix: inNamespace(host),
      });
    this.alpha = make('alpha', hosts[0], LINK_ADDRESSES[0]);
    this.beta = make('beta', hosts[1], LINK_ADDRESSES[1]);
  }

  get servers(): readonly ServerProcess[] {
    return [this.alpha, this.beta];
  }

  hostOf(server: ServerProcess): Host {
    return this.machines.hosts[server === this.alpha ? 0 : 1];
  }

  other(server: ServerProcess): ServerProcess {
    return server === this.alpha ? this.beta : this.alpha;
  }

  async start(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.start()));
    const { code } = await this.alpha.ask<{ readonly code: string }>('pair/invite');
    await this.beta.ask('pair/accept', { code, server: `${LINK_ADDRESSES[0]}:${this.alpha.partnerPort}` });
  }

  /** Scopes and the relationship, made on alpha; resolves when both servers are in NORMAL. */
  async join(options: JoinOptions): Promise<void> {
    await this.addScopes(options.scopes);
    await this.relate(options);
  }

  async addScopes(scopes: readonly PairScope[]): Promise<void> {
    for (const { scopeId, ...scope } of scopes)
      await this.alpha.ask('scope/add', { name: `scope ${scopeId}`, ...scope });
  }

  /** The relationship alone, over scopes that alpha has. */
  async relate(options: JoinOptions): Promise<void> {
    const path = options.mode === 'LoadBalance' ? 'failover/add-by-load-balance' : 'failover/add-by-hot-standby';
    const scopeId = options.scopes.map((scope) => scope.scopeId);
    await this.alpha.ask(path, { name: RELATIONSHIP, partnerServer: 'beta', scopeId, ...options.parameters });
    await this.normal();
  }

  async stateOf(server: ServerProcess): Promise<string | undefined> {
    const rows = await server.ask<readonly { readonly state: string }[]>('failover/get-by-name', {
      name: [RELATIONSHIP],
    });
    return rows[0]?.state;
  }

  async normal(timeoutMs = 60_000): Promise<void> {
    await eventually('both in Normal', timeoutMs, async () => {
      for (const server of this.servers) if ((await this.stateOf(server)) !== 'Normal') return undefined;
      return true;
    });
  }

  /** The last lines of both logs, for a failing test. */
  logs(): string {
    return this.servers.map((server) => `${server.options.name}:\n${server.lines.slice(-40).join('\n')}`).join('\n');
  }

  /** Kills both servers; the machines stay. */
  async stop(): Promise<void> {
    for (const server of this.servers) if (server.isRunning) await server.kill();
  }
}

/** The balance is right within a tenth. */
const BALANCED_PART = 0.9;
const BALANCE_MS = 60_000;

/** Resolves when the second server has been given its share of the free addresses. */
export async function balanced(pair: NamespacePair, share: number): Promise<void> {
  await eventually('the second server has its part of the free addresses', BALANCE_MS, async () => {
    const [status] = await pair.beta.ask<readonly { readonly freeHere: number }[]>('failover/status', {
      name: [RELATIONSHIP],
    });
    return (status?.freeHere ?? 0) >= share * BALANCED_PART ? true : undefined;
  });
}
