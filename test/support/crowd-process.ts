/**
 * The crowd as a program, to be run where the clients are: in a network namespace. Its first argument is its options as JSON; it
 * takes commands as lines of JSON on its input, and answers each with a line of JSON, the report. It ends when its input does. Where it may, it
 * runs at a raised priority: real clients do not wait for the processor that the servers and other tests need.
 */
import { constants, setPriority } from 'node:os';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { type CloseCall, Crowd, type CrowdOptions, type CrowdStats } from '../../demo/crowd.ts';
import { formatIp4, toHex } from '../../src/wire/units.ts';

export type CrowdCommand =
  | { readonly kind: 'report' }
  /** At once, or at a steady rate from now on. */
  | { readonly kind: 'add'; readonly count: number; readonly overSec?: number }
  | { readonly kind: 'renew'; readonly count: number }
  /** New clients and renewals at a steady rate from now on; 0 and 0 to end it. */
  | { readonly kind: 'load'; readonly newPerSec: number; readonly renewalsPerSec: number }
  /** Waits, served clients and confirmed leases are counted from here; leases held now are those that must not get lost. */
  | { readonly kind: 'mark' }
  | { readonly kind: 'leases' }
  | { readonly kind: 'close-calls' };

export interface CrowdReport extends CrowdStats {
  readonly sinceMark: {
    readonly served: number;
    /** Served, but not by the answer to the first message. */
    readonly waited: number;
    readonly longestWaitMs: number;
    /** From the mark until the last of those who waited was served. */
    readonly lastWaitEndedMs: number;
    readonly heldAtMark: number;
    /** Of the leases held at the mark, those not renewed for the same client since. */
    readonly unconfirmed: number;
  };
  /** Only in the answer to `leases`: address and hardware address. */
  readonly leases?: Readonly<Record<string, string>>;
  /** Only in the answer to `close-calls`. */
  readonly closeCalls?: readonly CloseCall[];
}

const LOAD_TICK_MS = 20;

const options = JSON.parse(process.argv[2] ?? '{}') as CrowdOptions;
raisePriority();
const crowd = await Crowd.open(options);
const firstWaitMs = options.retransmitMs ?? 2000;
let markAtMs = performance.now();
let since = { served: 0, waited: 0, longestWaitMs: 0, lastWaitEndedMs: 0 };
let heldAtMark = new Map<string, string>();
const confirmed = new Map<string, string>();
const NO_LOAD = {
  newPerSec: 0,
  renewalsPerSec: 0,
  newMax: Number.POSITIVE_INFINITY,
  startedAtMs: 0,
  added: 0,
  renewed: 0,
};
let load = NO_LOAD;

crowd.onServed = (waitedMs) => {
  since.served++;
  since.longestWaitMs = Math.max(since.longestWaitMs, Math.round(waitedMs));
  if (waitedMs < firstWaitMs) return;
  since.waited++;
  since.lastWaitEndedMs = Math.round(performance.now() - markAtMs);
};
crowd.onAck = (hardware, address) => confirmed.set(formatIp4(address), toHex(hardware));

const ticking = setInterval(() => {
  const seconds = (performance.now() - load.startedAtMs) / 1000;
  const newDue = Math.min(Math.floor(seconds * load.newPerSec), load.newMax) - load.added;
  const renewalsDue = Math.floor(seconds * load.renewalsPerSec) - load.renewed;
  load.added += newDue;
  load.renewed += renewalsDue;
  crowd.add(newDue);
  crowd.renew(renewalsDue);
}, LOAD_TICK_MS);

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line) as CrowdCommand;
    perform(command);
    process.stdout.write(`${JSON.stringify(report(command.kind))}\n`);
  })
  .on('close', () => {
    clearInterval(ticking);
    crowd.close();
  });

function perform(command: CrowdCommand): void {
  switch (command.kind) {
    case 'report':
    case 'leases':
    case 'close-calls':
      return;
    case 'add':
      if (command.overSec === undefined) crowd.add(command.count);
      else
        load = {
          ...NO_LOAD,
          newPerSec: command.count / command.overSec,
          newMax: command.count,
          startedAtMs: performance.now(),
        };
      return;
    case 'renew':
      crowd.renew(command.count);
      return;
    case 'load':
      load = { ...NO_LOAD, ...command, startedAtMs: performance.now() };
      return;
    case 'mark':
      markAtMs = performance.now();
      since = { served: 0, waited: 0, longestWaitMs: 0, lastWaitEndedMs: 0 };
      crowd.resetLongestWait();
      confirmed.clear();
      heldAtMark = leases();
      return;
    default:
      command satisfies never;
  }
}

function report(kind: CrowdCommand['kind']): CrowdReport {
  const stats = crowd.stats();
  let unconfirmed = 0;
  for (const [address, hardware] of heldAtMark) if (confirmed.get(address) !== hardware) unconfirmed++;
  return {
    ...stats,
    sinceMark: { ...since, heldAtMark: heldAtMark.size, unconfirmed },
    ...(kind === 'leases' ? { leases: Object.fromEntries(leases()) } : {}),
    ...(kind === 'close-calls' ? { closeCalls: crowd.closeCalls() } : {}),
  };
}

function raisePriority(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGH);
  } catch {
    // Not every root may (a container without CAP_SYS_NICE): then it runs as all others do, and counts what it neglects.
  }
}

function leases(): Map<string, string> {
  return new Map([...crowd.leases()].map(([address, hardware]) => [formatIp4(address), toHex(hardware)]));
}
