/**
 * Moving house, exactly as `docs/migrate-from-isc.md` tells it: a running pair of ISC dhcpd is replaced one machine at a time, the
 * secondary first, while 200 clients renew their leases all the time, some at any moment. No lease is lost and none moves, nobody is refused, and
 * nobody waits. If one were lost, the test would say in which phase of the move, and who was asked for it when.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ServerProcess } from '../../demo/server-process.ts';
import { Daemon } from '../interop/product.ts';
import { needProgram, needRoot } from '../net/need.ts';
import { CrowdProcess } from '../support/crowd-client.ts';
import { eventually } from '../support/eventually.ts';
import { LAN, LINK_ADDRESSES, Machines } from '../support/namespace-pair.ts';
import { inNamespace } from '../support/network.ts';

const SCOPE = '10.98.0.0';
const FIRST = '10.98.0.1';
const SECOND = '10.98.0.2';
const RELAY = '10.98.0.3';
const OLD_PAIR = 'dhcp-pair';
const NEW_PAIR = 'new pair';
const CLIENTS = 200;
/** The clients come one after another: they also renew so, and do not all want something in the same second. */
const ARRIVAL_SEC = 10;
/** Each client renews at half of its lease, and the move takes more than six of them. */
const RENEWALS_MIN = CLIENTS * 10;
const MCLT_SEC = 24;
const LEASE_SEC = 24;
/** Toward a server of another make, waits include an allowance for clocks of 60 s beside MCLT (failover specification 1.11). */
const WAIT_MS = (MCLT_SEC + 60 + 30) * 1000;
const SOON_MS = 120_000;
/** From wanting a lease, or from T2 of a renewal, to the ACK: a lost packet and its repetition, and room for a busy machine. The lease ends 3 s after T2. */
const LONGEST_WAIT_MS = 2500;
const PARTNER_PORT = 647;
/** So many of the leases that were lost, or nearly, are told. */
const CLOSE_CALLS_SHOWN = 20;

const run = promisify(execFile);

interface StatusRow {
  readonly name: string;
  readonly state: string;
}

test('a pair of dhcpd becomes a pair of Twinlease, one machine at a time, and no client notices', async (t) => {
  if (!needRoot(t) || !needProgram(t, 'ip') || !needProgram(t, 'dhcpd')) return;
  const move = new Move();
  try {
    await move.beginWithDhcpd();
    await move.replaceSecondary();
    await move.replacePrimary();
    await move.killOldestServer();
    t.diagnostic(JSON.stringify(await move.judge()));
    for (const line of await move.closeCalls()) t.diagnostic(line);
  } catch (error) {
    const calls = await move.closeCalls().catch((trouble: unknown) => [String(trouble)]);
    for (const line of [...calls, ...move.logs().split('\n')]) t.diagnostic(line);
    throw error;
  } finally {
    await move.end();
  }
});

