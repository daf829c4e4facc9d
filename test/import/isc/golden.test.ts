/**
 * Realistic files as a whole: what they become, and what is said of every statement. `RECORD_IMPORTS=1` writes the expected results
 * anew, to be reviewed like code. The files are such that dhcpd itself takes them.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { checkConfig } from '../../../src/core/config/checks.ts';
import { defaultConfig } from '../../../src/core/config/defaults.ts';
import { parseConfig } from '../../../src/core/config/schema.ts';
import { parseStatements, type Statement } from '../../../src/import/isc/statements.ts';
import type { ImportPlan } from '../../../src/import/plan.ts';
import { needProgram } from '../../net/need.ts';
import { FILES, read, readSample, SAMPLES, sampleText } from './sample-files.ts';

for (const name of SAMPLES) {
  test(`${name}.conf becomes the plan and the report on record`, async () => {
    const { report, ...plan } = await readSample(name);
    compare(`${name}.plan.json`, `${JSON.stringify(plan, null, 2)}\n`);
    const lines = report.map(
      (line) =>
        `${line.file}:${line.line} ${line.carried}: ${line.statement}\n    ${[line.outcome, line.advice].filter(Boolean).join('. ')}\n`,
    );
    compare(`${name}.report.txt`, lines.join(''));
  });

  test(`${name}.conf becomes a configuration that the server takes`, async () => {
    const plan = await readSample(name);
    const base = defaultConfig('here');
    const parsed = parseConfig({
      ...base,
      server: { ...base.server, ...plan.server },
      scopes: plan.scopes,
      optionDefinitions: plan.optionDefinitions,
    });
    assert.equal(parsed.kind, 'ok', JSON.stringify(parsed));
    if (parsed.kind === 'ok') assert.deepEqual(checkConfig(parsed.config), []);
  });

  test(`every statement of ${name}.conf has a line of the report`, async () => {
    const plan = await readSample(name);
    const statements = statementsOf(sampleText(`${name}.conf`));
    const lines = plan.report.filter((line) => line.file === `${name}.conf` && line.line > 0);
    assert.deepEqual(
      lines.map(({ line }) => line),
      statements.map(({ line }) => line),
    );
  });

  test(`without any one statement of ${name}.conf the plan or the report is another`, async () => {
    const text = sampleText(`${name}.conf`);
    const whole = meaning(await readSample(name));
    const statements = statementsOf(text);
    assert.ok(statements.length > 20);
    for (const statement of statements) {
      const found = await read(without(text, statement), `${name}.conf`);
      if (found.kind === 'ok') assert.notEqual(meaning(found.plan), whole, `line ${statement.line}`);
    }
  });

  test(`dhcpd takes ${name}.conf`, (t) => {
    if (!needProgram(t, 'dhcpd')) return;
    const directory = mkdtempSync(join(tmpdir(), 'twinlease-import-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    cpSync(FILES, directory, { recursive: true });
    writeFileSync(join(directory, 'missing.hosts'), '');
    const checked = spawnSync('dhcpd', ['-t', '-4', '-cf', `${name}.conf`], { cwd: directory, encoding: 'utf8' });
    // A name that DNS does not know is a complaint, not a refusal.
    assert.equal(checked.status, 0, checked.stderr);
  });
}

function compare(file: string, text: string): void {
  const path = join(FILES, file);
  if (process.env['RECORD_IMPORTS'] === '1') writeFileSync(path, text);
  assert.equal(text, readFileSync(path, 'utf8'));
}

/** Without the numbers of lines, which move by themselves when one is taken out. */
function meaning({ report, ...plan }: ImportPlan): string {
  const withoutLines = (text: string): string => text.replace(/\bline \d+/g, 'line N');
  return JSON.stringify([plan, report.map((line) => [line.carried, line.statement, withoutLines(line.outcome)])]);
}

function statementsOf(text: string): Statement[] {
  const parsed = parseStatements(text, 'file');
  assert.equal(parsed.kind, 'ok');
  const flat = (list: readonly Statement[]): Statement[] => list.flatMap((one) => [one, ...flat(one.block ?? [])]);
  return parsed.kind === 'ok' ? flat(parsed.statements) : [];
}

/** The files have no braces in strings or comments. */
function without(text: string, { tokens, block }: Statement): string {
  const start = tokens[0]?.start ?? 0;
  let end = tokens.at(-1)?.end ?? 0;
  for (let depth = 0; ; end++) {
    if (text[end] === '{') depth++;
    if (text[end] === '}') depth--;
    if (block === undefined || (depth === 0 && text[end] === '}')) return text.slice(0, start) + text.slice(end + 1);
  }
}
