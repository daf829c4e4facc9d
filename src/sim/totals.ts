/** What many runs come to, as plain data: it is sent between workers, printed, and kept in a file. */
import { ALL_CELLS, WHY_SCRIPTED } from './cells.ts';
import { EXCEPTIONS, type ExceptionKind, emptyTally, RULE_IDS, type RuleId, type Tally } from './rules.ts';
import { scriptedCells } from './scripted-partner.ts';
import type { SimReport } from './simulate.ts';

const YEAR_SEC = 31_557_600;

export interface FailedRun {
  readonly seed: number;
  readonly rule: RuleId;
  readonly what: string;
}

export interface Totals {
  seeds: number;
  /** Runs of fixed situations, which are counted in everything but `seeds`. */
  scenarios: number;
  clientPackets: number;
  faults: number;
  virtualSec: number;
  acks: number;
  renewals: number;
  longestWaitMs: number;
  readonly cells: Record<string, number>;
  readonly looks: Tally<RuleId>;
  readonly exceptions: Tally<ExceptionKind>;
  readonly violations: FailedRun[];
}

export function emptyTotals(): Totals {
  return {
    seeds: 0,
    scenarios: 0,
    clientPackets: 0,
    faults: 0,
    virtualSec: 0,
    acks: 0,
    renewals: 0,
    longestWaitMs: 0,
    cells: {},
    looks: emptyTally(RULE_IDS),
    exceptions: emptyTally(Object.keys(EXCEPTIONS) as ExceptionKind[]),
    violations: [],
  };
}

export type RunKind = 'seeds' | 'scenarios';

export function addReport(totals: Totals, kind: RunKind, report: SimReport): void {
  const { counts } = report;
  totals[kind]++;
  totals.clientPackets += counts.clientPackets;
  totals.faults += report.faults;
  totals.virtualSec += report.virtualSec;
  totals.acks += counts.acks;
  totals.renewals += counts.renewals;
  totals.longestWaitMs = Math.max(totals.longestWaitMs, counts.longestWaitMs);
  for (const [cell, count] of report.cells) totals.cells[cell] = (totals.cells[cell] ?? 0) + count;
  addTally(totals.looks, report.looks);
  addTally(totals.exceptions, report.exceptions);
  for (const { rule, what } of report.violations) totals.violations.push({ seed: report.options.seed, rule, what });
}

export function addTotals(totals: Totals, more: Totals): void {
  totals.seeds += more.seeds;
  totals.scenarios += more.scenarios;
  totals.clientPackets += more.clientPackets;
  totals.faults += more.faults;
  totals.virtualSec += more.virtualSec;
  totals.acks += more.acks;
  totals.renewals += more.renewals;
  totals.longestWaitMs = Math.max(totals.longestWaitMs, more.longestWaitMs);
  for (const [cell, count] of Object.entries(more.cells)) totals.cells[cell] = (totals.cells[cell] ?? 0) + count;
  addTally(totals.looks, more.looks);
  addTally(totals.exceptions, more.exceptions);
  totals.violations.push(...more.violations);
}

/** A run that threw: a broken assertion of the core, or of the world. */
export function addThrown(totals: Totals, kind: RunKind, seed: number, error: unknown): void {
  totals[kind]++;
  totals.violations.push({
    seed,
    rule: 'thrown',
    what: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
}

/** The figures as they are printed. */
export function summary(totals: Totals): Record<string, unknown> {
  const missing = ALL_CELLS.filter((cell) => (totals.cells[cell] ?? 0) === 0);
  const scripted = scriptedCells(new Set(missing));
  return {
    seeds: totals.seeds,
    scenarios: totals.scenarios,
    clientPackets: totals.clientPackets,
    faults: totals.faults,
    cellsReached: ALL_CELLS.length - missing.length,
    cellsScripted: scripted.length,
    cellsTotal: ALL_CELLS.length,
    pairYears: Number((totals.virtualSec / YEAR_SEC).toFixed(3)),
    violations: totals.violations.length,
    exceptions: totals.exceptions,
    acks: totals.acks,
    renewals: totals.renewals,
    unreached: missing.filter((cell) => !scripted.includes(cell)),
    scripted: { why: WHY_SCRIPTED, cells: scripted },
    neverLooked: RULE_IDS.filter((rule) => totals.looks[rule] === 0 && rule !== 'thrown' && rule !== 'help'),
  };
}

function addTally<K extends string>(into: Record<K, number>, from: Readonly<Record<string, number>>): void {
  for (const key of Object.keys(into) as K[]) into[key] += from[key] ?? 0;
}
