/**
 * Looks on and says which invariant of failover specification 7 does not hold. It knows what both servers, the link and the
 * clients do, and touches nothing. What the specification lists as a known exception is proved to be one (`exceptions.ts`), and
 * counted instead. The rules themselves are in its parts; this file hands them what happens, and is what the world knows of them.
 */
import type { LogRecord } from '../core/pipeline/records.ts';
import type { PacketReport } from '../core/pipeline/server-core.ts';
import type { ReplyPlan } from '../core/serving/serving-types.ts';
import type { MessageType } from '../wire/dhcp/packet.ts';
import type { FailoverMessage, MessageKind, OutMessage } from '../wire/failover/messages.ts';
import { type Ip4, ip4 } from '../wire/units.ts';
import { BindingChecks } from './binding-checks.ts';
import type { Client, ClientWatch, Lease } from './client.ts';
import { Coverage } from './coverage.ts';
import { describeMessage, shortAddress } from './describe.ts';
import { Exceptions } from './exceptions.ts';
import type { Ask } from './lan.ts';
import { LinkChecks } from './link-checks.ts';
import type { ProcessWatch, ServerProcess } from './process.ts';
import { Promises } from './promises.ts';
import { RULE_IDS, RULES, type RuleId, type Tally } from './rules.ts';
import { ServingChecks } from './serving-checks.ts';
import { FIRST_HOST, scopeIdOf } from './setting.ts';
import { SIDES, type Side } from './sides.ts';
import { StarveChecks } from './starve-checks.ts';
import { StateChecks } from './state-checks.ts';
import { TableChecks } from './table-checks.ts';
import type { CheckerView, Granted, WorldView } from './views.ts';
import type { Violation } from './violation.ts';

export interface Counts {
  /** Packets of clients that reached a server. */
  clientPackets: number;
  acks: number;
  naks: number;
  offers: number;
  drops: number;
  renewals: number;
  longestWaitMs: number;
  /** Breaches that are known exceptions. */
  excused: number;
}

/** What a lawless client says of its request (`client.ts`). */
const OF_NOT_OFFERED = 'of what was not offered';
/** The partner hears of an interface that is back within this. */
const CUT_OFF_MS = 30_000;

export class Checker implements ProcessWatch, ClientWatch, CheckerView {
  readonly violations: Violation[] = [];
  readonly counts: Counts = {
    clientPackets: 0,
    acks: 0,
    naks: 0,
    offers: 0,
    drops: 0,
    renewals: 0,
    longestWaitMs: 0,
    excused: 0,
  };
  /** Counters in a map: this is the most frequent call of all, and an object indexed by many names is slow. */
  readonly #looks = new Map<RuleId, { count: number }>(RULE_IDS.map((rule) => [rule, { count: 0 }]));
  readonly promises = new Promises();
  readonly exceptions = new Exceptions();
  readonly coverage = new Coverage();
  readonly addresses: readonly Ip4[];
  readonly link: LinkChecks;
  /** Called after something left a server: crash injection. */
  onLeft: ((process: ServerProcess, what: string) => void) | undefined;
  readonly #forgetful = new Set<Side>();
  #cutOffMs = Number.NEGATIVE_INFINITY;
  readonly #world: WorldView;
  readonly #serving: ServingChecks;
  readonly #states: StateChecks;
  readonly #bindings: BindingChecks;
  readonly #tables: TableChecks;
  readonly #starve: StarveChecks;

  constructor(world: WorldView) {
    this.#world = world;
    this.addresses = world.options.poolSizes.flatMap((size, index) =>
      Array.from({ length: size }, (_none, i) => ip4(scopeIdOf(index) + FIRST_HOST + i)),
    );
    const report = (rule: RuleId, what: string, address?: Ip4): void => this.report(rule, what, address);
    this.link = new LinkChecks(world, this, report);
    this.#serving = new ServingChecks(world, this, report);
    this.#states = new StateChecks(world, this, report);
    this.#bindings = new BindingChecks(world, this, report);
    this.#tables = new TableChecks(world, this, report);
    this.#starve = new StarveChecks(world, this, report);
  }

  /** Where an assumption of the specification did not hold, in words. */
  get excuses(): readonly string[] {
    return this.exceptions.episodes;
  }

