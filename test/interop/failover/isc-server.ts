/**
 * ISC dhcpd as one half of a pair: its configuration, its process, its lease file (the truth about its table) and its log (the truth
 * about its states). Operators reach it by OMAPI.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatIp4, ip4, parseIp4 } from '../../../src/wire/units.ts';
import { eventually } from '../../support/eventually.ts';
import { LAN } from '../../support/namespace-pair.ts';
import { inNamespace } from '../../support/network.ts';
import type { FailoverServer, Row, ServerPlace, ServerState, Setup, Table } from './server.ts';

export const RELATIONSHIP = 'pair';
const OMAPI_PORT = 7911;
const OMAPI_MS = 10_000;
const START_MS = 20_000;
/** dhcpd(8), local-state. */
const PARTNER_DOWN_CODE = 4;
/** dhcpd sends CONTACT so that its partner hears from it, and gives the link up after this silence. */
const RESPONSE_DELAY_SEC = 9;

export class IscServer implements FailoverServer {
  readonly make = 'isc';
  readonly place: ServerPlace;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  /** Where the present run begins in the log. */
  #runFrom = 0;

  constructor(place: ServerPlace) {
    this.place = place;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async start(): Promise<void> {
    if (!existsSync(this.#path('conf'))) {
      writeFileSync(this.#path('conf'), configuration(this.place));
      writeFileSync(this.#path('leases'), '');
    }
    this.#runFrom = this.log().length;
    const log = openSync(this.#path('log'), 'a');
    const files = ['-cf', this.#path('conf'), '-lf', this.#path('leases'), '--no-pid'];
    const [program = '', ...args] = [...inNamespace(this.place.host), 'dhcpd', '-4', '-f', '-d', ...files, LAN];
    const child = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()));
    await eventually(`dhcpd ${this.place.role} starts`, START_MS, () => {
      if (!this.isRunning) throw new Error(`dhcpd ended: ${this.log().slice(this.#runFrom)}`);
      return this.log().slice(this.#runFrom).includes('Server starting service.') ? true : undefined;
    });
  }

  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    await this.#exited;
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  loseStore(): void {
    writeFileSync(this.#path('leases'), '');
  }

  state(): Promise<ServerState> {
    return Promise.resolve(this.#lastState(/I move from \S+ to (\S+)/g, /^ {2}my state (\S+)/gm));
  }

  partnerState(): Promise<ServerState> {
    return Promise.resolve(this.#lastState(/peer moves from \S+ to (\S+)/g, /^ {2}partner state (\S+)/gm));
  }

  async partnerDown(): Promise<void> {
    const commands = [
      'server 127.0.0.1',
      `port ${OMAPI_PORT}`,
      'connect',
      'new failover-state',
      `set name = "${RELATIONSHIP}"`,
      'open',
      `set local-state = ${PARTNER_DOWN_CODE}`,
      'update',
    ];
    const [program = '', ...args] = [...inNamespace(this.place.host), 'omshell'];
    const output = execFileSync(program, args, {
      input: `${commands.join('\n')}\n`,
      encoding: 'utf8',
      timeout: OMAPI_MS,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    await eventually('dhcpd takes its partner for down', OMAPI_MS, async () =>
      (await this.state()) === 'partner-down' ? true : undefined,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${output}`);
    });
  }

  table(): Promise<Table> {
    return Promise.resolve(readLeaseFile(this.#leases(), this.place.setup));
  }

  log(): string {
    return existsSync(this.#path('log')) ? readFileSync(this.#path('log'), 'utf8') : '';
  }

  /** The log tells of each change, also of those that are not kept; what did not change since the start is in the lease file. */
  #lastState(inLog: RegExp, inLeases: RegExp): ServerState {
    const told = [...this.log().slice(this.#runFrom).matchAll(inLog)].at(-1)?.[1];
    const kept = told ?? [...this.#leases().matchAll(inLeases)].at(-1)?.[1];
    return (kept ?? 'unknown-state') as ServerState;
  }

  #leases(): string {
    return existsSync(this.#path('leases')) ? readFileSync(this.#path('leases'), 'utf8') : '';
  }

  #path(name: string): string {
    return join(this.place.directory, name);
  }
}

function configuration({ role, linkAddress, partnerLinkAddress, setup }: ServerPlace): string {
  const { pool } = setup;
  return `authoritative;
omapi-port ${OMAPI_PORT};
ping-check false;
default-lease-time ${setup.leaseSec};
max-lease-time ${setup.infiniteIsReserved ? -1 : setup.leaseSec};
${setup.infiniteIsReserved ? 'infinite-is-reserved true;' : ''}
failover peer "${RELATIONSHIP}" {
  ${role};
  address ${linkAddress}; port 647; peer address ${partnerLinkAddress}; peer port 647;
  max-response-delay ${RESPONSE_DELAY_SEC}; max-unacked-updates 10; load balance max seconds 3;
${setup.quickBalance.includes(role) ? '  min-balance 3; max-balance 6;\n' : ''}  ${role === 'primary' ? `mclt ${setup.mcltSec}; split ${setup.split};` : ''}
}
subnet ${pool.scopeId} netmask ${pool.subnetMask} {
  pool { failover peer "${RELATIONSHIP}"; ${ranges(setup)} }
}
${hosts(setup)}`;
}

/** What is reserved at the other server, as it tells its operator to enter it here. */
function hosts({ reservations, entersReservations }: Setup): string {
  if (!entersReservations) return '';
  const lines = [...reservations].map(([hardware, address]) => {
    const colons = hardware.replace(/(..)(?=.)/g, '$1:');
    return `host reserved-${address.replaceAll('.', '-')} { hardware ethernet ${colons}; fixed-address ${address}; }\n`;
  });
  return lines.join('');
}

/** Without the addresses that are reserved at the other server, which are no part of what the two share. */
function ranges({ pool, reservations, entersReservations }: Setup): string {
  const holes = (entersReservations ? [...reservations.values()] : [])
    .map((address) => parseIp4(address) ?? 0)
    .sort((a, b) => a - b);
  const parts: string[] = [];
  let from = parseIp4(pool.first) ?? 0;
  for (const hole of [...holes, (parseIp4(pool.last) ?? 0) + 1]) {
    if (hole > from) parts.push(`range ${formatIp4(ip4(from))} ${formatIp4(ip4(hole - 1))};`);
    from = ip4(hole + 1);
  }
  return parts.join(' ');
}

/** The last entry of an address counts; one without an entry is free. dhcpd.leases(5). */
export function readLeaseFile(text: string, { pool, reservations, entersReservations }: Setup): Table {
  const first = parseIp4(pool.first) ?? 0;
  const last = parseIp4(pool.last) ?? 0;
  const entries = new Map<string, string>();
  for (const [, address = '', body = ''] of text.matchAll(/^lease (\S+) \{\n(.*?)^\}/gms)) entries.set(address, body);
  const rows = new Map<string, Row>();
  let backup = 0;
  for (const [address, body] of entries) {
    const number = parseIp4(address) ?? 0;
    if (number < first || number > last) continue;
    const state = /^ {2}binding state (\w+);/m.exec(body)?.[1] ?? 'free';
    if (state === 'free') continue;
    if (state === 'backup') backup++;
    else
      rows.set(address, {
        state: state === 'active' || state === 'abandoned' ? state : 'ending',
        client: (/^ {2}hardware ethernet (\S+);/m.exec(body)?.[1] ?? '').replaceAll(':', ''),
        endsAt: endOf(/^ {2}ends (.*);/m.exec(body)?.[1]),
      });
  }
  return { rows, backup, free: pool.size - (entersReservations ? reservations.size : 0) - backup - rows.size };
}

/** `3 2026/11/25 00:38:20`, UTC, or `never`. */
function endOf(text: string | undefined): number | null {
  if (text === undefined || text === 'never') return null;
  const [, day = '', time = ''] = text.split(' ');
  return Date.parse(`${day.replaceAll('/', '-')}T${time}Z`) / 1000;
}
