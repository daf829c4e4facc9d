/** What the parts of the checker may see of the world and of each other. */
import type { Host } from './host.ts';
import type { LinkChecks } from './link-checks.ts';
import type { WorldOptions } from './options.ts';
import type { Promises } from './promises.ts';
import type { Schedule } from './schedule.ts';
import type { Side } from './sides.ts';
import type { Trace } from './trace.ts';

export interface WorldView {
  readonly nowMs: number;
  readonly options: WorldOptions;
  readonly hosts: Readonly<Record<Side, Host>>;
  readonly schedule: Schedule;
  readonly trace: Trace;
  /** Both up, in NORMAL, and talking. */
  isSettled(): boolean;
  say(who: string, text: string): void;
}

export interface CheckerView {
  readonly link: LinkChecks;
  readonly promises: Promises;
  /** Its store was lost or is old, and it has not everything back: what it says of an address proves nothing. */
  isForgetful(side: Side): boolean;
  /** P1 does not hold from now on, until the conflict is settled and what was promised before has ended. */
  excuse(why: string): void;
}