  report(rule: RuleId, what: string, address?: Ip4): void {
    // The first breach ends the run; what the same moment brings after it is its consequence.
    if (this.violations.length > 0) return;
    if (this.exceptions.covers(rule, address, this.#world.nowMs)) {
      this.counts.excused++;
      this.#world.say('', `excused, ${rule}: ${what}`);
      return;
    }
    this.#world.say('!', `${rule}: ${what}`);
    this.#world.trace.story?.tell(this.#world.nowMs, `BROKEN, ${rule} (${RULES[rule]}): ${what}`);
    this.violations.push({ rule, atMs: this.#world.nowMs, what, address });
    this.#world.schedule.stop();
  }

  looked(rule: RuleId): void {
    this.#looks.get(rule)!.count++;
  }

  /** How often each rule was looked at where it could have been broken. */
  get looks(): Tally<RuleId> {
    return Object.fromEntries([...this.#looks].map(([rule, { count }]) => [rule, count])) as Tally<RuleId>;
  }

  excuse(side: Side, why: string): void {
    if (!this.exceptions.begin(side, why)) return;
    this.#world.say('', `from here P1 does not hold: ${why}`);
    this.#world.trace.story?.tell(this.#world.nowMs, `From here assumption P1 does not hold: ${why}.`);
  }

  downSinceAt(side: Side): number {
    return this.#states.downSinceAt(side);
  }

  notePartnerServes(): void {
    this.#states.notePartnerServes();
  }

  look(): void {
    if (this.#world.isSettled()) {
      this.#forgetful.clear();
      this.exceptions.settled((address) => this.promises.lastEndOf(address));
      this.#states.settled();
    }
    if (!SIDES.every((side) => this.#world.reaches(side, 100))) this.#cutOffMs = this.#world.nowMs;
    for (const side of SIDES) {
      const { process } = this.#world.hosts[side];
      if (process !== undefined) this.link.look(process);
    }
    this.#states.look();
    this.#tables.look();
    this.#starve.look();
  }

  wasCutOff(): boolean {
    return this.#world.nowMs - this.#cutOffMs < CUT_OFF_MS;
  }

  isForgetful(side: Side): boolean {
    return this.#forgetful.has(side);
  }

  granted(address: Ip4, client: number | undefined): Granted | undefined {
    return this.#serving.granted(address, client);
  }

  /** A store was lost or is an old one from now on. */
  storeChanged(side: Side): void {
    this.#forgetful.add(side);
    this.link.forget(side);
    this.#bindings.storeChanged(side);
    this.#states.storeChanged(side);
    this.#serving.storeChanged(side);
  }

  /** An operator's command is about to be carried out. */
  commanded(process: ServerProcess, kind: 'partner-down' | 'shutdown' | 'pause' | 'resume'): void {
    this.#states.commanded(process, kind);
  }

  /** Both tables after everything came to rest (I16). */
  differences(): string[] {
    return this.#tables.differences();
  }

  /** After everything came to rest: the tables are equal, and say what the clients believe. */
  checkAtRest(): void {
    this.#tables.reportDifferences();
    this.#tables.checkBelief();
  }

  // --- ProcessWatch

  born(process: ServerProcess): void {
    this.#bindings.born(process);
    this.#states.born(process);
    this.link.born(process);
  }

  bindingSaved(process: ServerProcess, address: Ip4, bytes: Uint8Array, sequence: number): void {
    this.#bindings.saved(process, address, bytes, sequence);
    if (process.life.isHolding) this.#serving.held(process, address);
  }

  appended(process: ServerProcess, record: LogRecord, sequence: number): void {
    this.#bindings.appended(process, record, sequence);
    if (record.kind === 'relationship' && record.record.name === process.relationship)
      this.#states.saved(process.side, record.record);
    if (record.kind !== 'relationship-gone' || record.name !== process.relationship) return;
    this.#states.left(process.side);
    this.#serving.left(process.side);
  }

  deciding(process: ServerProcess, packet: Uint8Array): void {
    this.counts.clientPackets++;
    this.#bindings.deciding(process.side);
    this.#serving.deciding(process, packet);
  }

  decided(process: ServerProcess, report: PacketReport): void {
    const { decision, packet } = report;
    this.#bindings.deciding(undefined);
    this.#say(process.side, () => {
      const who = packet === undefined ? '?' : `c${packet.chaddr[4]! * 256 + packet.chaddr[5]!}`;
      return `${decision.messageType} of ${who}: ${decision.kind} ${decision.reason}`;
    });
    if (decision.kind === 'drop') this.counts.drops++;
    this.#serving.decided(process, report);
  }

  promised(process: ServerProcess, reply: ReplyPlan, afterSequence: number): void {
    if (reply.messageType === 'ack') this.counts.acks++;
    else if (reply.messageType === 'nak') this.counts.naks++;
    else this.counts.offers++;
    this.#serving.promised(process, reply, afterSequence);
  }

  replyLeaving(process: ServerProcess, reply: ReplyPlan): void {
    this.#serving.leaving(process, reply);
  }

  queued(process: ServerProcess, message: OutMessage, afterSequence: number): void {
    this.link.queued(process, message, afterSequence);
  }

  messageLeaving(process: ServerProcess, message: OutMessage): void {
    if (message.kind !== 'contact') this.#say(process.side, () => `-> ${describeMessage(message)}`);
    this.#world.trace.story?.message(this.#world.nowMs, process.side, message);
    this.link.leaving(process, message);
  }

  left(process: ServerProcess, what: string): void {
    this.onLeft?.(process, what);
  }

  messageArrived(process: ServerProcess, message: FailoverMessage): void {
    if (message.kind !== 'contact') this.#say(process.side, () => `<- ${message.kind} #${message.xid}`);
    if (message.kind === 'connect') this.#serving.connectHeard(message.mcltSec);
    this.link.arrived(process, message);
    this.#states.arrived(process, message);
    this.#bindings.handling(process.side, message);
  }

  messageHandled(process: ServerProcess, _message: FailoverMessage): void {
    this.#bindings.handling(process.side, undefined);
    this.link.handled(process);
    this.#states.handled(process);
  }

  connection(process: ServerProcess, isUp: boolean, why: string): void {
    this.#say(process.side, () => `link ${isUp ? 'up' : 'down'}: ${why}`);
    if (!isUp) return;
    this.link.connected(process.side);
    this.#states.connected(process.side);
  }

  event(process: ServerProcess, code: string, slots: Readonly<Record<string, string | number>>): void {
    this.#say(process.side, () => `${code} ${JSON.stringify(slots)}`);
    this.#world.trace.story?.event(this.#world.nowMs, process.side, code, slots);
    this.#states.event(process, code, slots);
    if (code === 'failover/recovering') this.#serving.recovering(process.side);
  }

  broken(process: ServerProcess, what: string): void {
    this.report('codec', `${process.side}: ${what}`);
  }

  // --- ClientWatch

  sends(client: Client, type: MessageType, how: string): void {
    // Who asks for what nobody offered gives up what it has (and may not know it): the server takes it for moved.
    if (how === OF_NOT_OFFERED && client.lease !== undefined) this.promises.letGo(client.index, client.lease.address);
    this.#say(
      client.name,
      () => `${type} ${how} ${client.lease === undefined ? '' : shortAddress(client.lease.address)}`,
    );
  }

  holds(client: Client, lease: Lease, waitedMs: number | undefined): void {
    const { nowMs } = this.#world;
    if (waitedMs === undefined) this.counts.renewals++;
    else this.counts.longestWaitMs = Math.max(this.counts.longestWaitMs, waitedMs);
    this.#say(
      client.name,
      () => `holds ${shortAddress(lease.address)} from ${lease.side} for ${(lease.untilMs - nowMs) / 1000} s`,
    );
    const sec = (lease.untilMs - nowMs) / 1000;
    const { address, side } = lease;
    this.#world.trace.story?.holds(nowMs, client.name, { address, side, sec, waitedMs });
    const promised = { address: lease.address, client: client.index, side: lease.side, untilMs: lease.untilMs };
    this.looked('I1');
    const before = this.promises.take(promised, nowMs);
    if (before !== undefined) {
      const left = ((before.untilMs - nowMs) / 1000).toFixed(1);
      this.report(
        'I1',
        `${shortAddress(lease.address)} goes from ${lease.side} to ${client.name}, while c${before.client} holds it from ${before.side} for ${left} s more`,
        lease.address,
      );
    }
  }

  letsGo(client: Client, address: Ip4, why: string): void {
    this.#say(client.name, () => `lets go of ${shortAddress(address)}: ${why}`);
    this.#world.trace.story?.letsGo(this.#world.nowMs, client.name, address, why);
    this.promises.letGo(client.index, address);
  }

  asked(side: Side, ask: Ask): void {
    this.#serving.asked(side, ask);
  }

  messageCount(kind: MessageKind): number {
    return this.link.counts[kind] ?? 0;
  }

  #say(who: string, text: () => string): void {
    if (this.#world.trace.isOn) this.#world.trace.add(this.#world.nowMs, who, text);
  }
}
