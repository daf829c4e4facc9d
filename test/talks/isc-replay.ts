/**
 * A conversation that was recorded between two dhcpd, with our engine in the place of one of them: what the other sent comes when
 * it came then. Numbers that refer to what was sent to it are put right; what the recording has no answer to is accepted.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { limitsOf, makeEndpoint } from '../../src/core/failover/endpoint.ts';
import type { Endpoint, EndpointConfig, EndpointInput } from '../../src/core/failover/endpoint-types.ts';
import { initialRecord } from '../../src/core/failover/initial-record.ts';
import { decodeMessage, encodeMessage } from '../../src/wire/failover/codec.ts';
import type { BindingUpdate, FailoverMessage, OutMessage } from '../../src/wire/failover/messages.ts';
import {
  type EpochSec,
  fromHex,
  type Ip4,
  type MonoMs,
  NEVER_AT,
  type Now,
  parseIp4,
  type Sec,
} from '../../src/wire/units.ts';
import { granted, released } from '../core/failover/client.ts';
import { makeFakeTable } from '../core/failover/fake-table.ts';

const SCOPE = parseIp4('10.77.0.0')!;

interface Recorded {
  readonly ms: number;
  readonly connection: number;
  /** Who sent, opened or closed: host 1 is the primary. */
  readonly host: number;
  readonly what: 'open' | 'close' | FailoverMessage;
}

function recorded(name: string): { readonly begin: number; readonly events: readonly Recorded[] } {
  const text = readFileSync(join(process.cwd(), 'test', 'vectors', 'failover', `talk-${name}.txt`), 'utf8');
  const begin = Number(/Begins at (\d+)/.exec(text)?.[1]);
  const events = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line): Recorded => {
      const [at, connection, host, what = ''] = line.split(' ');
      const ms = Math.round(Number(at) * 1000);
      const common = { ms, connection: Number(connection), host: Number(host) };
      if (what === 'open' || what === 'close') return { ...common, what };
      const read = decodeMessage(fromHex(what)!, 'isc');
      assert.ok(read.kind === 'ok', line);
      return { ...common, what: read.value };
    });
  return { begin, events };
}

export class IscReplay {
  lines: string[] = [];
  readonly #partner: number;
  readonly #begin: number;
  readonly #events: readonly Recorded[];
  readonly #table = makeFakeTable();
  readonly #endpoint: Endpoint;
  #next = 0;
  #ms = -1000;
  #connection: number | undefined;
  #connectXid = 0;
  readonly #unanswered = new Map<Ip4, number>();
  #askedXid: number | undefined;
  #madeUp: { readonly ms: number; readonly message: OutMessage }[] = [];

  constructor(options: ReadonlyMap<string, string>) {
    const { begin, events } = recorded(options.get('capture') ?? '');
    this.#partner = Number(options.get('partner') ?? 2);
    this.#begin = begin;
    this.#events = events;
    const config: EndpointConfig = {
      name: 'fotest',
      id: 'id-1',
      role: this.#partner === 2 ? 'primary' : 'secondary',
      mode: 'LoadBalance',
      isActive: true,
      percentage: 50,
      mcltSec: Number(options.get('mclt') ?? 20) as Sec,
      autoPartnerDownSec: undefined,
      profile: 'isc',
      scopeIds: [SCOPE],
      loadBalanceMaxSec: 3 as Sec,
    };
    const count = Number(options.get('pool') ?? 10);
    this.#table.setPool(
      {
        scopeId: SCOPE,
        prefixLength: 24,
        firstAddress: (SCOPE + 100) as Ip4,
        lastAddress: (SCOPE + 99 + count) as Ip4,
        exclusions: [],
        reserved: [],
      },
      'free',
    );
    const record = initialRecord(config, this.#now, { holdsAllData: false, wantsAll: true });
    const store = { storeId: new Uint8Array(16), sequence: () => 1, isLostStore: false };
    this.#endpoint = makeEndpoint(config, record, this.#table, limitsOf('isc'), store);
    this.#step({ kind: 'start' });
  }

