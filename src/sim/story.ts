/**
 * A run as a narrative: who did what when, in words. Kept only while the trace is on. What concerns one address is told when
 * the story is about that address; of all others each minute says how many leases were given, renewed and given back.
 */
import type { BindingUpdate, OutMessage } from '../wire/failover/messages.ts';
import { formatIp4, type Ip4 } from '../wire/units.ts';
import { printed } from './cells.ts';
import { clientOf } from './describe.ts';
import type { Fault } from './fault.ts';
import type { WorldOptions } from './options.ts';
import type { HostName, Side } from './sides.ts';

interface Line {
  readonly atMs: number;
  readonly text: string;
  /** Told only in a story about this address. */
  readonly address?: Ip4 | undefined;
}

interface Minute {
  leases: Record<Side, number>;
  renewals: number;
  ends: number;
}

const MINUTE_MS = 60_000;

export class Story {
  readonly #lines: Line[] = [];
  #minute: Minute = newMinute();
  #minuteEndsMs = MINUTE_MS;

  /** Something that everybody should know. */
  tell(atMs: number, text: string, address?: Ip4): void {
    this.#pass(atMs);
    this.#lines.push({ atMs, text, address });
  }

  fault(atMs: number, fault: Fault): void {
    this.tell(atMs, inWords(fault));
  }

  event(atMs: number, side: Side, code: string, slots: Readonly<Record<string, string | number>>): void {
    const text = eventInWords(nameOf(side), code, slots);
    if (text !== undefined) this.tell(atMs, text);
  }

  holds(
    atMs: number,
    client: string,
    what: { address: Ip4; side: Side; sec: number; waitedMs: number | undefined },
  ): void {
    const { address, side, sec, waitedMs } = what;
    this.#pass(atMs);
    if (waitedMs === undefined) this.#minute.renewals++;
    else this.#minute.leases[side]++;
    const how =
      waitedMs === undefined ? 'may keep' : waitedMs < 1000 ? 'gets' : `gets, after ${(waitedMs / 1000).toFixed(0)} s,`;
    this.tell(atMs, `${client} ${how} ${formatIp4(address)} from ${nameOf(side)} for ${sec.toFixed(0)} s.`, address);
  }

  letsGo(atMs: number, client: string, address: Ip4, why: string): void {
    this.#pass(atMs);
    this.#minute.ends++;
    this.tell(atMs, `${client} lets go of ${formatIp4(address)}: ${why}.`, address);
  }

  message(atMs: number, side: Side, message: OutMessage): void {
    if (message.kind === 'bndupd') {
      for (const update of message.updates)
        this.tell(
          atMs,
          `${nameOf(side)} tells its partner that ${updateInWords(update)} (#${message.xid}).`,
          update.address,
        );
    } else if (message.kind === 'bndack') {
      for (const { address, rejectReason } of message.answers)
        this.tell(
          atMs,
          `${nameOf(side)} ${rejectReason === undefined ? 'accepts' : `refuses (${rejectReason})`} what it was told of ${formatIp4(address)} (#${message.xid}).`,
          address,
        );
    }
  }

  /** The story as lines of text; `about` adds everything that concerns this address. */
  lines(about?: Ip4): string[] {
    this.#pass(Number.POSITIVE_INFINITY);
    return this.#lines
      .filter(({ address }) => address === undefined || address === about)
      .map(({ atMs, text }) => `${clockText(atMs)}  ${text}`);
  }

  #pass(atMs: number): void {
    if (atMs < this.#minuteEndsMs) return;
    const { leases, renewals, ends } = this.#minute;
    if (leases.a + leases.b + renewals + ends > 0)
      this.#lines.push({
        atMs: this.#minuteEndsMs,
        text: `In this minute: ${leases.a} leases from A, ${leases.b} from B, ${renewals} renewals, ${ends} given up.`,
      });
    this.#minute = newMinute();
    if (atMs !== Number.POSITIVE_INFINITY) this.#minuteEndsMs = (Math.floor(atMs / MINUTE_MS) + 1) * MINUTE_MS;
  }
}

/** What the world is like, before anything happens. */
export function settingInWords(options: WorldOptions): string[] {
  const { mode, percentage, mcltSec, leaseSec, poolSizes, clients, skewMs, autoPartnerDownSec } = options;
  const share =
    mode === 'LoadBalance'
      ? `A answers ${percentage} % of the clients`
      : `the standby has a reserve of ${percentage} %, ${nameOf(options.active)} is active`;
  const sign = (ms: number): string => `${ms < 0 ? '' : '+'}${(ms / 1000).toFixed(1)} s`;
  return [
    `Two servers: A, the primary (clock ${sign(skewMs.a)}), and B, the secondary (clock ${sign(skewMs.b)}). ${mode}: ${share}.`,
    `MCLT is ${mcltSec} s, leases last ${leaseSec} s.${autoPartnerDownSec === null ? '' : ` After ${autoPartnerDownSec} s without contact a server holds the other for down.`}`,
    `${clients} clients; ${poolSizes.map((size, i) => `scope ${i} has ${size} addresses`).join(', ')}. ${options.lossPercent} % of the packets on the LAN are lost, ${options.duplicatePercent} % come twice.`,
  ];
}

export function nameOf(server: HostName): string {
  return server.toUpperCase();
}

