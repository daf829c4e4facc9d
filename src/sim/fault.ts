/** Everything that can go wrong in the world, as data. How it is done and undone is in `faults.ts`. */
import type { CutKind } from './cable.ts';
import type { Settings } from './change-body.ts';
import type { LanCut } from './lan.ts';
import type { Step as LifeStep } from './life.ts';
import type { Answering } from './process.ts';
import type { HostName, Side } from './sides.ts';

/** `side` is a server by its name; `pair` is the number of the relationship, the first when absent. */
export type Fault =
  /** The process ends; its system closes its connections. */
  | { readonly kind: 'kill'; readonly side: HostName }
  /** The machine is gone from one moment to the next, and closes nothing. */
  | { readonly kind: 'vanish'; readonly side: HostName }
  /** The process ends right after it has sent the `count`th message of this kind from now on (`any`: whatever leaves). */
  | { readonly kind: 'crash-after'; readonly side: HostName; readonly what: string; readonly count: number }
  /** The process ends right after the `count`th step of this kind from now on, before anything is sent that rests on it. */
  | { readonly kind: 'crash-at'; readonly side: HostName; readonly what: LifeStep; readonly count: number }
  /** A crash that waits for its moment does not come. */
  | { readonly kind: 'disarm' }
  | { readonly kind: 'start'; readonly side: HostName }
  /** The state directory of a server that is down is gone. */
  | { readonly kind: 'wipe'; readonly side: HostName }
  | { readonly kind: 'copy'; readonly side: HostName }
  /** The newest copy is put in the place of the state directory of a server that is down. */
  | { readonly kind: 'put-back'; readonly side: HostName }
  | { readonly kind: 'cut'; readonly how: CutKind; readonly pair?: number }
  | { readonly kind: 'heal'; readonly pair?: number }
  /** The connection breaks and may be made anew at once. */
  | { readonly kind: 'reset'; readonly pair?: number }
  /** What this server does with the updates that it gets from now on; `none`: it leaves them unanswered. */
  | { readonly kind: 'answers'; readonly side: Side; readonly how: Answering; readonly pair?: number }
  | { readonly kind: 'link-latency'; readonly ms: number }
  /** The operator says that the partner of this server is down. */
  | { readonly kind: 'partner-down'; readonly side: HostName; readonly pair?: number }
  | { readonly kind: 'pause' | 'resume' | 'recover-all'; readonly side: HostName; readonly pair?: number }
  /** Orderly stop: announced, then the process ends. */
  | { readonly kind: 'shut-down'; readonly side: HostName }
  /** No client reaches the server; it knows of it or not. Absent `way`: in both directions. */
  | { readonly kind: 'lan-cut'; readonly side: HostName; readonly isKnown: boolean; readonly way?: LanCut }
  | { readonly kind: 'lan-heal'; readonly side: HostName }
  | { readonly kind: 'lan-loss'; readonly percent: number }
  | { readonly kind: 'commit-ms'; readonly side: HostName; readonly ms: number }
  /** The next write of the server fails, and every start after it until it works again. */
  | { readonly kind: 'disk-full' | 'disk-free'; readonly side: HostName }
  /** The operator removes the records of all addresses that the server has set aside. */
  | { readonly kind: 'reset-aside'; readonly side: HostName }
  /** The operator distrusts the clock, or trusts it again. */
  | { readonly kind: 'clock'; readonly side: HostName; readonly isTrusted: boolean }
  /** The system's clock is set by so much more; 0 sets it right. */
  | { readonly kind: 'clock-step'; readonly side: HostName; readonly byMs: number }
  /** Set changes the relationship on both servers; `side` (of the pair) is the one that is called. */
  | { readonly kind: 'set'; readonly side: Side; readonly change: Partial<Settings>; readonly pair?: number }
  | { readonly kind: 'set-mclt'; readonly sec: number }
  /** The last scope of the pair leaves the relationship, or comes back. */
  | { readonly kind: 'remove-scope' | 'add-scope'; readonly side: Side; readonly pair?: number }
  | { readonly kind: 'remove-relationship' | 'add-relationship'; readonly side: Side; readonly pair?: number }
  /** What no disk may do: the newest frames of a server that is down are gone, and nobody is told. To try the checker with. */
  | { readonly kind: 'lose-tail'; readonly side: HostName; readonly frames: number };

/** What was done, and when. */
export interface AppliedFault {
  readonly atMs: number;
  readonly fault: Fault;
}
