/** What the tests of all readers do with a plan: compare it with the one on record, and have the server's own checks take it. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { checkConfig } from '../../src/core/config/checks.ts';
import { defaultConfig } from '../../src/core/config/defaults.ts';
import { parseConfig } from '../../src/core/config/schema.ts';
import type { ImportPlan, LeaseRead, ReportLine } from '../../src/import/plan.ts';

/** `RECORD_IMPORTS=1` writes the expected text anew, to be reviewed like code. */
export function compareWithRecord(path: string, text: string): void {
  if (process.env['RECORD_IMPORTS'] === '1') writeFileSync(path, text);
  assert.equal(text, readFileSync(path, 'utf8'));
}

export function planText({ report: _report, ...plan }: ImportPlan): string {
  return `${JSON.stringify(plan, null, 2)}\n`;
}

export function reportText(report: readonly ReportLine[]): string {
  return report
    .map(
      ({ file, line, carried, statement, outcome, advice }) =>
        `${file}:${line} ${carried}: ${statement}\n    ${[outcome, ...(advice === null ? [] : [advice])].join('. ')}\n`,
    )
    .join('');
}

export function assertTaken(plan: ImportPlan): void {
  const base = defaultConfig('here');
  const parsed = parseConfig({
    ...base,
    server: { ...base.server, ...plan.server },
    scopes: plan.scopes,
    optionDefinitions: plan.optionDefinitions,
  });
  assert.ok(parsed.kind === 'ok', JSON.stringify(parsed));
  assert.deepEqual(checkConfig(parsed.config), []);
}

/** The text in pieces of `size` characters, as a stream gives it. */
export async function* inPieces(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

export async function allOf(reads: AsyncIterable<LeaseRead>): Promise<LeaseRead[]> {
  const all: LeaseRead[] = [];
  for await (const read of reads) all.push(read);
  return all;
}
