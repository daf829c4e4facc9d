/**
 * Two real server processes on loopback that take each other for servers of another make: declared by address, joined by the
 * public operations on each side alone, and linked over plain TCP in the dialect under test.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess } from '../../demo/server-process.ts';

export interface ForeignPairOptions {
  readonly kind: 'isc' | 'draft' | 'windows';
  /** Third octet of the loopback addresses, so that pairs side by side never meet. */
  readonly network: number;
  readonly mode: 'LoadBalance' | 'HotStandby';
  readonly relationship: string;
  readonly scopeId: string;
  readonly scope: Readonly<Record<string, string | number>>;
  readonly mcltSec: number;
  /** Of the clients, the primary's percent in load balance. */
  readonly share: number;
  /** As each side is told it at first. */
  readonly secrets?: { readonly primary: string; readonly secondary: string };
}

/** What both servers must tell alike of an address. */
export interface LeaseRow {
  readonly ipAddress: string;
  readonly addressState: string;
  readonly clientId: string;
  readonly leaseExpiryTime: number | null;
}

export interface Standing {
  readonly state: string;
  readonly partnerState: string;
  readonly isCommunicating: boolean;
  readonly updatesWaiting: number;
  readonly recoverWaitUntil: number | null;
  readonly freeHere: number;
  readonly freeAtPartner: number;
  readonly clockAllowance: number;
}

export class ForeignPair {
  readonly options: ForeignPairOptions;
  readonly directory: string;
  readonly primary: ServerProcess;
  readonly secondary: ServerProcess;

  private constructor(options: ForeignPairOptions) {
    this.options = options;
    this.directory = mkdtempSync(join(tmpdir(), 'twinlease-foreign-'));
    const server = (name: string, host: number): ServerProcess =>
      new ServerProcess({
        name,
        dataDirectory: join(this.directory, name),
        relayOnly: `127.0.${options.network}.${host}:0`,
        partnerAddress: `127.0.${options.network}.${host}`,
        drills: true,
      });
    this.primary = server('primary', 1);
    this.secondary = server('secondary', 2);
  }

  static async open(options: ForeignPairOptions): Promise<ForeignPair> {
    const pair = new ForeignPair(options);
    try {
      await Promise.all(pair.servers.map((server) => server.start()));
      // A primary that nobody knows there yet is refused, and comes again later.
      await pair.#declare(pair.secondary);
      await pair.#declare(pair.primary);
      return pair;
    } catch (error) {
      await pair.close();
      throw error;
    }
  }

  get servers(): readonly [ServerProcess, ServerProcess] {
    return [this.primary, this.secondary];
  }

  other(server: ServerProcess): ServerProcess {
    return server === this.primary ? this.secondary : this.primary;
  }

  async standing(server: ServerProcess): Promise<Standing> {
    const [found] = await server.ask<readonly Standing[]>('failover/status', { name: [this.options.relationship] });
    if (found === undefined) throw new Error(`${server.options.name} has no such relationship`);
    return found;
  }

  async isNormal(): Promise<boolean> {
    const both = await Promise.all(this.servers.map((server) => this.standing(server)));
    return both.every(
      ({ state, partnerState, isCommunicating }) => state === 'Normal' && partnerState === 'Normal' && isCommunicating,
    );
  }

  /** Every address that is or was leased, as that server tells it. */
  async leases(server: ServerProcess): Promise<readonly LeaseRow[]> {
    const rows = await server.ask<readonly LeaseRow[]>('lease/get-by-scope-id', {
      scopeId: this.options.scopeId,
      allLeases: true,
    });
    return rows
      .map(({ ipAddress, addressState, clientId, leaseExpiryTime }) => ({
        ipAddress,
        addressState,
        // By the draft an address that is available again is told without its last client (specification 1.6).
        clientId: addressState === 'InactiveReservation' ? '' : clientId,
        leaseExpiryTime,
      }))
      .sort((a, b) => (a.ipAddress < b.ipAddress ? -1 : 1));
  }

  /** Codes of what is wrong, as `server status` shows them. */
  async problems(server: ServerProcess): Promise<readonly string[]> {
    const { problems } = await server.ask<{ readonly problems: readonly { readonly code: string }[] }>('server/status');
    return problems.map(({ code }) => code);
  }

  /** Whether a text stands anywhere in the files of the server's store. */
  storeHolds(server: ServerProcess, text: string): boolean {
    const state = join(server.options.dataDirectory, 'state');
    return readdirSync(state, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .some((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(text));
  }

  /** The disk with the leases is lost; configuration and identity are not. */
  loseStore(server: ServerProcess): void {
    rmSync(join(server.options.dataDirectory, 'state'), { recursive: true });
  }

  async close(): Promise<void> {
    for (const server of this.servers) if (server.isRunning) await server.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #declare(server: ServerProcess): Promise<void> {
    const { options } = this;
    const other = this.other(server);
    const isPrimary = server === this.primary;
    await server.ask('scope/add', options.scope);
    await server.ask('pair/declare', {
      kind: options.kind,
      name: other.options.name,
      host: other.options.partnerAddress,
      port: other.partnerPort,
      localAddress: server.options.partnerAddress,
    });
    const secret = options.secrets?.[isPrimary ? 'primary' : 'secondary'];
    const shared = {
      name: options.relationship,
      partnerServer: other.options.name,
      scopeId: [options.scopeId],
      maxClientLeadTime: isPrimary || options.kind === 'windows' ? options.mcltSec : 3600,
      protocolRole: isPrimary ? 'Primary' : 'Secondary',
      ...(secret === undefined ? {} : { sharedSecret: secret, force: true }),
    };
    // Windows tells and takes no parameters, so they are entered on both; others tell them when they connect.
    const ownShare = isPrimary ? options.share : options.kind === 'windows' ? 100 - options.share : 50;
    if (options.mode === 'LoadBalance')
      await server.ask('failover/add-by-load-balance', { ...shared, loadBalancePercent: ownShare });
    else
      await server.ask('failover/add-by-hot-standby', {
        ...shared,
        reservePercent: 20,
        serverRole: isPrimary ? 'Active' : 'Standby',
      });
  }
}