  get #now(): Now {
    return { monoMs: (this.#ms + 1000) as MonoMs, wallAt: (this.#begin + Math.floor(this.#ms / 1000)) as EpochSec };
  }

  /** What happened since the last call. */
  take(): string[] {
    const lines = folded(this.lines);
    this.lines = [];
    return lines;
  }

  states(): string {
    const status = this.#endpoint.status(this.#now);
    return `${status.state}, dhcpd ${status.isConnected ? '' : 'gone, last '}${status.partnerState ?? 'unknown'}`;
  }

  counts(): string {
    const { free, backup, active, transitory } = this.#table.counts(SCOPE);
    return `free ${free} backup ${backup} active ${active} transitory ${transitory} dirty ${this.#table.dirtyCount(SCOPE)}`;
  }

  /** Everything up to that second of the recording. */
  play(sec: number): void {
    const endMs = sec * 1000;
    for (;;) {
      const event = this.#events[this.#next];
      const made = this.#madeUp[0];
      const timerMs = (this.#endpoint.deadlineMs ?? Number.POSITIVE_INFINITY) - 1000;
      const atMs = Math.min(event?.ms ?? endMs + 1, made?.ms ?? endMs + 1, timerMs);
      if (atMs > endMs) break;
      this.#ms = Math.max(this.#ms, atMs);
      if (timerMs === atMs) this.#step({ kind: 'timer' });
      else if (made?.ms === atMs) this.#hear(this.#madeUp.shift()!.message);
      else if (event !== undefined) {
        this.#next++;
        this.#happens(event);
      }
    }
    this.#ms = endMs;
  }

  command(kind: 'partner-down' | 'pause' | 'shutdown' | 'resume'): void {
    this.#step({ kind: 'command', command: { kind } });
    this.lines.push(`${kind}: ${this.#endpoint.commandResult.kind}`);
  }

  client(name: string, what: string, desired: number): void {
    const hardware = Uint8Array.from([1, ...new TextEncoder().encode(name)]);
    const asked = { rights: this.#endpoint.rights, table: this.#table, now: this.#now, scopeId: SCOPE, hardware };
    const binding = what === 'releases' ? released(asked) : granted(asked, desired);
    if (binding === undefined) {
      this.lines.push(`${name} gets nothing`);
      return;
    }
    const text = what === 'releases' ? 'releases' : `for ${binding.leaseEndAt - this.#now.wallAt}:`;
    this.lines.push(`${name} ${text} ${binding.address & 0xff}`);
    this.#table.change(binding);
    this.#step({ kind: 'binding-changed', address: binding.address });
  }

  #happens(event: Recorded): void {
    const { what } = event;
    if (what === 'open') {
      // The first of two wins.
      if (this.#connection !== undefined && !this.#endpoint.mayReplaceLink(this.#now)) return;
      this.#connection = event.connection;
      this.#unanswered.clear();
      this.#askedXid = undefined;
      this.lines.push('connected');
      this.#step({ kind: 'connected', dialled: event.host !== this.#partner });
      return;
    }
    if (event.host !== this.#partner || event.connection !== this.#connection) return;
    if (what === 'close') {
      this.#connection = undefined;
      this.#madeUp = [];
      this.lines.push('dhcpd closes');
      this.#step({ kind: 'disconnected', why: 'closed' });
      return;
    }
    this.#hear(what);
  }

  #hear(message: FailoverMessage | OutMessage): void {
    const xid = this.#xidOf(message);
    if (xid === undefined) return;
    const whole = { sentAt: this.#now.wallAt, ...message, xid } as FailoverMessage;
    if (whole.kind !== 'contact') this.lines.push(`dhcpd -> ${text(whole)}`);
    this.#step({ kind: 'message', message: whole });
  }

  /** The number that an answer carries here; undefined for one to something that was not asked. */
  #xidOf(message: FailoverMessage | OutMessage): number | undefined {
    if (message.kind === 'connectack') return this.#connectXid;
    if (message.kind === 'upddone') {
      const xid = this.#askedXid;
      this.#askedXid = undefined;
      return xid;
    }
    if (message.kind !== 'bndack') return message.xid;
    const address = message.answers[0]!.address;
    const xid = this.#unanswered.get(address);
    this.#unanswered.delete(address);
    return xid;
  }

  #step(input: EndpointInput): void {
    for (const effect of this.#endpoint.step(this.#now, input)) {
      if (effect.kind === 'send' || effect.kind === 'send-now') this.#sent(effect.message);
      if (effect.kind === 'close') {
        this.lines.push('we close');
        this.#connection = undefined;
        this.#madeUp = [];
      }
    }
  }

  #sent(message: OutMessage): void {
    const whole = { ...message, sentAt: this.#now.wallAt } as FailoverMessage;
    const read = decodeMessage(encodeMessage(whole, 'isc'), 'isc');
    assert.ok(read.kind === 'ok');
    if (message.kind !== 'contact') this.lines.push(`us -> ${text(read.value)}`);
    if (message.kind === 'connect') this.#connectXid = message.xid;
    if (message.kind === 'updreq' || message.kind === 'updreqall') {
      this.#askedXid = message.xid;
      if (!this.#comes((what) => what.kind === 'upddone')) this.#makeUp({ kind: 'upddone', xid: 0 });
    }
    if (message.kind === 'bndupd') {
      const { address } = message.updates[0]!;
      this.#unanswered.set(address, message.xid);
      const isAnswer = (what: FailoverMessage): boolean =>
        what.kind === 'bndack' && what.answers[0]?.address === address;
      if (!this.#comes(isAnswer)) this.#makeUp({ kind: 'bndack', xid: 0, answers: [{ address }] });
    }
  }

  /** Whether the partner's like is still to come on this connection. */
  #comes(isLike: (what: FailoverMessage) => boolean): boolean {
    return this.#events
      .slice(this.#next)
      .some(
        ({ connection, host, what }) =>
          connection === this.#connection && host === this.#partner && typeof what !== 'string' && isLike(what),
      );
  }

  /** dhcpd is lazy with its answers (specification 1.10). */
  #makeUp(message: OutMessage): void {
    this.#madeUp.push({ ms: this.#ms + 2000, message });
  }
}

/** Runs of lines that differ in an address one higher each become one. */
function folded(lines: readonly string[]): string[] {
  const out: string[] = [];
  let run: { readonly head: string; readonly tail: string; readonly from: number; to: number } | undefined;
  for (const line of [...lines, '']) {
    const [, head = '', number = '', tail = ''] = /^(.* -> bnd\w+ )(\d+)(.*)$/.exec(line) ?? [];
    if (run !== undefined && head === run.head && tail === run.tail && Number(number) === run.to + 1) {
      run.to++;
      continue;
    }
    if (run !== undefined) out.push(`${run.head}${run.from === run.to ? '' : `${run.from} to `}${run.to}${run.tail}`);
    run = head === '' ? undefined : { head, tail, from: Number(number), to: Number(number) };
    if (run === undefined && line !== '') out.push(line);
  }
  return out;
}

function text(message: FailoverMessage): string {
  switch (message.kind) {
    case 'bndupd':
      return `bndupd ${message.updates.map((update) => updateText(update, message.sentAt)).join(' ')}`;
    case 'bndack':
      return `bndack ${message.answers.map((a) => `${a.address & 0xff}${a.rejectReason === undefined ? '' : `:${a.rejectReason}`}`).join(' ')}`;
    case 'state':
      return `state ${message.serverState}${message.serverFlags === 1 ? ' startup' : ''}`;
    case 'connectack':
      return message.rejectReason === undefined ? 'connectack' : `connectack ${message.rejectReason}`;
    case 'poolresp':
      return `poolresp ${message.addressesTransferred}`;
    case 'disconnect':
      return `disconnect ${message.rejectReason}`;
    default:
      return message.kind;
  }
}

function updateText(update: BindingUpdate, sentAt: number): string {
  const { address, state, leaseEndAt = NEVER_AT, potentialEndAt = NEVER_AT, ipFlags } = update;
  const at = (instant: number): string =>
    instant === 0 ? '0' : instant === 0xffffffff ? 'never' : `${instant - sentAt < 0 ? '' : '+'}${instant - sentAt}`;
  const flags = ipFlags === undefined ? '' : ` flags ${ipFlags}`;
  const times = state === 'free' || state === 'backup' ? '' : `(${at(leaseEndAt)}, ${at(potentialEndAt)})`;
  return `${address & 0xff}:${state}${times}${flags}`;
}