class Move {
  readonly #machines = new Machines({
    label: 'mv',
    addresses: [`${FIRST}/22`, `${SECOND}/22`, `${RELAY}/22`],
  });
  readonly #daemons: { readonly primary: Daemon; readonly secondary: Daemon };
  readonly #first: ServerProcess;
  readonly #second: ServerProcess;
  #crowd: CrowdProcess | undefined;
  #longestWaitMs = 0;
  readonly #phases: { readonly name: string; readonly atMs: number }[] = [];

  constructor() {
    this.#daemons = { primary: this.#dhcpd('primary', 0), secondary: this.#dhcpd('secondary', 1) };
    this.#first = this.#twinlease('first', 0);
    this.#second = this.#twinlease('second', 1);
  }

  async beginWithDhcpd(): Promise<void> {
    const { primary, secondary } = this.#daemons;
    await eventually('both dhcpd are in normal', SOON_MS, () =>
      [primary, secondary].every((daemon) => /I move from .* to normal/.test(daemon.log())) ? true : undefined,
    );
    this.#crowd = await CrowdProcess.open(this.#machines.clients, {
      servers: [FIRST, SECOND].map((address, index) => ({ name: `machine${index + 1}`, address, port: 67 })),
      relayAddress: RELAY,
      relayPort: 67,
      links: [SCOPE],
      retransmitMs: 1000,
    });
    this.#begin('clients come');
    await this.#crowd.tell({ kind: 'add', count: CLIENTS, overSec: ARRIVAL_SEC });
    await this.#crowd.bound(CLIENTS, SOON_MS);
    // dhcpd tells its partner of a lease after it has told the client. It is stopped for good here: a lease that it had not told by then would be lost with
    // it, as with any server that dies, and dhcpd that is left answers "lease owned by peer" to nobody.
    await eventually('each dhcpd knows every lease', SOON_MS, () =>
      ['primary', 'secondary'].every((role) => activeLeases(this.#file(`${role}.leases`)) === CLIENTS)
        ? true
        : undefined,
    );
    await this.#crowd.tell({ kind: 'mark' });
  }

  /** Steps 1 and 2 of the guide. */
  async replaceSecondary(): Promise<void> {
    this.#begin('the secondary is dhcpd and stops');
    await this.#daemons.secondary.stop();
    await this.#second.start();
    await this.#cli(this.#second, 'import', this.#file('secondary.conf'), '--relationships');
    await this.#state(this.#second, OLD_PAIR, 'RecoverWait', SOON_MS);
    this.#begin('the secondary is Twinlease, in RecoverWait');
    await this.#state(this.#second, OLD_PAIR, 'Normal', WAIT_MS);
    await eventually('dhcpd is in normal with it', SOON_MS, () =>
      this.#daemons.primary
        .log()
        .trimEnd()
        .split('\n')
        .findLast((line) => line.includes('I move from'))
        ?.endsWith('to normal')
        ? true
        : undefined,
    );
  }

  /** Steps 3 to 6. */
  async replacePrimary(): Promise<void> {
    this.#begin('the primary is dhcpd and stops');
    await this.#daemons.primary.stop();
    await this.#state(this.#second, OLD_PAIR, 'CommunicationInterrupted', SOON_MS);
    await this.#second.ask('failover/set', { name: OLD_PAIR, partnerDown: true });
    await this.#second.ask('failover/remove', { name: [OLD_PAIR], force: true });
    this.#begin('one server, in PartnerDown');
    await this.#first.start();
    const { code } = await this.#second.ask<{ readonly code: string }>('pair/invite');
    await this.#first.ask('pair/accept', { code, server: `${LINK_ADDRESSES[1]}:${PARTNER_PORT}` });
    await eventually('the waits for the last leases of dhcpd are over', WAIT_MS, async () => {
      const made = await this.#second.call('failover/add-by-load-balance', {
        name: NEW_PAIR,
        partnerServer: 'first',
        scopeId: [SCOPE],
        maxClientLeadTime: MCLT_SEC,
      });
      if (made.status === 200) return true;
      assert.equal(made.body['code'], 'failover/scope-waits', JSON.stringify(made.body));
      return undefined;
    });
    this.#begin('the new pair is made');
    await this.#first.ask('pair/align', { partner: 'second', force: true });
    for (const server of [this.#first, this.#second]) await this.#state(server, NEW_PAIR, 'Normal', SOON_MS);
  }

  /** The new pair does what it was bought for. */
  async killOldestServer(): Promise<void> {
    this.#begin('the new pair is in Normal');
    await this.#allRenewed();
    this.#begin('the older server is killed');
    await this.#second.kill();
    await this.#state(this.#first, NEW_PAIR, 'CommunicationInterrupted', SOON_MS);
    await this.#allRenewed();
  }

  async judge(): Promise<unknown> {
    const report = await this.#crowd?.report();
    assert.ok(report !== undefined);
    await this.#noteWait();
    const longestWaitMs = this.#longestWaitMs;
    const { bound, lost, moved, naks, duplicates, renewals, neglected, leastLeftMs, longestStallMs } = report;
    assert.deepEqual(
      { bound, lost, moved, naks, duplicates },
      { bound: CLIENTS, lost: 0, moved: 0, naks: 0, duplicates: 0 },
    );
    assert.ok(renewals >= RENEWALS_MIN, `${renewals} renewals`);
    assert.ok(longestWaitMs <= LONGEST_WAIT_MS, `a client waited ${longestWaitMs} ms`);
    assert.deepEqual([...this.#first.errors, ...this.#second.errors], []);
    return { renewals, longestWaitMs, leastLeftMs, neglected, longestStallMs };
  }

  /** The phases of the move by the second, and each lease that was lost, or nearly, in its phase. */
  async closeCalls(): Promise<readonly string[]> {
    const { closeCalls = [] } = (await this.#crowd?.tell({ kind: 'close-calls' })) ?? {};
    const second = (atMs: number) => ((atMs - (this.#phases[0]?.atMs ?? 0)) / 1000).toFixed(1);
    const calls = closeCalls.slice(0, CLOSE_CALLS_SHOWN).map((call) => {
      const phase = this.#phases.findLast(({ atMs }) => atMs <= call.atMs)?.name;
      const asked = call.asked.map(({ to, beforeMs }) => `${to} ${beforeMs}`).join(', ');
      const answers = call.answers.map(({ from, beforeMs }) => `${from} ${beforeMs}`).join(', ');
      return `${second(call.atMs)} ${call.outcome} (${phase}): ${call.address} of ${call.grantedBy} for ${call.hardware}, ${call.leftMs} ms left; asked, ms before: ${asked}; answered: ${answers || 'by nobody'}`;
    });
    return [
      ...this.#phases.map(({ name, atMs }) => `${second(atMs)} ${name}`),
      `${closeCalls.length} close calls`,
      ...calls,
    ];
  }

  logs(): string {
    const { primary, secondary } = this.#daemons;
    const parts = [
      ['dhcpd, primary', primary.log()],
      ['dhcpd, secondary', secondary.log()],
      ['first', this.#first.lines.join('\n')],
      ['second', this.#second.lines.join('\n')],
    ];
    return parts.map(([name, text]) => `${name}:\n${text?.slice(-4000)}`).join('\n');
  }

  async end(): Promise<void> {
    this.#crowd?.close();
    for (const daemon of Object.values(this.#daemons)) if (daemon.isRunning) await daemon.kill();
    for (const server of [this.#first, this.#second]) if (server.isRunning) await server.kill();
    this.#machines.remove();
  }

  #begin(name: string): void {
    this.#phases.push({ name, atMs: Date.now() });
  }

  #dhcpd(role: 'primary' | 'secondary', index: 0 | 1): Daemon {
    writeFileSync(this.#file(`${role}.conf`), dhcpdConf(role, index));
    writeFileSync(this.#file(`${role}.leases`), '');
    const files = ['-cf', this.#file(`${role}.conf`), '-lf', this.#file(`${role}.leases`), '--no-pid'];
    return new Daemon(
      this.#machines.hosts[index],
      ['dhcpd', '-4', '-f', '-d', ...files, LAN],
      this.#file(`${role}.log`),
    );
  }

  #twinlease(name: string, index: 0 | 1): ServerProcess {
    const host = this.#machines.hosts[index];
    const server = new ServerProcess({
      name,
      dataDirectory: this.#file(name),
      interfaces: [LAN],
      partnerAddress: LINK_ADDRESSES[index],
      restAddress: this.#machines.network.manage(host),
      prefix: inNamespace(host),
    });
    server.partnerPort = PARTNER_PORT;
    return server;
  }

  #file(name: string): string {
    return join(this.#machines.directory, name);
  }

  async #cli(server: ServerProcess, ...args: readonly string[]): Promise<string> {
    const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
    const connection = ['--data-dir', server.options.dataDirectory];
    const { stdout } = await run(process.execPath, [main, ...args, ...connection]);
    return stdout;
  }

  async #state(server: ServerProcess, name: string, state: string, timeoutMs: number): Promise<void> {
    await eventually(`${server.options.name} is in ${state}`, timeoutMs, async () => {
      const rows = await server.ask<readonly StatusRow[]>('failover/get-by-name', { name: [name] });
      return rows[0]?.state === state ? true : undefined;
    });
  }

  /** Before the crowd begins to count anew. */
  async #noteWait(): Promise<void> {
    const report = await this.#crowd?.report();
    this.#longestWaitMs = Math.max(this.#longestWaitMs, report?.longestWaitMs ?? 0);
  }

  /** Everybody's lease is confirmed once more. */
  async #allRenewed(): Promise<void> {
    const crowd = this.#crowd;
    assert.ok(crowd !== undefined);
    await this.#noteWait();
    await crowd.tell({ kind: 'mark' });
    await eventually('every lease was renewed', SOON_MS, async () => {
      const { sinceMark } = await crowd.report();
      return sinceMark.unconfirmed === 0 ? true : undefined;
    });
  }
}

/** The last entry of an address counts: dhcpd.leases(5). */
function activeLeases(path: string): number {
  const states = new Map<string, string>();
  const entries = readFileSync(path, 'utf8').matchAll(/^lease (\S+) \{\n.*?^ {2}binding state (\w+);.*?^\}/gms);
  for (const [, address = '', state = ''] of entries) states.set(address, state);
  return [...states.values()].filter((state) => state === 'active').length;
}

function dhcpdConf(role: 'primary' | 'secondary', index: 0 | 1): string {
  return `# The pair of the office.
authoritative;
default-lease-time ${LEASE_SEC};
max-lease-time ${LEASE_SEC};
option domain-name "office.example";
option domain-name-servers 10.98.0.10, 10.98.0.11;

failover peer "${OLD_PAIR}" {
  ${role};
  address ${LINK_ADDRESSES[index]};
  port ${PARTNER_PORT};
  peer address ${LINK_ADDRESSES[index === 0 ? 1 : 0]};
  peer port ${PARTNER_PORT};
  max-response-delay 30;
  max-unacked-updates 10;
  load balance max seconds 3;
  ${role === 'primary' ? `mclt ${MCLT_SEC};\n  split 128;` : ''}
}

subnet ${SCOPE} netmask 255.255.252.0 {
  option routers 10.98.0.9;
  option subnet-mask 255.255.252.0;
  pool {
    failover peer "${OLD_PAIR}";
    range 10.98.1.0 10.98.2.255;
  }
}

host printer {
  hardware ethernet 02:00:00:00:77:01;
  fixed-address 10.98.3.10;
}
`;
}
