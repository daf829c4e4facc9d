/**
 * Looks on and says which invariant of failover specification 7 does not hold. It knows what both servers, the link and the
 * clients do, and touches nothing. What the specification lists as a known exception (PARTNER-DOWN while the partner serves, P1)
 * is noticed by itself and counted instead.
 */
import type { PacketReport } from '../core/pipeline/server-core.ts';
import type { ReplyPlan } from '../core/serving/serving-types.ts';
import type { MessageType } from '../wire/dhcp/packet.ts';
import type { FailoverMessage, MessageKind, OutMessage } from '../wire/failover/messages.ts';
import type { Ip4 } from '../wire/units.ts';
import type { Client, ClientWatch, Lease } from './client.ts';
import { describeMessage, shortAddress } from './describe.ts';
import type { Ask } from './lan.ts';
import { LinkChecks } from './link-checks.ts';
import type { ProcessWatch, ServerProcess } from './process.ts';
import { Promises } from './promises.ts';
import { ServingChecks } from './serving-checks.ts';
import type { Side } from './sides.ts';
import { StateChecks } from './state-checks.ts';
import type { CheckerView, WorldView } from './views.ts';
import type { Violation } from './violation.ts';

/** Rules that hold only while PARTNER-DOWN is declared for partners that are down (specification 7, P1). */
const VOID_WITHOUT_P1 = new Set(['I1', 'I5', 'I7', 'I8', 'I9', 'I10', 'I20', 'I21']);

export interface Counts {
  acks: number;
  naks: number;
  offers: number;
  drops: number;
  renewals: number;
  longestWaitMs: number;
  /** Breaches of I1 and its kin that P1 excuses. */
  excused: number;
}

export class Checker implements ProcessWatch, ClientWatch, CheckerView {
  readonly violations: Violation[] = [];
  readonly excuses: string[] = [];
  readonly counts: Counts = { acks: 0, naks: 0, offers: 0, drops: 0, renewals: 0, longestWaitMs: 0, excused: 0 };
  readonly promises = new Promises();
  readonly link: LinkChecks;
  /** Called after something left a server: crash injection. */
  onLeft: ((process: ServerProcess, what: string) => void) | undefined;
  #excusedUntilMs = -1;
  readonly #forgetful = new Set<Side>();
  readonly #world: WorldView;
  readonly #serving: ServingChecks;
  readonly #states: StateChecks;

  constructor(world: WorldView) {
    this.#world = world;
    const report = (rule: string, what: string): void => this.report(rule, what);
    this.link = new LinkChecks(report, () => world.nowMs);
    this.#serving = new ServingChecks(world, this, report);
    this.#states = new StateChecks(world, this, report);
  }

  get isExcused(): boolean {
    return this.#world.nowMs < this.#excusedUntilMs;
  }

  report(rule: string, what: string): void {
    // The first breach ends the run; what the same moment brings after it is its consequence.
    if (this.violations.length > 0) return;
    if (this.isExcused && VOID_WITHOUT_P1.has(rule)) {
      this.counts.excused++;
      return;
    }
    this.#world.say('!', `${rule}: ${what}`);
    this.violations.push({ rule, atMs: this.#world.nowMs, what });
    this.#world.schedule.stop();
  }

  /** P1 does not hold from now on, until the conflict is settled and what was promised before has ended. */
  excuse(why: string): void {
    if (this.#excusedUntilMs === Number.POSITIVE_INFINITY) return;
    this.excuses.push(why);
    this.#world.say('', `from here P1 does not hold: ${why}`);
    this.#excusedUntilMs = Number.POSITIVE_INFINITY;
  }

  look(): void {
    if (this.#excusedUntilMs === Number.POSITIVE_INFINITY && this.#world.isSettled())
      this.#excusedUntilMs = this.promises.lastEndMs;
    if (this.#world.isSettled()) this.#forgetful.clear();
    this.#states.look();
  }

  /** Its store was lost or is old, and it has not everything back: what it says of an address proves nothing. */
  isForgetful(side: Side): boolean {
    return this.#forgetful.has(side);
  }

  /** A store was lost or is an old one from now on. */
  storeChanged(side: Side): void {
    this.#forgetful.add(side);
    this.link.forget(side);
    this.#serving.storeChanged(side);
  }

  /** Both tables after everything came to rest (I16). */
  differences(): string[] {
    return this.#states.differences();
  }

  // --- ProcessWatch

  deciding(process: ServerProcess, packet: Uint8Array): void {
    this.#serving.deciding(process, packet);
  }

  decided(process: ServerProcess, report: PacketReport): void {
    const { decision, packet } = report;
    const who = packet === undefined ? '?' : `c${packet.chaddr[4]! * 256 + packet.chaddr[5]!}`;
    this.#say(process.side, () => `${decision.messageType} of ${who}: ${decision.kind} ${decision.reason}`);
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
    this.link.leaving(process, message);
  }

  left(process: ServerProcess, what: string): void {
    this.onLeft?.(process, what);
  }

  messageArrived(process: ServerProcess, message: FailoverMessage): void {
    if (message.kind !== 'contact') this.#say(process.side, () => `<- ${message.kind} #${message.xid}`);
    this.link.arrived(process, message);
  }

  connection(process: ServerProcess, isUp: boolean, why: string): void {
    this.#say(process.side, () => `link ${isUp ? 'up' : 'down'}: ${why}`);
    if (isUp) this.link.connected(process.side);
  }

  event(process: ServerProcess, code: string, slots: Readonly<Record<string, string | number>>): void {
    this.#say(process.side, () => `${code} ${JSON.stringify(slots)}`);
    if (code === 'failover/state-changed') this.#states.changed(process, String(slots.from), String(slots.to));
  }

  broken(process: ServerProcess, what: string): void {
    this.report('codec', `${process.side}: ${what}`);
  }

  // --- ClientWatch

  sends(client: Client, type: MessageType, how: string): void {
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
    const promised = { address: lease.address, client: client.index, side: lease.side, untilMs: lease.untilMs };
    const before = this.promises.take(promised, nowMs);
    if (before !== undefined) {
      const left = ((before.untilMs - nowMs) / 1000).toFixed(1);
      this.report(
        'I1',
        `${shortAddress(lease.address)} goes from ${lease.side} to ${client.name}, while c${before.client} holds it from ${before.side} for ${left} s more`,
      );
    }
  }

  letsGo(client: Client, address: Ip4, why: string): void {
    this.#say(client.name, () => `lets go of ${shortAddress(address)}: ${why}`);
    this.promises.letGo(client.index, address);
  }

  asked(side: Side, ask: Ask): void {
    this.#serving.asked(side, ask);
  }

  messageCount(kind: MessageKind): number {
    return this.link.counts[kind] ?? 0;
  }

  #say(who: string, text: () => string): void {
    this.#world.trace.add(this.#world.nowMs, who, text);
  }
}
