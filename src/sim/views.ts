/** What the parts of the checker may see of the world and of each other. */
import type { Binding } from '../core/bindings/binding.ts';
import type { Ip4 } from '../wire/units.ts';
import type { Coverage } from './coverage.ts';
import type { Exceptions } from './exceptions.ts';
import type { WorldOptions } from './options.ts';
import type { Promises } from './promises.ts';
import type { RuleId } from './rules.ts';
import type { Schedule } from './schedule.ts';
import type { Seat } from './seat.ts';
import type { Side } from './sides.ts';
import type { Trace } from './trace.ts';

export interface ClientView {
  readonly index: number;
  readonly scopeIndex: number;
  readonly askingSinceMs: number | undefined;
}

export interface WorldView {
  readonly nowMs: number;
  readonly options: WorldOptions;
  readonly hosts: Readonly<Record<Side, Seat>>;
  readonly clients: readonly ClientView[];
  readonly schedule: Schedule;
  readonly trace: Trace;
  /** Both up, in NORMAL, and talking. */
  isSettled(): boolean;
  /** Clients reach the server, and lose at most this part of the packets on the way. */
  reaches(side: Side, lossPercentMax: number): boolean;
  say(who: string, text: string): void;
}

/** What the parts ask of the one that watches the link. */
export interface LinkView {
  /** Addresses that both servers had an update of under way at the same time. */
  readonly duelled: ReadonlySet<Ip4>;
  /** Until when the partner of this side is known to expect the lease of this client; 0 when it knows nothing of it. */
  expectedUntilAt(side: Side, binding: Binding): number;
  /** The address became available in the table of this side. */
  available(side: Side, address: Ip4): void;
  /** A binding changed here for a reason of its own. */
  changedByItself(side: Side, address: Ip4): void;
  hasUnansweredEnd(side: Side, address: Ip4): boolean;
}

/** The last grant of an address to a client: the latest end, and by whom. */
export interface Granted {
  readonly client: number | undefined;
  readonly endAt: number;
  readonly side: Side;
  /** The store of the server that granted it is gone, and its partner knew nothing of it, or of a shorter one. */
  readonly isForgotten: boolean;
}

export interface CheckerView {
  readonly link: LinkView;
  readonly promises: Promises;
  readonly exceptions: Exceptions;
  readonly coverage: Coverage;
  /** Every address of the world's scopes. */
  readonly addresses: readonly Ip4[];
  /** A rule was looked at where it could have been broken. */
  looked(rule: RuleId): void;
  /** Its store was lost or is old, and it has not everything back: what it says of an address proves nothing. */
  isForgetful(side: Side): boolean;
  /** A server did not reach its clients a moment ago, and may have told its partner so. */
  wasCutOff(): boolean;
  /** P1 does not hold: this side is in PARTNER-DOWN while its partner serves. */
  excuse(side: Side, why: string): void;
  /** When this side entered PARTNER-DOWN, by its own clock. */
  downSinceAt(side: Side): number;
  /** Looks whether P1 holds. */
  notePartnerServes(): void;
  /** The last grant of the address to this client, by whichever server. */
  granted(address: Ip4, client: number | undefined): Granted | undefined;
}
