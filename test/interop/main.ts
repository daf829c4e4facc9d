/**
 * `npm run interop -- takeover [--json] [--runs N] [--product TEXT] [--fault kill|vanish|cut]` and `npm run interop -- load [--json]`: measurements beside other
 * products and with their tools, as root. One JSON object with `cases`, `passed`, `failed` and `results`, or lines for people.
 * `npm run interop -- isc [--json] [--case TEXT] [--repeat N] [--keep] [--baseline] [--at-once N]`: our server as the partner of ISC dhcpd; with
 * `--baseline` two dhcpd, to learn what they write to their logs by themselves. `failed` are then the names of the cases.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { planned, removeNetworks, runCases, versions } from './failover/matrix.ts';
import { load } from './load.ts';
import type { Product } from './product.ts';
import { casesOf, missingProgram, PRODUCTS, type TakeoverCase, takeover } from './takeover.ts';

const RUNS_MAX = 100;
/** Networks side by side: most of a case is waiting. */
const AT_ONCE = '6';
const AT_ONCE_MAX = 64;

interface Result {
  readonly passed: boolean;
  readonly why?: string;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string', default: '1' },
    product: { type: 'string', default: '' },
    fault: { type: 'string', default: '' },
    case: { type: 'string', default: '' },
    repeat: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
    baseline: { type: 'boolean', default: false },
    'at-once': { type: 'string', default: AT_ONCE },
  },
});
const [what] = positionals;
if (process.getuid?.() !== 0) fail('This makes network namespaces, which needs root.');
const say = (line: string) => process.stderr.write(`${line}\n`);
if (what === 'takeover') finish(await takeovers(wholeNumber('runs', RUNS_MAX), values.product, values.fault));
else if (what === 'load') finish(await loads(values.product));
else if (what === 'isc') await matrix(wholeNumber('repeat', RUNS_MAX), wholeNumber('at-once', AT_ONCE_MAX));
else
  fail(
    'Usage: npm run interop -- takeover|load|isc [--json], with the options that the top of test/interop/main.ts lists',
  );

async function takeovers(runs: number, filter: string, fault: string): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const product of PRODUCTS) {
    if (!product.name.toLowerCase().includes(filter.toLowerCase())) continue;
    const missing = missingProgram(product);
    if (missing !== undefined) {
      say(`${product.name}: not measured, ${missing} is not installed`);
      continue;
    }
    for (const which of casesOf(product)) {
      if (!which.fault.includes(fault)) continue;
      for (let run = 1; run <= runsOf(product, which, runs); run++) {
        const result = await takeover(product, which, run);
        say(
          `${result.passed ? 'ok' : 'NOT OK'} ${product.name}, ${which.fault}, ${result.addresses} addresses, run ${run}: ${result.why ?? ''} ${JSON.stringify(result.measured)}`,
        );
        results.push(result);
      }
    }
  }
  return results;
}

/** All cases in both roles, `repeat` times over. */
async function matrix(repeat: number, concurrency: number): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      removeNetworks();
      process.exit(1);
    });
  const startedMs = performance.now();
  const plan = planned(values.baseline ? ['isc-isc'] : ['ours-primary', 'ours-secondary'], values.case);
  const results = await runCases(Array.from({ length: repeat }, () => plan).flat(), {
    concurrency,
    keep: values.keep,
    onResult: ({ name, passed, wrong, seconds, keptIn }) => {
      say(`${passed ? 'ok' : 'NOT OK'} ${name} (${seconds} s)${keptIn === undefined ? '' : `, kept in ${keptIn}`}`);
      for (const line of wrong) say(`    ${line.replaceAll('\n', '\n    ')}`);
    },
  });
  const failed = [...new Set(results.filter((result) => !result.passed).map(({ name }) => name))].sort();
  const passed = results.filter((result) => result.passed).length;
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  const summary = { cases: results.length, passed, failed, seconds, versions: versions() };
  process.stdout.write(
    values.json
      ? `${JSON.stringify(summary, undefined, 2)}\n`
      : `${passed} of ${results.length} passed in ${seconds} s\n`,
  );
  process.exit(failed.length > 0 || results.length === 0 ? 1 : 0);
}

function wholeNumber(option: 'runs' | 'repeat' | 'at-once', max: number): number {
  const number = Number(values[option]);
  if (!Number.isInteger(number) || number < 1 || number > max) fail(`--${option} wants a number from 1 to ${max}.`);
  return number;
}

/** Ours is held to its promises in several runs; what only measures is run once. */
function runsOf(product: Product, which: TakeoverCase, runs: number): number {
  return product.isOurs && which.scope === 'large' && which.fault !== 'cut' ? runs : 1;
}

async function loads(filter: string): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const mode of ['LoadBalance', 'HotStandby'] as const) {
    if (!mode.toLowerCase().includes(filter.toLowerCase())) continue;
    const result = await load(mode);
    say(`${result.passed ? 'ok' : 'NOT OK'} perfdhcp, ${mode}: ${result.why ?? ''} ${JSON.stringify(result.measured)}`);
    results.push(result);
  }
  return results;
}

function finish(results: readonly Result[]): void {
  const passed = results.filter((result) => result.passed).length;
  const failed = results.length - passed;
  if (values.json)
    process.stdout.write(`${JSON.stringify({ cases: results.length, passed, failed, results }, undefined, 2)}\n`);
  else process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exit(failed > 0 || results.length === 0 ? 1 : 0);
}

function fail(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(2);
}
