/**
 * The known exceptions of failover specification 7, proved one by one: a breach counts as one only where the assumption it rests on
 * did not hold, for an address that the breach of the assumption has touched, and while its consequences last.
 *
 * P1 ("PARTNER-DOWN is entered only when the partner has stopped serving"): an episode begins when a server holds its partner for
 * down, by its durable state, while the other serves. Only the server in PARTNER-DOWN does by it what it otherwise may not: it gives
 * out the partner's addresses and ends leases without the partner's consent. Each address for which it does is touched, until both
 * are in NORMAL again and every promise made for that address before then has ended.
 */
import type { Ip4 } from '../wire/units.ts';
import { EXCEPTIONS, type ExceptionKind, emptyTally, type RuleId, type Tally } from './rules.ts';
import { SIDES, type Side } from './sides.ts';

/** Rules that a touched address may break; all others hold even then. */
const RULES_OF_P1: ReadonlySet<RuleId> = new Set<RuleId>(['I1', 'I5', 'I7', 'I8', 'I10', 'believe']);

export class Exceptions {
  /** Breaches by kind. */
  readonly counts: Tally<ExceptionKind> = emptyTally(Object.keys(EXCEPTIONS) as ExceptionKind[]);
  /** Where an assumption did not hold, in words. */
  readonly episodes: string[] = [];
  readonly #falselyDown = new Set<Side>();
  /** When the last consequence ends; infinity while the episode lasts. */
  readonly #touched = new Map<Ip4, number>();
  /** What each did alone while its partner was down indeed; it becomes an exception when the partner serves again unaware of it. */
  readonly #alone: Record<Side, Set<Ip4>> = { a: new Set(), b: new Set() };

  /** `side` is in PARTNER-DOWN while its partner serves. True when that is news. */
  begin(side: Side, what: string): boolean {
    if (this.#falselyDown.has(side)) return false;
    this.#falselyDown.add(side);
    this.episodes.push(what);
    for (const address of this.#alone[side]) this.#touched.set(address, Number.POSITIVE_INFINITY);
    return true;
  }

  isFalselyDown(side: Side): boolean {
    return this.#falselyDown.has(side);
  }

  /** A server in PARTNER-DOWN did with the address what its partner had not agreed to. */
  doneAlone(side: Side, address: Ip4): void {
    if (this.#falselyDown.has(side)) this.#touched.set(address, Number.POSITIVE_INFINITY);
    else this.#alone[side].add(address);
  }

  isTouched(address: Ip4, nowMs: number): boolean {
    const untilMs = this.#touched.get(address);
    return untilMs !== undefined && nowMs <= untilMs;
  }

  /** Both are in NORMAL: the episodes are over, their consequences last as long as what was promised for the addresses. */
  settled(promisedUntilMs: (address: Ip4) => number): void {
    for (const side of SIDES) this.#alone[side].clear();
    if (this.#falselyDown.size === 0) return;
    this.#falselyDown.clear();
    for (const [address, untilMs] of this.#touched)
      if (untilMs === Number.POSITIVE_INFINITY) this.#touched.set(address, promisedUntilMs(address));
  }

  /** Whether a breach is one of the known exceptions, which it then counts. */
  covers(rule: RuleId, address: Ip4 | undefined, nowMs: number): boolean {
    if (address === undefined || !RULES_OF_P1.has(rule)) return false;
    // What a server in a false PARTNER-DOWN may do, and has not done yet, is nobody's harm so far.
    const isRightOnly = rule === 'I7' && SIDES.some((side) => this.#falselyDown.has(side));
    if (!isRightOnly && !this.isTouched(address, nowMs)) return false;
    this.counts['false PARTNER-DOWN']++;
    return true;
  }
}
