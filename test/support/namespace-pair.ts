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
export const LINK = 'link';

export interface PairScope {
  readonly scopeId: string;
  readonly subnetMask: string;
  readonly startRange: string;
  readonly endRange: string;
  /** The server's default when absent. */
  readonly leaseDuration?: number;
}

export interface NamespacePairOptions {
  /** A few letters for names of namespaces. */
  readonly label: string;
  /** Addresses of alpha, beta and the crowd's relay with the prefix length, as 10.0.0.1/24. */
  readonly addresses: readonly [string, string, string];
  /** Where a server keeps its data, in place of a directory made here. */
  readonly dataDirectory?: (name: string, made: string) => string;
}

export interface JoinOptions {
  readonly mode: 'LoadBalance' | 'HotStandby';
  readonly scopes: readonly PairScope[];
  /** The operation's own defaults where absent. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

export class NamespacePair {
  readonly network: Network;
  readonly directory: string;
  readonly hosts: readonly [Host, Host];
  /** A host in the LAN for clients. */
  readonly clients: Host;
  readonly alpha: ServerProcess;
  readonly beta: ServerProcess;

  constructor(options: NamespacePairOptions) {
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
    network.wire(a, b, LINK, '192.168.255.1/30', '192.168.255.2/30');
    const make = (name: string, host: Host, partnerAddress: string) => {
      const made = join(this.directory, name);
      return new ServerProcess({
        name,
        dataDirectory: options.dataDirectory?.(name, made) ?? made,
        interfaces: [LAN],
        partnerAddress,
        restAddress: network.manage(host),
        prefix: inNamespace(host),
      });
    };
    this.alpha = make('alpha', a, '192.168.255.1');
    this.beta = make('beta', b, '192.168.255.2');
  }

  get servers(): readonly ServerProcess[] {
    return [this.alpha, this.beta];
  }

  hostOf(server: ServerProcess): Host {
    return server === this.alpha ? this.hosts[0] : this.hosts[1];
  }

  other(server: ServerProcess): ServerProcess {
    return server === this.alpha ? this.beta : this.alpha;
  }

  async start(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.start()));
    const { code } = await this.alpha.ask<{ readonly code: string }>('pair/invite');
    await this.beta.ask('pair/accept', { code, server: `192.168.255.1:${this.alpha.partnerPort}` });
  }

  /** Scopes and the relationship, made on alpha; resolves when both servers are in NORMAL. */
  async join(options: JoinOptions): Promise<void> {
    for (const scope of options.scopes) await this.alpha.ask('scope/add', { name: scope.scopeId, ...scope });
    await this.relate(options);
  }

  /** The relationship alone, over scopes that alpha has. */
  async relate(options: JoinOptions): Promise<void> {
    const path = options.mode === 'LoadBalance' ? 'failover/add-by-load-balance' : 'failover/add-by-hot-standby';
    const scopeId = options.scopes.map((scope) => scope.scopeId);
    await this.alpha.ask(path, { name: RELATIONSHIP, partnerServer: 'beta', scopeId, ...options.parameters });
    await this.normal();
  }

  async stateOf(server: ServerProcess): Promise<string | undefined> {
    const rows = await server.ask<readonly { readonly state: string }[]>('failover/get', { name: [RELATIONSHIP] });
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

  async close(): Promise<void> {
    for (const server of this.servers) if (server.isRunning) await server.kill();
    this.network.remove();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