function newMinute(): Minute {
  return { leases: { a: 0, b: 0 }, renewals: 0, ends: 0 };
}

function clockText(atMs: number): string {
  const sec = atMs / 1000;
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${Math.floor(sec / 3600)}:${two(Math.floor(sec / 60) % 60)}:${(sec % 60).toFixed(1).padStart(4, '0')}`;
}

function updateInWords(update: BindingUpdate): string {
  const address = formatIp4(update.address);
  switch (update.state) {
    case 'active':
      return `${address} is leased to ${clientOf(update.hardware)}`;
    case 'free':
      return `${address} is free, for the primary`;
    case 'backup':
      return `${address} is free, for the secondary`;
    case 'expired':
    case 'released':
    case 'reset':
      return `the lease of ${address} is over (${update.state})`;
    case 'abandoned':
      return `${address} was found in use and is set aside`;
    default:
      return update.state satisfies never;
  }
}

const EVENTS: Readonly<Record<string, string>> = {
  'failover/own-store-old': 'is told that its store is an old one, or another',
  'failover/old-store': 'hears that its partner has lost its store',
  'failover/potential-conflict': 'finds that both may have given out the same addresses',
  'failover/auto-partner-down': 'has waited for its partner long enough',
};

function eventInWords(
  name: string,
  code: string,
  slots: Readonly<Record<string, string | number>>,
): string | undefined {
  if (code === 'failover/state-changed')
    return `${name} goes from ${printed(String(slots.from))} to ${printed(String(slots.to))}.`;
  if (code === 'failover/partner-lost') return `${name} loses contact: ${slots.why}.`;
  if (code === 'failover/recovering') return `${name} goes to RECOVER: ${slots.why}.`;
  if (code === 'failover/conflict') return `${name} finds ${slots.address} leased to two clients. ${slots.outcome}.`;
  const text = EVENTS[code];
  return text === undefined ? undefined : `${name} ${text}.`;
}

const CUTS: Readonly<Record<string, string>> = {
  closed: 'The link between the servers is cut, and its connections break.',
  silent: 'The link between the servers goes silent, in both directions.',
  'a-to-b': 'Nothing comes from A to B any more.',
  'b-to-a': 'Nothing comes from B to A any more.',
};

/** What was done to the world. Kinds that are not named here are shown as data. */
export function inWords(fault: Fault): string {
  const name = 'side' in fault ? nameOf(fault.side) : '';
  switch (fault.kind) {
    case 'kill':
      return `The process of ${name} is killed.`;
    case 'vanish':
      return `The machine of ${name} is gone from one moment to the next.`;
    case 'crash-after':
      return `${name} is to crash after its next ${fault.count === 1 ? '' : `${fault.count} `}${fault.what === 'any' ? 'messages' : fault.what}.`;
    case 'start':
      return `${name} is started.`;
    case 'wipe':
      return `The state directory of ${name} is lost.`;
    case 'copy':
      return `A copy of ${name}'s state directory is made.`;
    case 'put-back':
      return `The copy is put in the place of ${name}'s state directory.`;
    case 'cut':
      return CUTS[fault.how] ?? `The link is cut: ${fault.how}.`;
    case 'heal':
      return 'The link between the servers is whole.';
    case 'partner-down':
      return `The operator tells ${name} that its partner is down.`;
    case 'shut-down':
      return `${name} is stopped in good order.`;
    case 'lan-cut':
      return `No client reaches ${name} any more, and ${name} ${fault.isKnown ? 'knows' : 'does not know'}.`;
    case 'lan-heal':
      return `Clients reach ${name}.`;
    case 'lan-loss':
      return `On the LAN ${fault.percent} % of the packets are lost.`;
    case 'commit-ms':
      return `On the disk of ${name} a commit takes ${fault.ms} ms.`;
    case 'reset-aside':
      return `The operator removes what ${name} has set aside.`;
    case 'clock':
      return fault.isTrusted ? `${name} trusts its clock.` : `${name} does not trust its clock.`;
    case 'set-mclt':
      return `The operator sets MCLT to ${fault.sec} s.`;
    case 'link-latency':
      return `The link takes ${fault.ms} ms.`;
    case 'crash-at':
      return `${name} is to crash at its ${fault.count}th ${fault.what} from now.`;
    case 'reset':
      return 'The connection between the servers breaks.';
    case 'pause':
      return `The operator pauses ${name}.`;
    case 'resume':
      return `The operator lets ${name} go on.`;
    case 'recover-all':
      return `The operator lets ${name} fetch everything anew.`;
    case 'disk-full':
      return `The disk of ${name} is full.`;
    case 'disk-free':
      return `The disk of ${name} has room.`;
    case 'clock-step':
      return fault.byMs === 0
        ? `The clock of ${name} is right.`
        : `The clock of ${name} is set by ${fault.byMs / 1000} s.`;
    case 'remove-scope':
      return `An operator at ${name} takes a scope out of the relationship.`;
    case 'add-scope':
      return `An operator at ${name} puts a scope into the relationship.`;
    case 'remove-relationship':
      return `An operator at ${name} removes the relationship.`;
    case 'add-relationship':
      return `An operator at ${name} makes the relationship.`;
    case 'disarm':
      return 'No crash waits any more.';
    default:
      return `${fault.kind} ${JSON.stringify(fault)}`;
  }
}
