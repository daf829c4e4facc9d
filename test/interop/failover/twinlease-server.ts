/** Our own server as one half of a pair: the real process, configured over REST as an operator would. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ServerProcess } from '../../../demo/server-process.ts';
import { LAN } from '../../support/namespace-pair.ts';
import { inNamespace, type Network } from '../../support/network.ts';
import { RELATIONSHIP } from './isc-server.ts';
import type { FailoverServer, Row, ServerPlace, ServerState, Table } from './server.ts';

/** dhcpd's `port` and `peer port`. */
const FAILOVER_PORT = 647;

/** As the class shows them; all others are the same words without hyphens. */
const STATES: Readonly<Record<string, ServerState>> = {
  NoState: 'unknown-state',
  Init: 'unknown-state',
  Startup: 'startup',
  Normal: 'normal',
  CommunicationInterrupted: 'communications-interrupted',
  PartnerDown: 'partner-down',
  PotentialConflict: 'potential-conflict',
  ConflictDone: 'conflict-done',
  ResolutionInterrupted: 'resolution-interrupted',
  Recover: 'recover',
  RecoverWait: 'recover-wait',
  RecoverDone: 'recover-done',
  Paused: 'paused',
  Shutdown: 'shutdown',
};

interface StatusRow {
  readonly state: string;
  readonly partnerState: string;
  readonly isCommunicating: boolean;
  readonly freeHere: number;
  readonly freeAtPartner: number;
}

interface LeaseRow {
  readonly ipAddress: string;
  readonly addressState: string;
  readonly clientId: string;
  readonly leaseExpiryTime: number | null;
}

export class TwinleaseServer implements FailoverServer {
  readonly make = 'twinlease';
  readonly place: ServerPlace;
  readonly process: ServerProcess;
  #isConfigured = false;

  constructor(place: ServerPlace, network: Network) {
    this.place = place;
    this.process = new ServerProcess({
      name: `twinlease-${place.role}`,
      dataDirectory: join(place.directory, 'data'),
      interfaces: [LAN],
      partnerAddress: place.linkAddress,
      restAddress: network.manage(place.host),
      prefix: inNamespace(place.host),
    });
    this.process.partnerPort = FAILOVER_PORT;
  }

  get isRunning(): boolean {
    return this.process.isRunning;
  }

  async start(): Promise<void> {
    await this.process.start();
    if (this.#isConfigured) return;
    await this.#configure();
    this.#isConfigured = true;
  }

  async stop(): Promise<void> {
    await this.process.stop();
  }

  async kill(): Promise<void> {
    await this.process.kill();
  }

  loseStore(): void {
    rmSync(join(this.process.options.dataDirectory, 'state'), { recursive: true });
  }

  async state(): Promise<ServerState> {
    return stateNamed((await this.#status())?.state);
  }

  async partnerState(): Promise<ServerState> {
    const status = await this.#status();
    return status?.isCommunicating === true ? stateNamed(status.partnerState) : 'unknown-state';
  }

  async partnerDown(): Promise<void> {
    await this.process.ask('failover/set', { name: RELATIONSHIP, partnerDown: true });
  }

  async table(): Promise<Table> {
    const { scopeId } = this.place.setup.pool;
    const leases = await this.process.ask<readonly LeaseRow[]>('lease/get-by-scope-id', { scopeId, allLeases: true });
    const status = await this.#status();
    const rows = new Map<string, Row>();
    for (const lease of leases) {
      const state = rowState(lease.addressState);
      if (state === undefined) continue;
      rows.set(lease.ipAddress, {
        state,
        client: lease.clientId.replaceAll('-', ''),
        endsAt: lease.leaseExpiryTime,
      });
    }
    const isPrimary = this.place.role === 'primary';
    return {
      rows,
      free: (isPrimary ? status?.freeHere : status?.freeAtPartner) ?? 0,
      backup: (isPrimary ? status?.freeAtPartner : status?.freeHere) ?? 0,
    };
  }

  log(): string {
    return this.process.lines.join('\n');
  }

  async #status(): Promise<StatusRow | undefined> {
    const rows = await this.process.ask<readonly StatusRow[]>('failover/status', { name: [RELATIONSHIP] });
    return rows[0];
  }

  /** As docs/failover.md tells an operator whose other server is dhcpd. */
  async #configure(): Promise<void> {
    const { role, setup, linkAddress, partnerLinkAddress } = this.place;
    const { pool } = setup;
    await this.process.ask('scope/add', {
      name: 'shared with dhcpd',
      subnetMask: pool.subnetMask,
      startRange: pool.first,
      endRange: pool.last,
      leaseDuration: setup.leaseSec,
      type: setup.servesBootp ? 'Both' : 'Dhcp',
    });
    for (const [clientId, ipAddress] of setup.reservations)
      await this.process.ask('reservation/add', { scopeId: pool.scopeId, ipAddress, clientId, name: ipAddress });
    const answer = await this.process.call('failover/add-by-load-balance', {
      name: RELATIONSHIP,
      partnerServer: partnerLinkAddress,
      partnerKind: 'isc',
      localAddress: linkAddress,
      protocolRole: role,
      scopeId: [pool.scopeId],
      maxClientLeadTime: setup.mcltSec,
      split: setup.split,
    });
    if (answer.status !== 200) throw new Error(`the relationship was refused: ${JSON.stringify(answer.body)}`);
  }
}

function rowState(addressState: string): Row['state'] | undefined {
  switch (addressState) {
    case 'Active':
    case 'ActiveReservation':
      return 'active';
    case 'Declined':
      return 'abandoned';
    default:
      return undefined;
  }
}

function stateNamed(name: string | undefined): ServerState {
  return STATES[name ?? 'NoState'] ?? 'unknown-state';
}
