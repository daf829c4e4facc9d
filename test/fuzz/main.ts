/**
 * Long fuzzing by hand: `npm run fuzz -- dhcp|failover --iterations N --seed S`. Prints one line of summary, and every
 * input that threw; ends with 1 when there was one, and with 2 when the arguments make no sense.
 */
import { parseArgs } from 'node:util';
import { fuzzDhcp } from './dhcp.ts';
import { fuzzFailover } from './failover.ts';

const TARGETS = { dhcp: fuzzDhcp, failover: fuzzFailover } as const;
const USAGE = 'usage: fuzz dhcp|failover [--iterations N] [--seed S]';

function readArguments(): { target: keyof typeof TARGETS; iterations: number; seed: number } | undefined {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        iterations: { type: 'string', default: '1000000' },
        seed: { type: 'string', default: '1' },
      },
    });
    const [target] = positionals;
    const iterations = Number(values.iterations);
    const seed = Number(values.seed);
    if (positionals.length !== 1 || (target !== 'dhcp' && target !== 'failover')) return undefined;
    if (!Number.isSafeInteger(iterations) || iterations < 1 || !Number.isSafeInteger(seed)) return undefined;
    return { target, iterations, seed };
  } catch {
    // parseArgs throws on options it does not know; the answer is the usage line either way.
    return undefined;
  }
}

function run(): number {
  const wanted = readArguments();
  if (wanted === undefined) {
    console.error(USAGE);
    return 2;
  }
  const { target, iterations, seed } = wanted;
  const startedAt = performance.now();
  const result = TARGETS[target]({
    iterations,
    seed,
    onProgress: (done) => process.stderr.write(`\r${target}: ${done} of ${iterations}`),
  });
  process.stderr.write('\n');
  for (const found of result.exceptions) console.log(Object.values(found).join('\n'));
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const growth = (result.heapGrowthBytes / 2 ** 20).toFixed(1);
  console.log(
    `${target}: ${result.iterations} inputs, seed ${seed}, ${result.exceptions.length} exceptions, ` +
      `heap growth ${growth} MiB, ${seconds} s`,
  );
  return result.exceptions.length === 0 ? 0 : 1;
}

process.exitCode = run();
