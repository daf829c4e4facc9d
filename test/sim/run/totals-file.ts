/**
 * Long runs in several sittings: each adds its figures to a file, with the seeds it took and the commit it ran on, so that the
 * sum says what it is a sum of.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { addTotals, emptyTotals, type Totals } from '../../../src/sim/totals.ts';

export interface Sitting {
  readonly commit: string;
  readonly from: number;
  readonly seeds: number;
  readonly minutes: number;
  readonly seconds: number;
}

export interface KeptTotals {
  readonly sittings: Sitting[];
  readonly totals: Totals;
}

export function readTotals(file: string): KeptTotals {
  if (!existsSync(file)) return { sittings: [], totals: emptyTotals() };
  const kept = JSON.parse(readFileSync(file, 'utf8')) as KeptTotals;
  // Rules and cells that are new since have been looked at no times.
  const totals = emptyTotals();
  addTotals(totals, kept.totals);
  return { sittings: kept.sittings, totals };
}

export function writeTotals(file: string, kept: KeptTotals): void {
  const next = `${file}.next`;
  writeFileSync(next, `${JSON.stringify(kept, undefined, 1)}\n`);
  renameSync(next, file);
}

/** The seed after the last one that was run, for whoever does not say where to begin. */
export function nextSeed(kept: KeptTotals): number {
  return Math.max(1, ...kept.sittings.map(({ from, seeds }) => from + seeds));
}

/** The commit, marked where the working tree differs from it. */
export function presentCommit(): string {
  const git = (...args: string[]): string => spawnSync('git', args, { encoding: 'utf8' }).stdout.trim();
  const head = git('rev-parse', '--short', 'HEAD');
  return git('status', '--porcelain', 'src') === '' ? head : `${head}+changes`;
}
