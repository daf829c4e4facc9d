/**
 * `npm run interop -- takeover [--json] [--runs N] [--product TEXT] [--fault kill|vanish|cut]` and `npm run interop -- load [--json]`: measurements beside other
 * products and with their tools, as root. One JSON object with `cases`, `passed`, `failed` and `results`, or lines for people.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { load } from './load.ts';
import type { Product } from './product.ts';
import { casesOf, missingProgram, PRODUCTS, type TakeoverCase, takeover } from './takeover.ts';

const RUNS_MAX = 100;

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
  },
});
const [what] = positionals;
if (process.getuid?.() !== 0) fail('This makes network namespaces, which needs root.');
const say = (line: string) => process.stderr.write(`${line}\n`);
if (what === 'takeover') finish(await takeovers(Number(values.runs), values.product, values.fault));
else if (what === 'load') finish(await loads(values.product));
else fail('Usage: npm run interop -- takeover|load [--json] [--runs N] [--product TEXT] [--fault TEXT]');

async function takeovers(runs: number, filter: string, fault: string): Promise<readonly Result[]> {
  if (!Number.isInteger(runs) || runs < 1 || runs > RUNS_MAX) fail(`--runs wants a number from 1 to ${RUNS_MAX}.`);
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
